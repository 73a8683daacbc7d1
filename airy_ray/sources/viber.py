"""Viber bots. https://developers.viber.com/docs/api/rest-bot-api/.

Contract: sources §6. A body tells of one event, and does not say of which bot: an installation has
one. Whose it was when the body came is kept beside it.
"""

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec

from airy_ray.errors import PayloadError, SignatureError
from airy_ray.model import json_text
from airy_ray.sources.profiles import contact_values
from airy_ray.sources.source import (
    Cut,
    Described,
    Failed,
    Key,
    Parsed,
    Receipt,
    Received,
    SourceEvent,
    Webhook,
    instant,
    json_object,
    text_id,
)

ACCOUNT = "x-airy-viber-account"
"""The kept header that tells whose events these are."""

_SOURCE = "viber"
_MESSAGES = {"message": "sender", "conversation_started": "user"}
"""The events that are messages, and where they say from whom."""
_RECEIPTS = {"delivered": False, "seen": True}
"""The events that are receipts, and whether they say that the message was seen."""
_CONTACT = {
    "name": "display_name",
    "avatar": "avatar_url",
    "country": "country",
    "language": "lang",
}


class Account(msgspec.Struct, frozen=True, gc=False):
    """The bot, as the contact sees it."""

    id: str
    name: str
    image_url: str | None = None


class Viber:
    """The webhook of a bot.

    Args:
        auth_token: the bot's.
        account: tells the bot's account; None while it is no channel.
        welcome_message: the fields of what is answered when somebody opens a conversation.
    """

    hook = _SOURCE

    def __init__(
        self,
        auth_token: str,
        account: Callable[[], Account | None],
        *,
        welcome_message: dict[str, Any] | None = None,
    ) -> None:
        self._keyed = hmac.new(auth_token.encode(), digestmod=sha256)
        self._account = account
        self._welcome_message = welcome_message

    def verify(self, webhook: Webhook) -> None:
        """Raise `SignatureError` unless Viber signed exactly this body."""
        hashed = self._keyed.copy()
        hashed.update(webhook.body)
        claimed = webhook.headers.get("x-viber-content-signature", "")
        if not hmac.compare_digest(hashed.hexdigest().encode(), claimed.encode()):
            raise SignatureError(self.hook)

    def routes(self, webhook: Webhook) -> list[Key]:
        """Return the conversation that an event belongs to."""
        account = self._account()
        key = None if account is None else _key(json_object(webhook.body), account.id)
        return [] if key is None else [key]

    def kept_headers(self, webhook: Webhook) -> dict[str, str] | None:
        """Return whose event it is."""
        account = self._account()
        return None if account is None else {ACCOUNT: account.id}

    def welcome(self, webhook: Webhook) -> bytes | None:
        """Return the message that greets who has opened a conversation; None if there is none."""
        account = self._account()
        if self._welcome_message is None or account is None:
            return None
        try:
            told = json_object(webhook.body)
        except PayloadError:
            return None
        if told.get("event") != "conversation_started":
            return None
        sender = {"name": account.name}
        if account.image_url is not None:
            sender["avatar"] = account.image_url
        return json_text.encode(self._welcome_message | {"sender": sender})


def parse(webhook: Webhook) -> Parsed:
    """Return what an event says."""
    told = json_object(webhook.body)
    account = webhook.headers.get(ACCOUNT)
    event = _event(told)
    if event not in _MESSAGES and event not in _RECEIPTS and event != "failed":
        return Parsed([], ["event"])
    if account is None:
        return Parsed([], ["no such channel"])
    key = _key(told, account)
    if key is None:
        return Parsed([], ["no contact id"])
    if event in _MESSAGES:
        return Parsed(_message(told, key, webhook.body), [])
    token = text_id(told.get("message_token"))
    if token is None:
        return Parsed([], ["receipt of nothing"])
    if event in _RECEIPTS:
        return Parsed([Receipt(key, _RECEIPTS[event], (token,))], [])
    description = told.get("desc")
    reason = description if isinstance(description, str) and description else "Viber error"
    return Parsed([Failed(key, token, reason, json_text.compact(webhook.body).decode())], [])


def without(body: bytes, cut: Cut) -> bytes | None:
    """Return a body, or None if what it says goes; it says one thing only."""
    account = cut.headers.get(ACCOUNT)
    try:
        told = json_object(body)
    except PayloadError:
        told = {}
    key = None if account is None else _key(told, account)
    if key is None:
        return None if cut.names(body) else body
    return None if cut.takes(key, instant(told.get("timestamp"))) else body


def _event(told: dict[str, Any]) -> str:
    event = told.get("event")
    return event if isinstance(event, str) else ""


def _key(told: dict[str, Any], account: str) -> Key | None:
    """Return the conversation of an event; of those that concern none, too, if they name a user."""
    party = told.get(_MESSAGES.get(_event(told), "user"))
    contact = text_id(party.get("id")) if isinstance(party, dict) else None
    contact = contact or text_id(told.get("user_id"))
    return None if contact is None else Key(_SOURCE, account, contact)


def _message(told: dict[str, Any], key: Key, body: bytes) -> list[SourceEvent]:
    token = text_id(told.get("message_token"))
    received = Received(
        key,
        json_text.canonical(body) if token is None else token,
        token,
        instant(told.get("timestamp")),
        from_contact=True,
        sender_id=key.conversation,
        content=json_text.compact(body),
    )
    party = told.get(_MESSAGES[_event(told)])
    values = contact(party) if isinstance(party, dict) else {}
    return [received, Described(key, values)] if values else [received]


def contact(party: dict[str, Any]) -> dict[str, bytes]:
    """Return what Viber tells of a contact, as metadata of the conversation."""
    return contact_values({ours: party.get(theirs) for theirs, ours in _CONTACT.items()})
