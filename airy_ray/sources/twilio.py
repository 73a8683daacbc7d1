"""Twilio: SMS and WhatsApp, which share a webhook. https://www.twilio.com/docs/messaging/guides/webhook-request.

Contract: sources §4. A body is a form. It tells of one message: one that came in, or how far one
of ours has got (`MessageStatus`). Which of the two sources it belongs to shows in our number.
"""

import hmac
import re
from base64 import b64encode
from hashlib import sha256
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from airy_ray.errors import PayloadError, SignatureError
from airy_ray.model import json_text
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
)

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
_WHATSAPP = "whatsapp:"
_BODY_HASH = "bodySHA256"
_DEFAULT_PORTS = {"https": ":443", "http": ":80"}
_PORT = re.compile(r":\d+$")
_SIDS = ("MessageSid", "SmsMessageSid", "SmsSid")
_PAYLOADS = ("ButtonPayload", "ListId")
_RECEIPTS = {"delivered": False, "read": True}
"""The states of a message of ours that are receipts, and whether they say that it was seen."""
_FAILURES = ("failed", "undelivered")


class Twilio:
    """The webhook of a Twilio account, for all of its numbers."""

    hook = "twilio"

    def __init__(self, auth_token: str) -> None:
        self._keyed = hmac.new(auth_token.encode(), digestmod="sha1")

    def verify(self, webhook: Webhook) -> None:
        """Raise `SignatureError` unless Twilio signed this body for the URL that was called."""
        claimed = webhook.headers.get("x-twilio-signature", "").encode()
        signed = _signed_part(webhook)
        is_right = signed is not None and any(
            hmac.compare_digest(self._signature(url, signed), claimed) for url in _urls(webhook)
        )
        if not is_right:
            raise SignatureError(self.hook)

    def routes(self, webhook: Webhook) -> list[Key]:
        """Return the conversation that a body belongs to."""
        key = _key(_fields(webhook.body))
        return [] if key is None else [key]

    def kept_headers(self, webhook: Webhook) -> dict[str, str] | None:
        """Return nothing: the body says it all."""
        return None

    def _signature(self, url: str, signed: bytes) -> bytes:
        hashed = self._keyed.copy()
        hashed.update(url.encode() + signed)
        return b64encode(hashed.digest())


def parse(webhook: Webhook) -> Parsed:
    """Return what a form says: a message, or what became of one of ours."""
    told = _fields(webhook.body)
    key = _key(told)
    if key is None:
        return Parsed([], ["no To or From"])
    if _is_callback(told):
        return _callback(told, key, webhook.body)
    events: list[SourceEvent] = [_received(told, key, webhook.body)]
    if told.get("ProfileName"):
        events.append(
            Described(key, {"contact.display_name": json_text.quote(told["ProfileName"])})
        )
    return Parsed(events, [])


def without(body: bytes, cut: Cut) -> bytes | None:
    """Return a body, or None if what it says goes; it says one thing only."""
    try:
        told = _fields(body)
    except PayloadError:
        return None if cut.names(body) else body
    key = _key(told)
    if key is None:
        said = json_text.encode([list(pair) for pair in _pairs(body)])
        return None if cut.names(body) or cut.names(said) else body
    return None if cut.takes(key, None) else body


def _signed_part(webhook: Webhook) -> bytes | None:
    """Return what is signed after the URL; None if the URL speaks of another body."""
    if not webhook.headers.get("content-type", "").lower().startswith(JSON):
        return _signed_fields(webhook.body)
    query = dict(parse_qsl(urlsplit(webhook.url).query, keep_blank_values=True))
    hashed = sha256(webhook.body).hexdigest()
    if not hmac.compare_digest(query.get(_BODY_HASH, "").encode(), hashed.encode()):
        return None
    return b""


def _signed_fields(body: bytes) -> bytes:
    """Return the names and values of a form, sorted; of repeated names each value once."""
    pairs = set()
    for part in body.split(b"&"):
        if part:
            name, _, value = part.replace(b"+", b" ").partition(b"=")
            pairs.add((unquote_to_bytes(name), unquote_to_bytes(value)))
    return b"".join(name + value for name, value in sorted(pairs))


def _urls(webhook: Webhook) -> list[str]:
    """Return the URL that was called with and without its default port; either may be signed."""
    parts = urlsplit(webhook.url)
    port = _DEFAULT_PORTS.get(parts.scheme, "")
    host = parts.netloc.removesuffix(port)
    if _PORT.search(host) or not port:
        return [webhook.url]
    return [webhook.url.replace(parts.netloc, each, 1) for each in (host, host + port)]


def _pairs(body: bytes) -> list[tuple[str, str]]:
    if not json_text.is_utf8(body):
        raise PayloadError("not UTF-8")
    return parse_qsl(body.decode(), keep_blank_values=True)


def _fields(body: bytes) -> dict[str, str]:
    """Return the fields of a form; of repeated ones the first."""
    return dict(reversed(_pairs(body)))


def _is_callback(told: dict[str, str]) -> bool:
    return told.get("MessageStatus", "received") != "received"


def _key(told: dict[str, str]) -> Key | None:
    """Return the conversation: our number, which says which source it is, and the contact's."""
    ours, theirs = ("From", "To") if _is_callback(told) else ("To", "From")
    number, contact = told.get(ours), told.get(theirs)
    if not number or not contact:
        return None
    source = "twilio.whatsapp" if number.startswith(_WHATSAPP) else "twilio.sms"
    return Key(source, number, contact)


def _sid(told: dict[str, str]) -> str | None:
    return next((told[name] for name in _SIDS if told.get(name)), None)


def _received(told: dict[str, str], key: Key, body: bytes) -> Received:
    """Return the message; Twilio does not say when it was sent."""
    sid = _sid(told)
    text = body.decode()
    payload = next((told[name] for name in _PAYLOADS if told.get(name)), None)
    return Received(
        key,
        text if sid is None else sid,
        sid,
        None,
        from_contact=True,
        sender_id=key.conversation,
        content=json_text.quote(text),
        headers=None if payload is None else {"postback.payload": payload},
    )


def _callback(told: dict[str, str], key: Key, body: bytes) -> Parsed:
    sid, status = _sid(told), told["MessageStatus"]
    if sid is None:
        return Parsed([], ["status of nothing"])
    if status in _RECEIPTS:
        return Parsed([Receipt(key, _RECEIPTS[status], (sid,))], [])
    if status in _FAILURES:
        reason = told.get("ErrorMessage") or f"Twilio error {told.get('ErrorCode', 'unknown')}"
        return Parsed([Failed(key, sid, reason, body.decode())], [])
    return Parsed([], ["status without consequence"])
