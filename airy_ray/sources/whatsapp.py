"""WhatsApp, through Meta's Cloud API. https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/.

Contract: sources §3.

```
{"object": "whatsapp_business_account", "entry": [{"changes": [CHANGE, …]}]}
CHANGE  = {"field": "messages", "value": {
           "metadata": {"phone_number_id"},
           "contacts": [CONTACT, …], "messages": [MESSAGE, …], "statuses": [STATUS, …]}}
CONTACT = {"wa_id" and/or "user_id", "profile": {"name", "username"}}
MESSAGE = {"from" or "from_user_id", "id", "timestamp": "<s>", "type", <type>: {…}}
STATUS  = {"recipient_id" and/or "recipient_user_id", "id", "status", "timestamp": "<s>", "errors"}
```

A contact is known by the phone number or, if that is hidden, by an id that holds for one business
only; one body may tell which number an id belongs to.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError
from airy_ray.model import json_text
from airy_ray.sources.json_parts import array_of, elements, members, object_of, scalar
from airy_ray.sources.meta import MetaSignature, instant_of_seconds
from airy_ray.sources.source import (
    Cut,
    Described,
    Failed,
    Key,
    Linked,
    Parsed,
    Reacted,
    Receipt,
    Received,
    Replaced,
    SourceEvent,
    Webhook,
    text_id,
)

SOURCE = "whatsapp"
_OBJECT = "whatsapp_business_account"
_FIELD = "messages"
_WRAPPED = "whatsapp_business_api_data"
"""What some business partners wrap a value in."""
_CONTACT_IDS = ("wa_id", "user_id")
_SENDERS = ("from", "from_user_id")
_RECIPIENTS = ("recipient_id", "recipient_user_id")
"""Where each kind of part says who the contact is: by phone number, by an id of the business."""
_PARTIES = {"messages": _SENDERS, "statuses": _RECIPIENTS, "contacts": _CONTACT_IDS}
_RECEIPTS = {"delivered": False, "read": True, "played": True}
"""The states of a message of ours that are receipts, and whether they say that it was seen."""
_REPLACEMENTS = ("edit", "revoke")
"""Types of messages that say how another one is from now on."""


class Whatsapp:
    """The webhook of a Meta app, for all of its phone numbers."""

    hook = SOURCE

    def __init__(self, app_secret: str, *, allow_legacy_sha1: bool = False) -> None:
        self._signature = MetaSignature(self.hook, app_secret, allow_legacy_sha1=allow_legacy_sha1)

    def verify(self, webhook: Webhook) -> None:
        """Raise `SignatureError` unless Meta signed exactly this body."""
        self._signature.check(webhook)

    def routes(self, webhook: Webhook) -> list[Key]:
        """Return the conversations of all that a body tells of, also of what says nothing to us."""
        keys = (
            key
            for change in _changes(webhook.body, [])
            for kind in _PARTIES
            for part in change.parts(kind)
            for key in change.keys(kind, part)
        )
        return list(dict.fromkeys(keys))

    def kept_headers(self, webhook: Webhook) -> dict[str, str] | None:
        """Return nothing: the body says it all."""
        return None


def parse(webhook: Webhook) -> Parsed:
    """Return what a body says: messages, how ours got on, and what people are called."""
    ignored: list[str] = []
    events: list[SourceEvent] = []
    for change in _changes(webhook.body, ignored):
        if not any(change.parts(kind) for kind in _PARTIES):
            ignored.append("errors only" if "errors" in change.value else "no messages")
        for text in change.parts("messages"):
            events += _message(change, text, ignored)
        for text in change.parts("statuses"):
            events += _status(change, text, ignored)
        for text in change.parts("contacts"):
            events += _contact(change, text)
        events += change.links()
    return Parsed(events, ignored)


def is_alias(contact: str) -> bool:
    """Whether a contact is named by the id of who hides the phone number."""
    return not contact.isdecimal()


def without(body: bytes, cut: Cut) -> bytes | None:
    """Return a body without what goes, all else as it came; None if nothing is left."""
    told = members(json_text.shield(body))
    entries = None if told is None else elements(told.get("entry"))
    if told is None or entries is None:
        return None if cut.names(body) else body
    kept = [_entry_without(entry, cut) for entry in entries]
    if kept == entries:
        return body
    left = [entry for entry in kept if entry is not None]
    if not left:
        return None
    return json_text.unshield(object_of(told | {"entry": array_of(left)}))


class _Change:
    """What is told of one of our phone numbers.

    Attributes:
        value: its members, as text.
    """

    def __init__(self, phone_number: str, value: dict[str, bytes]) -> None:
        self.value = value
        self._phone_number = phone_number
        self._number_of = self._numbers()

    def parts(self, kind: str) -> list[bytes]:
        """Return the messages, statuses or contacts."""
        return elements(self.value.get(kind)) or []

    def keys(self, kind: str, text: bytes) -> list[Key]:
        """Return the conversations that a part may belong to, the likelier one first.

        That is one, but for statuses: the message was sent to the number, or to the id.
        """
        number, known_as = _names(kind, text)
        linked = None if known_as is None else self._number_of.get(known_as)
        contacts = [each for each in (number, linked, known_as) if each is not None]
        found = [self._key(each) for each in dict.fromkeys(contacts)]
        return found if kind == "statuses" else found[:1]

    def links(self) -> list[Linked]:
        """Return which contacts are known by number and by id."""
        return [Linked(self._key(number), known_as) for known_as, number in self._number_of.items()]

    def _key(self, contact: str) -> Key:
        return Key(SOURCE, self._phone_number, contact)

    def _numbers(self) -> dict[str, str]:
        """Return the phone numbers of contacts whose id stands beside it."""
        found = {}
        for kind in _PARTIES:
            for text in self.parts(kind):
                number, known_as = _names(kind, text)
                if number is not None and known_as is not None:
                    found[known_as] = number
        return found


def _names(kind: str, text: bytes) -> list[str | None]:
    """Return the phone number and the id of a part's contact."""
    told = members(text) or {}
    return [text_id(scalar(told.get(name))) for name in _PARTIES[kind]]


