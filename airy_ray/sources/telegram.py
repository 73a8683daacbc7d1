"""Telegram bots. https://core.telegram.org/bots/api#update.

Contract: sources §7. A body is one update, `{"update_id": n, KIND: {…}}`, and does not say to which
bot: each has a path of its own. Which it was is kept beside the body.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError, SignatureError
from airy_ray.model import json_text
from airy_ray.sources.profiles import contact_values, full_name
from airy_ray.sources.source import (
    Cut,
    Described,
    Key,
    Parsed,
    Reacted,
    Received,
    Replaced,
    Webhook,
    instant_of_seconds,
    json_object,
    text_id,
)

BOT = "x-airy-telegram-bot"
"""The kept header that tells whose update it is."""

UPDATES = ("message", "edited_message", "callback_query", "message_reaction")
"""The kinds of updates that mean something to us; Telegram is asked for no others."""

_SOURCE = "telegram"
_PATH = re.compile(r".*/telegram/([0-9]{1,20})/?")
_EMPTY_PAYLOAD = "__empty__"
_STAR = "⭐"
_UNKNOWN_REACTION = "❓"


class Telegram:
    """The webhooks of all bots.

    Args:
        secret: tells what Telegram proves with that an update of a bot, by its id, comes from it;
            None while the bot is no channel.
    """

    hook = _SOURCE

    def __init__(self, secret: Callable[[str], str | None]) -> None:
        self._secret = secret

    def verify(self, webhook: Webhook) -> None:
        """Raise `SignatureError` unless the secret of the bot whose path was called came along."""
        bot = _bot(webhook)
        secret = None if bot is None else self._secret(bot)
        claimed = webhook.headers.get("x-telegram-bot-api-secret-token", "")
        if secret is None or not hmac.compare_digest(secret.encode(), claimed.encode()):
            raise SignatureError(self.hook)

    def routes(self, webhook: Webhook) -> list[Key]:
        """Return the chat that an update belongs to."""
        _, part = _update(json_object(webhook.body))
        key = _key(part, _bot(webhook) or "")
        return [] if key is None else [key]

    def kept_headers(self, webhook: Webhook) -> dict[str, str] | None:
        """Return whose update it is."""
        return {BOT: _bot(webhook) or ""}

    def pressed(self, webhook: Webhook) -> tuple[str, str] | None:
        """Return a bot and the press of a button that waits for its answer; None if none does."""
        if b'"callback_query"' not in webhook.body:
            return None
        try:
            kind, part = _update(json_object(webhook.body))
        except PayloadError:
            return None
        bot, press = _bot(webhook), text_id(part.get("id"))
        if kind != "callback_query" or "message" not in part or bot is None or press is None:
            return None
        return bot, press


def webhook_secret(token: str) -> str:
    """Return what Telegram proves with that an update of a bot comes from it.

    Made of the bot's token, so that it need not be kept: who has the one may know the other.
    """
    digest = hmac.digest(token.encode(), b"webhook secret", sha256)
    return urlsafe_b64encode(digest).decode().rstrip("=")


def parse(webhook: Webhook) -> Parsed:
    """Return what an update says."""
    kind, part = _update(json_object(webhook.body))
    if kind not in UPDATES:
        return Parsed([], ["unsupported update"])
    key = _key(part, webhook.headers[BOT])
    if key is None or _chat(part) is None:
        return Parsed([], ["no chat"])
    told = _TOLD[kind](part, key, webhook.body)
    if isinstance(told, str):
        return Parsed([], [told])
    values = contact(_chat(part) or {}, _member(part, "from"))
    if not values or isinstance(told, Reacted):
        return Parsed([told], [])
    return Parsed([told, Described(key, values)], [])


def without(body: bytes, cut: Cut) -> bytes | None:
    """Return a body, or None if what it says goes; it says one thing only."""
    try:
        _, part = _update(json_object(body))
    except PayloadError:
        part = {}
    key = _key(part, cut.headers[BOT])
    if key is None:
        return None if cut.names(body) else body
    at = instant_of_seconds(part.get("edit_date", part.get("date")))
    return None if cut.takes(key, at) else body


def _bot(webhook: Webhook) -> str | None:
    found = _PATH.fullmatch(urlsplit(webhook.url).path)
    return None if found is None else found[1]


def _update(told: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return an update's kind and what it tells; there is only one in a body."""
    return next(((kind, part) for kind, part in told.items() if isinstance(part, dict)), ("", {}))


