"""Viber's REST API, as connecting its bot needs it (contract: sources §6, §6.4).

One installation has one bot, whose token is in the settings. Refusals come with HTTP 200.
"""

from typing import Any

import msgspec

from airy_ray.errors import DeliveryError, RequestError
from airy_ray.serve.api import provider
from airy_ray.serve.api.platform import Platform
from airy_ray.serve.api.provider import text

_EVENTS = ("delivered", "seen", "failed", "subscribed", "unsubscribed", "conversation_started")


class Account(msgspec.Struct, frozen=True):
    """The bot's account."""

    id: str
    name: str | None
    image_url: str | None


async def subscribe(platform: Platform, base_url: str) -> Account:
    """Have Viber send its events to the platform at `base_url`; return whose events they are.

    Raises:
        DeliveryError: Viber refuses, or cannot be reached.
    """
    try:
        told = await _call(platform, "get_account_info", {})
        account = text(told, "id")
        if account is None:
            raise DeliveryError("Viber names no account")
        asked = {
            "url": f"{base_url}/viber",
            "send_name": True,
            "send_photo": True,
            "event_types": _EVENTS,
        }
        await _call(platform, "set_webhook", asked)
    except (DeliveryError, RequestError) as error:
        raise _failed("connect", error) from None
    return Account(account, text(told, "name"), text(told, "icon"))


async def unsubscribe(platform: Platform) -> None:
    """Have Viber send no more events; raises as `subscribe` does."""
    try:
        await _call(platform, "set_webhook", {"url": ""})
    except (DeliveryError, RequestError) as error:
        raise _failed("disconnect", error) from None


async def _call(platform: Platform, method: str, asked: dict[str, Any]) -> dict[str, Any]:
    viber = platform.settings.sources.viber
    if viber.auth_token is None:
        raise DeliveryError("sources.viber.auth_token is not set")
    token = viber.auth_token.get_secret_value()
    answered = await provider.called(
        platform.http,
        "Viber",
        "POST",
        f"{viber.api_url.rstrip('/')}/pa/{method}",
        body=asked,
        headers={"x-viber-auth-token": token},
    )
    told = answered.told
    if not answered.is_success or told is None:
        raise DeliveryError(f"Viber answered with {answered.status}")
    if told.get("status") != 0:
        reason = text(told, "status_message") or f"status {told.get('status')}"
        raise DeliveryError(provider.without(token, reason))
    return told


def _failed(what: str, error: DeliveryError | RequestError) -> DeliveryError:
    return DeliveryError(f"Failed to {what} the viber webhook. Error: {error.reason}")