class _Body(msgspec.Struct, gc=False):
    object: Any = None
    entry: msgspec.Raw = msgspec.Raw()


_decode_body = msgspec.json.Decoder(_Body).decode


def _changes(text: bytes, ignored: list[str]) -> Iterator[_Change]:
    """Yield the changes that we read, adding to `ignored` why others are left out."""
    body = _body(text)
    if body.object != _OBJECT:
        ignored.append("object")
        return
    entries = elements(bytes(body.entry))
    if not entries:
        ignored.append("no entry")
    for entry in entries or ():
        changes = elements((members(entry) or {}).get("changes"))
        if changes is None:
            ignored.append("malformed entry")
        for told in changes or ():
            change = _change(told)
            if isinstance(change, str):
                ignored.append(change)
            else:
                yield change


def _body(text: bytes) -> _Body:
    if not json_text.is_utf8(text):
        raise PayloadError("not UTF-8")
    if json_text.nests_too_deep(text):
        raise PayloadError("nested too deep")
    try:
        return _decode_body(json_text.shield(text))
    except msgspec.ValidationError:
        raise PayloadError("not an object") from None
    except (msgspec.DecodeError, RecursionError):
        raise PayloadError("not JSON") from None


def _change(text: bytes) -> _Change | str:
    """Return a change, or why it is left out."""
    told = members(text)
    if told is None:
        return "malformed change"
    if scalar(told.get("field")) != _FIELD:
        return "field"
    value = _unwrapped(members(told.get("value")) or {})
    metadata = members(value.get("metadata")) or {}
    named = (text_id(scalar(each.get("phone_number_id"))) for each in (metadata, value))
    phone_number = next((each for each in named if each is not None), None)
    return "no phone number" if phone_number is None else _Change(phone_number, value)


def _unwrapped(value: dict[str, bytes]) -> dict[str, bytes]:
    inner = members(value.get(_WRAPPED))
    return value if inner is None else inner


def _message(change: _Change, text: bytes, ignored: list[str]) -> list[SourceEvent]:
    told = members(text) or {}
    keys = change.keys("messages", text)
    identity = text_id(scalar(told.get("id")))
    if text_id(scalar(told.get("group_id"))) is not None:
        ignored.append("group")
        return []
    if not keys or identity is None:
        ignored.append("no contact id" if identity is not None else "no message id")
        return []
    at = instant_of_seconds(scalar(told.get("timestamp")))
    kind = scalar(told.get("type"))
    if kind == "reaction":
        return _reaction(keys[0], told, at, ignored)
    if kind in _REPLACEMENTS:
        return _replacement(keys[0], told, kind, text, at, ignored)
    return [_received(keys[0], identity, text, at)]


def _received(key: Key, identity: str, text: bytes, at: Millis | None) -> Received:
    return Received(
        key,
        identity,
        identity,
        at,
        from_contact=True,
        sender_id=key.conversation,
        content=json_text.unshield(json_text.compact(text)),
    )


