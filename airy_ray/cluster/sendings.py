"""The outbound halves of all sources that have one, made of the settings: one line per source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airy_ray.sources.facebook_sending import FacebookSending
from airy_ray.sources.google_sending import GoogleSending

if TYPE_CHECKING:
    from pydantic import SecretStr

    from airy_ray.config import Sources  # the courier does without what it is made of

AnySending = FacebookSending | GoogleSending
Sendings = dict[str, AnySending]
"""By source; messages to others stay pending."""

_MESSENGER_PER_S = 300.0
_INSTAGRAM_PER_S = 100.0


def sendings(settings: Sources) -> Sendings:
    """Return how messages are sent, by source."""
    return {
        "facebook": _messenger(settings, _MESSENGER_PER_S),
        "instagram": _messenger(settings, _INSTAGRAM_PER_S),
        "google": GoogleSending(
            settings.google.api_url,
            settings.google.rcs_api_url,
            _text(settings.google.sa_file),
            settings.google.is_rcs,
        ),
    }


def _messenger(settings: Sources, per_s: float) -> FacebookSending:
    app = settings.facebook
    return FacebookSending(app.api_url, app.graph_version, app.human_agent_tag, per_s)


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
