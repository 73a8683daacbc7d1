"""Google: Business Messages, and RCS for Business, which lives on. Contract: sources §5.

Google switched Business Messages off in July 2024. Its webhooks stay readable for histories that
are brought along; https://developers.google.com/business-communications/rcs-business-messaging is
the living channel. Which of the two a body is shows in its shape: RCS wraps its event in
`message.data`.
"""

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from hashlib import sha512
from typing import Any

import msgspec

from airy_ray.errors import PayloadError, SignatureError
from airy_ray.model import json_text
from airy_ray.sources.source import (
    Cut,
    Described,
    Key,
    Parsed,
    Receipt,
    Received,
    SourceEvent,
    Webhook,
    instant_of_text,
    json_object,
    text_id,
)

_SOURCE = "google"
_EMPTY_PAYLOAD = "__empty__"
_AGENT = re.compile(r"brands/(.*?)/agents/(.*)", re.DOTALL)


class Google:
    """The webhook of a Google agent, verified with the partner key (or client token)."""

    hook = _SOURCE

    def __init__(self, partner_key: str) -> None:
        self._partner_key = partner_key.encode()
        self._keyed = hmac.new(self._partner_key, digestmod=sha512)

    def verify(self, webhook: Webhook) -> None:
        """Raise `SignatureError` unless Google signed exactly this body, or the data in it."""
        hashed = self._keyed.copy()
        hashed.update(_signed_part(webhook.body))
        expected = b64encode(hashed.digest())
        claimed = webhook.headers.get("x-goog-signature", "")
        if not hmac.compare_digest(expected, claimed.encode()):
            raise SignatureError(self.hook)

    def routes(self, webhook: Webhook) -> list[Key]:
        """Return the conversation that a body belongs to."""
        told = _opened(webhook.body)
        key = None if told is None else _key(told)
        return [] if key is None else [key]

    def kept_headers(self, webhook: Webhook) -> dict[str, str] | None:
        """Return nothing: the body says it all."""
        return None

    def handshake(self, body: bytes) -> str | None:
        """Return what to answer a webhook verification with; None if the body is none of ours.

        Raises:
            SignatureError: it names another token.
        """
        try:
            asked = _decode_handshake(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        if not hmac.compare_digest(asked.clientToken.encode(), self._partner_key):
            raise SignatureError(self.hook)
        return asked.secret


def parse(webhook: Webhook) -> Parsed:
    """Return what a body of Business Messages or RCS says."""
    told = _opened(webhook.body)
    if told is None:
        return Parsed([], ["not a message event"])
    key = _key(told)
    if key is None:
        return Parsed([], ["no agent or conversation"])
    if isinstance(told, _RcsEvent):
        return _rcs(told, key)
    return _business_message(told, key)


def without(body: bytes, cut: Cut) -> bytes | None:
    """Return a body, or None if what it says goes; it says one thing only."""
    try:
        told = _opened(body)
    except PayloadError:
        told = None
    key = None if told is None else _key(told)
    if told is None or key is None:
        return None if cut.names(body if told is None else told.text) else body
    at = instant_of_text(told.send_time)
    if at is None and isinstance(told, _RcsEvent):
        at = instant_of_text(told.publish_time)
    return None if cut.takes(key, at) else body


class _Handshake(msgspec.Struct, gc=False):
    clientToken: str  # noqa: N815 - as on the wire
    secret: str
    message: msgspec.UnsetType = msgspec.UNSET


class _Receipt(msgspec.Struct, gc=False, rename="camel"):
    message: str = ""
    receipt_type: str = ""


class _Event(msgspec.Struct, gc=False, rename="camel"):
    """A body of Business Messages; `text` is all of it."""

    agent: Any = None
    conversation_id: Any = None
    request_id: Any = None
    send_time: Any = None
    message: Any = None
    suggestion_response: Any = None
    survey_response: Any = None
    authentication_response: Any = None
    user_status: Any = None
    receipts: Any = None
    context: Any = None
    text: bytes = b""


class _RcsEvent(msgspec.Struct, gc=False, rename="camel"):
    """The event inside a body of RCS; `text` is its own JSON."""

    sender_phone_number: Any = None
    agent_id: Any = None
    message_id: Any = None
    send_time: Any = None
    event_type: Any = None
    suggestion_response: Any = None
    publish_time: Any = None
    text: bytes = b""


class _Push(msgspec.Struct, gc=False, rename="camel"):
    data: str
    publish_time: Any = None


class _Pushed(msgspec.Struct, gc=False):
    message: _Push


_decode_handshake = msgspec.json.Decoder(_Handshake).decode
_decode_pushed = msgspec.json.Decoder(_Pushed).decode


def _pushed(body: bytes) -> _Push | None:
    """Return the wrapper of an RCS event, if a body is one."""
    try:
        return _decode_pushed(body).message
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _signed_part(body: bytes) -> bytes:
    pushed = _pushed(body)
    if pushed is None:
        return body
    try:
        return b64decode(pushed.data, validate=True)
    except (binascii.Error, ValueError):
        return body


def _opened(body: bytes) -> _Event | _RcsEvent | None:
    """Return what is in a body, or None if it has none of the parts that we know."""
    pushed = _pushed(body)
    if pushed is not None:
        return _opened_push(pushed)
    told = json_object(body)
    event = _Event(
        agent=told.get("agent"),
        conversation_id=told.get("conversationId"),
        request_id=told.get("requestId"),
        send_time=told.get("sendTime"),
        message=_part(told, "message"),
        suggestion_response=_part(told, "suggestionResponse"),
        survey_response=_part(told, "surveyResponse"),
        authentication_response=_part(told, "authenticationResponse"),
        user_status=_part(told, "userStatus"),
        receipts=_part(told, "receipts"),
        context=_part(told, "context"),
        text=body,
    )
    return event if _is_known(event) else None


def _opened_push(pushed: _Push) -> _RcsEvent:
    try:
        text = b64decode(pushed.data, validate=True)
    except (binascii.Error, ValueError):
        raise PayloadError("data is not base64") from None
    told = json_object(text)
    return _RcsEvent(
        sender_phone_number=told.get("senderPhoneNumber"),
        agent_id=told.get("agentId"),
        message_id=told.get("messageId"),
        send_time=told.get("sendTime"),
        event_type=told.get("eventType"),
        suggestion_response=_part(told, "suggestionResponse"),
        publish_time=pushed.publish_time,
        text=text,
    )


def _part(told: dict[str, Any], name: str) -> dict[str, Any] | None:
    part = told.get(name)
    return part if isinstance(part, dict) else None


def _is_known(event: _Event) -> bool:
    return any(
        part is not None
        for part in (
            event.message,
            event.suggestion_response,
            event.survey_response,
            event.authentication_response,
            event.user_status,
            event.receipts,
        )
    )


def _key(told: _Event | _RcsEvent) -> Key | None:
    if isinstance(told, _RcsEvent):
        agent, conversation = text_id(told.agent_id), text_id(told.sender_phone_number)
    else:
        named = _AGENT.search(told.agent) if isinstance(told.agent, str) else None
        agent = named[2] if named else None
        conversation = text_id(told.conversation_id)
    return Key(_SOURCE, agent, conversation) if agent and conversation else None


def _business_message(event: _Event, key: Key) -> Parsed:
    events: list[SourceEvent] = []
    ignored: list[str] = []
    wants_agent = (event.user_status or {}).get("requestedLiveAgent") is True
    if _is_message(event) or wants_agent:
        events.append(_received(event, key))
    elif event.receipts is not None:
        events += _receipts(event, key)
    else:
        ignored.append("not a message event")
    values = _told_values(event, wants_agent=wants_agent)
    if values:
        events.append(Described(key, values))
    return Parsed(events, ignored)


def _is_message(event: _Event) -> bool:
    return (
        event.message is not None
        or event.suggestion_response is not None
        or event.survey_response is not None
        or event.authentication_response is not None
    )


def _received(event: _Event, key: Key) -> Received:
    identity = text_id((event.message or {}).get("messageId")) or text_id(event.request_id)
    content = json_text.compact(event.text)
    return Received(
        key,
        identity if identity is not None else json_text.canonical(event.text),
        identity,
        instant_of_text(event.send_time),
        from_contact=True,
        sender_id=key.conversation,
        content=content,
        headers=_postback(event.suggestion_response),
    )


def _postback(response: dict[str, Any] | None) -> dict[str, str] | None:
    if response is None:
        return None
    payload = response.get("postbackData")
    return {"postback.payload": payload if isinstance(payload, str) else _EMPTY_PAYLOAD}


def _receipts(event: _Event, key: Key) -> list[SourceEvent]:
    told = (event.receipts or {}).get("receipts")
    receipts: list[SourceEvent] = []
    for each in told if isinstance(told, list) else []:
        try:
            receipt = msgspec.convert(each, _Receipt)
        except msgspec.ValidationError:
            continue
        message = receipt.message.rpartition("/messages/")[2]
        if receipt.receipt_type in ("DELIVERED", "READ") and message:
            receipts.append(Receipt(key, receipt.receipt_type == "READ", (message,)))
    return receipts


def _told_values(event: _Event, *, wants_agent: bool) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    user = (event.context or {}).get("userInfo")
    name = user.get("displayName") if isinstance(user, dict) else None
    if isinstance(name, str) and name:
        values["contact.display_name"] = json_text.quote(name)
    if wants_agent:
        values["state"] = b'"OPEN"'
    return values


def _rcs(event: _RcsEvent, key: Key) -> Parsed:
    identity = text_id(event.message_id)
    if event.event_type is not None:
        if event.event_type in ("DELIVERED", "READ") and identity is not None:
            return Parsed([Receipt(key, event.event_type == "READ", (identity,))], [])
        return Parsed([], ["not a message event"])
    sent_at = instant_of_text(event.send_time)
    received = Received(
        key,
        identity if identity is not None else json_text.canonical(event.text),
        identity,
        instant_of_text(event.publish_time) if sent_at is None else sent_at,
        from_contact=True,
        sender_id=key.conversation,
        content=json_text.compact(event.text),
        headers=_postback(event.suggestion_response),
    )
    return Parsed([received], [])
