"""The outbound halves of all sources that have one, made of the settings: one line per source."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from airy_ray.model.custom_source import is_custom
from airy_ray.sources.custom_sending import CustomSending
from airy_ray.sources.facebook_sending import FacebookSending, InstagramSending
from airy_ray.sources.google_sending import GoogleSending
from airy_ray.sources.telegram_sending import TelegramSending
from airy_ray.sources.twilio_sending import TwilioSending
from airy_ray.sources.viber_sending import ViberSending
from airy_ray.sources.whatsapp_sending import WhatsappSending

if TYPE_CHECKING:
    from pydantic import SecretStr

    from airy_ray.config import Sources  # the courier does without what it is made of

AnySending = (
    CustomSending
    | FacebookSending
    | GoogleSending
    | InstagramSending
    | TelegramSending
    | TwilioSending
    | ViberSending
    | WhatsappSending
)
Sendings = dict[str, AnySending]
"""By source, with one for all custom sources; messages to others stay pending."""

M = TypeVar("M", bound=FacebookSending)

CUSTOM = "*"

_MESSENGER_PER_S = 300.0
_INSTAGRAM_PER_S = 100.0


def sendings(
    settings: Sources, public_url: str | None = None, *, source_key: bytes | None = None
) -> Sendings:
    """Return how messages are sent, by source.

    `public_url` is where platforms reach us, `source_key` what the tokens of custom sources are
    signed with: without it these get nothing.
    """
    made = _built_in(settings, public_url)
    return made if source_key is None else made | {CUSTOM: CustomSending(source_key)}


def sending_of(sendings: Sendings, source: str) -> AnySending | None:
    """Return how messages of a source are sent, None if they are not."""
    return sendings.get(CUSTOM if is_custom(source) else source)


def _built_in(settings: Sources, public_url: str | None) -> Sendings:
    return {
        "facebook": _meta(FacebookSending, settings, _MESSENGER_PER_S),
        "instagram": _meta(InstagramSending, settings, _INSTAGRAM_PER_S),
        "google": GoogleSending(
            settings.google.api_url,
            settings.google.rcs_api_url,
            _text(settings.google.sa_file),
            settings.google.is_rcs,
        ),
        "twilio.sms": _twilio(settings, public_url, is_whatsapp=False),
        "twilio.whatsapp": _twilio(settings, public_url, is_whatsapp=True),
        "viber": ViberSending(settings.viber.api_url, _text(settings.viber.auth_token)),
        "telegram": TelegramSending(settings.telegram.api_url),
        "whatsapp": WhatsappSending(settings.whatsapp.api_url, settings.whatsapp.graph_version),
    }


def _meta(kind: type[M], settings: Sources, per_s: float) -> M:
    app = settings.facebook
    return kind(app.api_url, app.graph_version, app.human_agent_tag, per_s)


def _twilio(settings: Sources, public_url: str | None, *, is_whatsapp: bool) -> TwilioSending:
    account = settings.twilio
    status_url = "" if public_url is None else f"{public_url.rstrip('/')}/twilio"
    return TwilioSending(
        account.api_url, account.account_sid, _text(account.auth_token), status_url, is_whatsapp
    )


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