def _reaction(
    key: Key, told: dict[str, bytes], at: Millis | None, ignored: list[str]
) -> list[SourceEvent]:
    reaction = members(told.get("reaction")) or {}
    target = text_id(scalar(reaction.get("message_id")))
    if target is None:
        ignored.append("reaction to nothing")
        return []
    return [Reacted(key, target, text_id(scalar(reaction.get("emoji"))), at)]


def _replacement(
    key: Key,
    told: dict[str, bytes],
    kind: str,
    text: bytes,
    at: Millis | None,
    ignored: list[str],
) -> list[SourceEvent]:
    """Return that another message was edited or deleted: it is what this one says."""
    original = text_id(scalar((members(told.get(kind)) or {}).get("original_message_id")))
    if original is None:
        ignored.append(f"{kind} of nothing")
        return []
    return [Replaced(_received(key, original, text, at), at)]


def _status(change: _Change, text: bytes, ignored: list[str]) -> list[SourceEvent]:
    told = members(text) or {}
    keys = change.keys("statuses", text)
    name = text_id(scalar(told.get("id")))
    status = scalar(told.get("status"))
    if not keys or name is None:
        ignored.append("status of nothing")
        return []
    if status == "failed":
        reason, answer = _failure(told.get("errors"))
        return [Failed(key, name, reason, answer) for key in keys]
    if isinstance(status, str) and status in _RECEIPTS:
        return [Receipt(key, _RECEIPTS[status], (name,)) for key in keys]
    ignored.append("status without consequence")
    return []


def _failure(errors: bytes | None) -> tuple[str, str]:
    """Return why a message failed, for people and as it came."""
    answer = json_text.unshield(json_text.compact(errors or b"[]")).decode()
    first = next(iter(elements(errors) or ()), None)
    told = members(first) or {}
    texts = [scalar(told.get(name)) for name in ("message", "title")]
    reason = next((each for each in texts if isinstance(each, str) and each), "WhatsApp error")
    details = scalar((members(told.get("error_data")) or {}).get("details"))
    return (f"{reason}: {details}" if isinstance(details, str) and details else reason), answer


def _contact(change: _Change, text: bytes) -> list[SourceEvent]:
    """Return what somebody is called; who hides that has a user name."""
    keys = change.keys("contacts", text)
    profile = members((members(text) or {}).get("profile")) or {}
    names = (scalar(profile.get(name)) for name in ("name", "username"))
    name = next((each for each in names if isinstance(each, str) and each), None)
    if not keys or name is None:
        return []
    return [Described(keys[0], {"contact.display_name": json_text.quote(name)})]


def _entry_without(text: bytes, cut: Cut) -> bytes | None:
    """Return an entry without what goes; None if that leaves nothing."""
    told = members(text)
    changes = None if told is None else elements(told.get("changes"))
    if told is None or changes is None:
        return None if cut.names(text) else text
    kept = [_change_without(change, cut) for change in changes]
    if kept == changes:
        return text
    left = [change for change in kept if change is not None]
    return object_of(told | {"changes": array_of(left)}) if left else None


def _change_without(text: bytes, cut: Cut) -> bytes | None:
    """Return a change without what goes; None if that leaves nothing."""
    told = members(text) or {}
    change = _change(text)
    if isinstance(change, str):
        return None if cut.names(text) else text
    kept = _value_without(change, cut)
    if kept == change.value:
        return text
    if not any(elements(kept.get(kind)) for kind in _PARTIES):
        return None
    value = members(told["value"]) or {}
    changed = value | {_WRAPPED: object_of(kept)} if _WRAPPED in value else kept
    return object_of(told | {"value": object_of(changed)})


def _value_without(change: _Change, cut: Cut) -> dict[str, bytes]:
    """Return the members of a value without what goes."""
    kept: dict[str, bytes] = {}
    for name, text in change.value.items():
        parts = change.parts(name) if name in _PARTIES else None
        if not parts:
            if name == "metadata" or not cut.names(text):
                kept[name] = text
            continue
        left = [part for part in parts if not _goes(change, name, part, cut)]
        kept[name] = text if len(left) == len(parts) else array_of(left)
    return kept


def _goes(change: _Change, kind: str, text: bytes, cut: Cut) -> bool:
    """Whether a part goes: by its conversation, or for want of one by whom it names."""
    at = instant_of_seconds(scalar((members(text) or {}).get("timestamp")))
    keys = change.keys(kind, text)
    return any(cut.takes(key, at) for key in keys) if keys else cut.names(text)
