"""What fetching files needs to know, made of the settings; plain values, handed on by processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from airy_ray.cluster.media.store_spec import StoreSpec, store_spec
from airy_ray.sources.files import Access
from airy_ray.sources.sending import basic_login

if TYPE_CHECKING:
    from airy_ray.config import Settings, Sources  # the courier does without what it is made of


class FetchingSpec(msgspec.Struct, frozen=True):
    """How files of contacts' messages are fetched.

    Attributes:
        directory: where files wait that are on their way.
        base_url: where the platform itself is reached, for stores that it serves.
        bytes_max: the largest file kept.
        types: patterns of the media types that are kept.
        access: what else a source asks for, by its name.
    """

    store: StoreSpec
    directory: str
    base_url: str
    bytes_max: int
    types: tuple[str, ...] = ("*",)
    access: dict[str, Access] = {}
    allow_private_networks: bool = False


def fetching_spec(settings: Settings) -> FetchingSpec | None:
    """Return what is configured; None if files stay where they are."""
    http, inbound = settings.http, settings.media.inbound
    if not inbound.fetch:
        return None
    return FetchingSpec(
        store=store_spec(settings),
        directory=str(settings.data.resolve()),
        base_url=(http.public_url or f"http://{http.host}:{http.port}").rstrip("/"),
        bytes_max=inbound.max_bytes,
        types=inbound.types,
        access=_access(settings.sources),
        allow_private_networks=inbound.allow_private_networks,
    )


def _access(sources: Sources) -> dict[str, Access]:
    twilio, whatsapp = sources.twilio, sources.whatsapp
    secret = "" if twilio.auth_token is None else twilio.auth_token.get_secret_value()
    login = basic_login(twilio.account_sid, secret) if twilio.account_sid and secret else ""
    graph_url = f"{whatsapp.api_url.rstrip('/')}/{whatsapp.graph_version}"
    return {
        "twilio.sms": Access(twilio.api_url, login),
        "twilio.whatsapp": Access(twilio.api_url, login),
        "whatsapp": Access(graph_url, asks="whatsapp"),
        "telegram": Access(sources.telegram.api_url, asks="telegram"),
    }
