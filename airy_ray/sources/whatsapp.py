"""WhatsApp, through Meta's Cloud API. https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/.

Contract: sources §3. The form of bodies: `whatsapp_changes`.
"""

import re
from functools import partial

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.sources import whatsapp_changes as wire
from airy_ray.sources.json_parts import array_of, elements, members, object_of, scalar
from airy_ray.sources.meta import MetaSignature, array_without, body_without
from airy_ray.sources.source import (
    Cut,
    Described,
    Failed,
    Key,
    Parsed,
    Reacted,
    Receipt,
    Received,
    Replaced,
    SourceEvent,
    Webhook,
    instant_of_seconds,
    text_id,
)

_WRITTEN_NUMBER = re.compile(r"\+?[0-9 ()/.-]*[0-9][0-9 ()/.-]*")
_NO_DIGITS = re.compile(r"[^0-9]")
_RECEIPTS = {"delivered": False, "read": True, "played": True}
"""The states of a message of ours that are receipts, and whether they say that it was seen."""


class Whatsapp:
    """The webhook of a Meta app, for all of its phone numbers."""

    hook = wire.SOURCE

    def __init__(self, app_secret: str, *, allow_legacy_sha1: bool = False) -> None:
        self._signature = MetaSignature(self.hook, app_secret, allow_legacy_sha1=allow_legacy_sha1)

    def verify(self, webhook: Webhook) -> None:
        """Raise `SignatureError` unless Meta signed exactly this body."""
        self._signature.check(webhook)

    def routes(self, webhook: Webhook) -> list[Key]:
        """Return the conversations of all that a body tells of, also of what says nothing to us.

        Of a contact with two names it is both, for either may come alone.
        """
        changes = wire.changes(webhook.body, [])
        keys = [
            key for change in changes for _, told in change.parts() for key in change.keys(told)
        ]
        linked = [link.key for change in changes for link in change.links()]
        return list(dict.fromkeys(keys + linked))

    def kept_headers(self, webhook: Webhook) -> dict[str, str] | None:
        """Return nothing: the body says it all."""
        return None


def parse(webhook: Webhook) -> Parsed:
    """Return what a body says: messages, how ours got on, and what people are called."""
    ignored: list[str] = []
    events: list[SourceEvent] = []
    for change in wire.changes(webhook.body, ignored):
        if not change.parts():
            ignored.append("no messages")
        for text, told in change.parts():
            match told:
                case wire.Message():
                    events += _message(change, told, text, ignored)
                case wire.Status():
                    events += _status(change, told, ignored)
                case wire.Contact():
                    events += _contact(change, told)
        events += change.links()
    return Parsed(events, ignored)


def contact_of(recipient: str) -> str:
    """Return what WhatsApp calls a contact, however people write the phone number."""
    if _WRITTEN_NUMBER.fullmatch(recipient) is None:
        return recipient
    return _NO_DIGITS.sub("", recipient)


def is_alias(contact: str) -> bool:
    """Whether a contact is named by the id of who hides the phone number."""
    return not contact.isdecimal()


def without(body: bytes, cut: Cut) -> bytes | None:
    """Return a body without what goes, all else as it came; None if nothing is left."""
    return body_without(body, cut, partial(_entry_without, wire.numbers_in(body)))


def _message(
    change: wire.Change, told: wire.Message, text: bytes, ignored: list[str]
) -> list[SourceEvent]:
    keys, identity = change.keys(told), text_id(told.id)
    if text_id(told.group_id) is not None:
        ignored.append("group")
        return []
    if not keys or identity is None:
        ignored.append("no message id" if keys else "no contact id")
        return []
    key, at = keys[0], instant_of_seconds(told.timestamp)
    match told.type:
        case "reaction":
            return _reaction(key, told.reaction, at, ignored)
        case "edit":
            return _replacement(key, told.edit, text, at, ignored)
        case "revoke":
            return _replacement(key, told.revoke, text, at, ignored)
        case _:
            return [_received(key, identity, text, at)]


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


