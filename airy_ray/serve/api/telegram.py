"""Telegram's Bot API, as connecting a bot needs it (contract: sources §7.4)."""

from typing import Any

import msgspec

from airy_ray.errors import DeliveryError, RequestError
from airy_ray.serve.api import provider
from airy_ray.serve.api.platform import Platform
from airy_ray.serve.api.provider import text
from airy_ray.sources.telegram import UPDATES, webhook_secret
from airy_ray.sources.telegram_sending import method_url

_CONNECTIONS = 40
_UNAUTHORIZED = 401


class Bot(msgspec.Struct, frozen=True):
    """A bot."""

    id: str
    name: str | None


async def subscribe(platform: Platform, token: str, base_url: str) -> Bot:
    """Have Telegram send a bot's updates to the platform at `base_url`; return which bot it is.

    Raises:
        DeliveryError: Telegram refuses, with its own text.
        RequestError: 503, it cannot be reached or made no sense.
    """
    told = await _call(platform, token, "getMe")
    bot = told.get("result")
    identifier = bot.get("id") if isinstance(bot, dict) else None
    if not isinstance(identifier, int):
        raise RequestError(503, "Telegram names no bot")
    asked = {
        "url": f"{base_url}/telegram/{identifier}",
        "secret_token": webhook_secret(token),
        "allowed_updates": UPDATES,
        "max_connections": _CONNECTIONS,
    }
    await _call(platform, token, "setWebhook", asked)
    return Bot(str(identifier), text(bot, "first_name"))


async def unsubscribe(platform: Platform, token: str) -> None:
    """Have Telegram send no more updates; raises as `subscribe` does."""
    await _call(platform, token, "deleteWebhook", {}, gone_is_fine=True)


async def _call(
    platform: Platform,
    token: str,
    method: str,
    asked: dict[str, Any] | None = None,
    *,
    gone_is_fine: bool = False,
) -> dict[str, Any]:
    answered = await provider.called(
        platform.http,
        "Telegram",
        "GET" if asked is None else "POST",
        method_url(platform.settings.sources.telegram.api_url, token, method),
        body=asked,
    )
    told = answered.told or {}
    if answered.is_success and told.get("ok") is True:
        return told
    if gone_is_fine and answered.status == _UNAUTHORIZED:
        return told  # its token was revoked: it sends nothing any more
    reason = text(told, "description")
    if reason is None:
        raise RequestError(503, f"Telegram answered with {answered.status}")
    raise DeliveryError(provider.without(token, reason))