def _chat(part: dict[str, Any]) -> dict[str, Any] | None:
    """Return the chat of an update; a button is in the chat of the message below which it is."""
    holder = part if "chat" in part else part.get("message")
    chat = holder.get("chat") if isinstance(holder, dict) else None
    return chat if isinstance(chat, dict) and text_id(chat.get("id")) else None


def _key(part: dict[str, Any], bot: str) -> Key | None:
    """Return where an update belongs; one without a chat to the chat with whom it is from."""
    place = text_id((_chat(part) or _member(part, "from")).get("id"))
    return None if place is None else Key(_SOURCE, bot, place)


def _member(part: dict[str, Any], name: str) -> dict[str, Any]:
    member = part.get(name)
    return member if isinstance(member, dict) else {}


def _written(part: dict[str, Any], key: Key, body: bytes) -> Received:
    return _received(part, key, body, _name(part, key), instant_of_seconds(part.get("date")))


def _edited(part: dict[str, Any], key: Key, body: bytes) -> Replaced | str:
    received = _written(part, key, body)
    if received.source_message_id is None:
        return "edit of nothing"
    return Replaced(received, instant_of_seconds(part.get("edit_date")))


def _pressed(part: dict[str, Any], key: Key, body: bytes) -> Received:
    """Return the message that pressing a button is; Telegram does not say when that was."""
    press, payload = text_id(part.get("id")), part.get("data")
    told = payload if isinstance(payload, str) else _EMPTY_PAYLOAD
    name = None if press is None else f"callback:{press}"
    return _received(part, key, body, name, None, {"postback.payload": told})


def _reacted(part: dict[str, Any], key: Key, _: bytes) -> Reacted | str:
    name, reactions = _name(part, key), part.get("new_reaction")
    if name is None or not isinstance(reactions, list):
        return "reaction to nothing"
    emoji = _emoji(reactions[0]) if reactions else None
    return Reacted(key, name, emoji, instant_of_seconds(part.get("date")))


_TOLD: dict[str, Callable[[dict[str, Any], Key, bytes], Received | Replaced | Reacted | str]] = {
    "message": _written,
    "edited_message": _edited,
    "callback_query": _pressed,
    "message_reaction": _reacted,
}
"""What each kind of update says, or why it says nothing."""


def _received(
    part: dict[str, Any],
    key: Key,
    body: bytes,
    name: str | None,
    sent_at: Millis | None,
    headers: dict[str, str] | None = None,
) -> Received:
    return Received(
        key,
        json_text.canonical(body) if name is None else name,
        name,
        sent_at,
        from_contact=True,
        sender_id=_sender(part, key),
        content=json_text.compact(body),
        headers=headers,
    )


def _emoji(reaction: object) -> str:
    told = reaction if isinstance(reaction, dict) else {}
    match told.get("type"):
        case "emoji" if isinstance(told.get("emoji"), str):
            return str(told["emoji"])
        case "custom_emoji" if isinstance(told.get("custom_emoji_id"), str):
            return f"custom:{told['custom_emoji_id']}"
        case "paid":
            return _STAR
        case _:
            return _UNKNOWN_REACTION


def _name(part: dict[str, Any], key: Key) -> str | None:
    """Return what we call a message: Telegram numbers those of each chat."""
    number = text_id(part.get("message_id"))
    return None if number is None else f"{key.conversation}:{number}"


def _sender(part: dict[str, Any], key: Key) -> str:
    parties = (_member(part, name).get("id") for name in ("from", "sender_chat"))
    return next((found for found in map(text_id, parties) if found), key.conversation)


def contact(chat: dict[str, Any], person: dict[str, Any]) -> dict[str, bytes]:
    """Return what is told of whom a chat is with, a person or a group as a whole, as metadata."""
    if chat.get("type") != "private":
        return contact_values({"display_name": chat.get("title")})
    name = full_name(person.get("first_name"), person.get("last_name"))
    return contact_values({"display_name": name, "lang": person.get("language_code")})