def _reaction(key: Key, text: bytes, at: Millis | None, ignored: list[str]) -> list[SourceEvent]:
    reaction = members(text) or {}
    target = text_id(scalar(reaction.get("message_id")))
    if target is None:
        ignored.append("reaction to nothing")
        return []
    return [Reacted(key, target, text_id(scalar(reaction.get("emoji"))), at)]


def _replacement(
    key: Key, what: bytes, text: bytes, at: Millis | None, ignored: list[str]
) -> list[SourceEvent]:
    """Return that another message was edited or deleted: it is what this one says."""
    original = text_id(scalar((members(what) or {}).get("original_message_id")))
    if original is None:
        ignored.append("change of nothing")
        return []
    return [Replaced(_received(key, original, text, at), at)]


def _status(change: wire.Change, told: wire.Status, ignored: list[str]) -> list[SourceEvent]:
    keys, name = change.keys(told), text_id(told.id)
    if not keys or name is None:
        ignored.append("status of nothing")
        return []
    if told.status == "failed":
        reason, answer = _failure(bytes(told.errors))
        return [Failed(key, name, reason, answer) for key in keys]
    if isinstance(told.status, str) and told.status in _RECEIPTS:
        return [Receipt(key, _RECEIPTS[told.status], (name,)) for key in keys]
    ignored.append("status without consequence")
    return []


def _failure(errors: bytes) -> tuple[str, str]:
    """Return why a message failed, for people and as it came."""
    answer = json_text.unshield(json_text.compact(errors or b"[]")).decode()
    first = next(iter(elements(errors) or ()), None)
    told = members(first) or {}
    texts = [scalar(told.get(name)) for name in ("message", "title")]
    reason = next((each for each in texts if isinstance(each, str) and each), "WhatsApp error")
    details = scalar((members(told.get("error_data")) or {}).get("details"))
    return (f"{reason}: {details}" if isinstance(details, str) and details else reason), answer


def _contact(change: wire.Change, told: wire.Contact) -> list[SourceEvent]:
    keys, name = change.keys(told), wire.name_of(told)
    if not keys or name is None:
        return []
    return [Described(keys[0], {"contact.display_name": json_text.quote(name)})]


def _entry_without(numbers: wire.Numbers, text: bytes, cut: Cut) -> bytes | None:
    """Return an entry without what goes; None if that leaves nothing."""
    return array_without(text, "changes", cut, partial(_change_without, numbers))


def _change_without(numbers: wire.Numbers, text: bytes, cut: Cut) -> bytes | None:
    """Return a change without what goes; None if that leaves nothing."""
    change = wire.change_of(text)
    if isinstance(change, str):
        return None if cut.names(text) else text
    change.numbers = numbers
    told = members(text) or {}
    value = members(told["value"]) or {}
    inner = members(value.get(wire.WRAPPED))
    before = value if inner is None else inner
    kept = _value_without(change, before, cut)
    if kept == before:
        return text
    if not any(elements(kept.get(kind)) for kind in wire.PARTS):
        return None
    changed = kept if inner is None else value | {wire.WRAPPED: object_of(kept)}
    return object_of(told | {"value": object_of(changed)})


def _value_without(change: wire.Change, value: dict[str, bytes], cut: Cut) -> dict[str, bytes]:
    """Return the members of a value without what goes."""
    kept: dict[str, bytes] = {}
    for name, text in value.items():
        parts = elements(text) if name in wire.PARTS else None
        if not parts:
            if name == "metadata" or not cut.names(text):
                kept[name] = text
            continue
        left = [part for part in parts if not _goes(change, wire.part(name, part), part, cut)]
        kept[name] = text if len(left) == len(parts) else array_of(left)
    return kept


def _goes(change: wire.Change, told: wire.Told, text: bytes, cut: Cut) -> bool:
    """Whether a part goes: by its conversation, or for want of one by whom it names."""
    at, keys = instant_of_seconds(told.timestamp), change.keys(told)
    return any(cut.takes(key, at) for key in keys) if keys else cut.names(text)
