"""Messenger and Instagram, which share a webhook. https://developers.facebook.com/docs/messenger-platform/.

Contract: sources §1 and §2.

```
{"object": "page" | "instagram", "entry": [ENTRY, …]}
ENTRY = {"id": <page or account>, "time": <ms>, "messaging" | "standby": [ITEM, …], "changes": […]}
ITEM  = {"sender": {"id"}, "recipient": {"id"}, "timestamp": <ms>,
         one of message | postback | reaction | delivery | read | …}
```
"""

import re
from functools import partial
from typing import Any

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError
from airy_ray.model import json_text
from airy_ray.sources import facebook_history
from airy_ray.sources.json_parts import array_of, elements, members, object_of, scalar
from airy_ray.sources.meta import MetaSignature, body_without
from airy_ray.sources.source import (
    Cut,
    Key,
    Parsed,
    Reacted,
    Receipt,
    Received,
    Replaced,
    SourceEvent,
    Webhook,
    instant,
    instant_of_seconds,
    text_id,
)

APP_ID = "x-airy-app-id"
"""The kept header that tells which app's echoes are our own."""

_SOURCES = {"page": "facebook", "instagram": "instagram"}
_NO_MESSAGE_EVENT = "not a message event"
_EMPTY_PAYLOAD = "__empty__"
_EMOJI_OF_REACTION = {
    "love": "❤️",
    "like": "👍",
    "dislike": "👎",
    "smile": "😆",
    "laugh": "😆",
    "sad": "😢",
    "angry": "😡",
    "wow": "😮",
}
_CODE_POINT = re.compile(r"\\u(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{4}))")


class Facebook:
    """The webhook of a Meta app that serves Messenger pages and Instagram accounts."""

    hook = "facebook"

    def __init__(
        self, app_secret: str, *, app_id: str | None = None, allow_legacy_sha1: bool = False
    ) -> None:
        self._signature = MetaSignature(self.hook, app_secret, allow_legacy_sha1=allow_legacy_sha1)
        self._kept = None if app_id is None else {APP_ID: app_id}

    def verify(self, webhook: Webhook) -> None:
        """Raise `SignatureError` unless Meta signed exactly this body."""
        self._signature.check(webhook)

    def routes(self, webhook: Webhook) -> list[Key]:
        """Return the conversations that the items of a body belong to."""
        keys = (_key(part) for part in _items(webhook.body, []) if _is_known_kind(part.item))
        return [key for key in dict.fromkeys(keys) if key is not None]

    def kept_headers(self, webhook: Webhook) -> dict[str, str] | None:
        """Return whose echoes are our own, if there is an echo."""
        return self._kept if b"is_echo" in webhook.body else None


def parse(webhook: Webhook) -> Parsed:
    """Return what a body of Messenger or Instagram says, oldest first."""
    if facebook_history.PAGE in webhook.headers:
        return facebook_history.parse(webhook)
    if json_text.nests_too_deep(webhook.body):
        raise PayloadError("nested too deep")
    own_app = webhook.headers.get(APP_ID)
    ignored: list[str] = []
    events: list[SourceEvent] = []
    for part in _items(webhook.body, ignored):
        events += _events(part, own_app, ignored)
    return Parsed(events, ignored)


def without(body: bytes, cut: Cut) -> bytes | None:
    """Return a body without the items that go, all others as they came; None if none is left."""
    if facebook_history.PAGE in cut.headers:
        return facebook_history.without(body, cut)
    source = _source_of(members(json_text.shield(body)) or {})
    return body_without(body, cut, partial(_entry_without, source))


_ABSENT = msgspec.Raw()


class _Party(msgspec.Struct, gc=False):
    id: str | int | None = None


class _Message(msgspec.Struct, gc=False):
    mid: str | int | None = None
    is_echo: Any = None
    is_deleted: Any = None
    app_id: str | int | None = None


class _Postback(msgspec.Struct, gc=False):
    mid: str | int | None = None
    payload: str | None = None
    referral: msgspec.Raw = _ABSENT


class _Reaction(msgspec.Struct, gc=False):
    mid: str | int | None = None
    action: Any = None
    reaction: Any = None
    emoji: str | None = None


class _Delivery(msgspec.Struct, gc=False):
    mids: list[Any] | None = None
    watermark: int | float | None = None


class _Read(msgspec.Struct, gc=False):
    mid: str | int | None = None
    watermark: int | float | None = None


class _Item(msgspec.Struct, gc=False):
    sender: _Party | None = None
    recipient: _Party | None = None
    timestamp: Any = None
    message: _Message | None = None
    postback: _Postback | None = None
    reaction: _Reaction | None = None
    delivery: _Delivery | None = None
    read: _Read | None = None


class _Entry(msgspec.Struct, gc=False):
    id: str | int | None = None
    time: Any = None
    messaging: list[msgspec.Raw] | None = None
    standby: list[msgspec.Raw] | None = None
    changes: list[msgspec.Raw] | None = None


class _Change(msgspec.Struct, gc=False):
    field: str
    value: msgspec.Raw


class _Body(msgspec.Struct, gc=False):
    object: Any = None
    entry: list[_Entry] | None = None


class _LooseBody(msgspec.Struct, gc=False):
    """A body some of whose entries are not what Meta sends."""

    object: Any = None
    entry: list[msgspec.Raw] | None = None


class _Part(msgspec.Struct, gc=False):
    """One item, where it stood, and its text."""

    source: str
    account: str
    entry_time: Any
    item: _Item
    text: bytes


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_loose_body = msgspec.json.Decoder(_LooseBody).decode
_decode_entry = msgspec.json.Decoder(_Entry).decode
_decode_item = msgspec.json.Decoder(_Item).decode
_decode_change = msgspec.json.Decoder(_Change).decode


def _items(text: bytes, ignored: list[str]) -> list[_Part]:
    """Return the items of a body in order, adding to `ignored` why others are left out."""
    parts: list[_Part] = []
    body = _body(text)
    source = _SOURCES.get(body.object) if isinstance(body.object, str) else None
    if source is None:
        ignored.append("object")
        return parts
    if not body.entry:
        ignored.append("no entry")
    for given in body.entry or ():
        try:
            entry = given if isinstance(given, _Entry) else _decode_entry(given)
        except msgspec.DecodeError:
            ignored.append("malformed entry")
            continue
        account = text_id(entry.id)
        if account is None:
            ignored.append("entry without id")
            continue
        raw_items = entry.standby if entry.messaging is None else entry.messaging
        is_in_seconds = raw_items is None
        if raw_items is None:
            raw_items = _changed_items(source, entry, ignored)
        for raw_item in raw_items:
            try:
                item = _decode_item(raw_item)
            except msgspec.DecodeError:
                ignored.append("malformed item")
                continue
            if is_in_seconds:
                item.timestamp = instant_of_seconds(item.timestamp)
            parts.append(_Part(source, account, entry.time, item, bytes(raw_item)))
    return parts


def _body(text: bytes) -> _Body | _LooseBody:
    if not json_text.is_utf8(text):
        raise PayloadError("not UTF-8")
    try:
        return _decode_body(text)
    except RecursionError:
        raise PayloadError("nested too deep") from None
    except msgspec.ValidationError:
        pass
    except msgspec.DecodeError:
        text = json_text.shield(text)
    try:
        return _decode_loose_body(text)
    except msgspec.ValidationError:
        raise PayloadError("not what Meta sends") from None
    except (msgspec.DecodeError, RecursionError):
        raise PayloadError("not JSON") from None


def _changed_items(source: str, entry: _Entry, ignored: list[str]) -> list[msgspec.Raw]:
    """Return the items that newer Instagram apps get as changes, their times in seconds."""
    items = []
    for raw in entry.changes or ():
        try:
            change = _decode_change(raw)
        except msgspec.DecodeError:
            change = None
        if source == "instagram" and change is not None and change.field == "messages":
            items.append(change.value)
        else:
            ignored.append("changes")
    return items


def _is_known_kind(item: _Item) -> bool:
    return (
        item.message is not None
        or item.postback is not None
        or item.reaction is not None
        or item.delivery is not None
        or item.read is not None
    )


def _key(part: _Part) -> Key | None:
    """Return the conversation of an item: the party that is not our page."""
    item = part.item
    sender = None if item.sender is None else text_id(item.sender.id)
    message = item.message
    is_ours = sender == part.account or (message is not None and message.is_echo is True)
    party = (None if item.recipient is None else text_id(item.recipient.id)) if is_ours else sender
    return None if party is None else Key(part.source, part.account, party)


def _events(part: _Part, own_app: str | None, ignored: list[str]) -> list[SourceEvent]:
    item = part.item
    key = _key(part)
    if key is None:
        ignored.append("no contact id" if _is_known_kind(item) else _NO_MESSAGE_EVENT)
        return []
    at = instant(item.timestamp)
    if at is None:
        at = instant(part.entry_time)
    if item.message is not None:
        return _message(part, item.message, key, at, own_app, ignored)
    if item.postback is not None:
        identity = text_id(item.postback.mid)
        return [_received(part, key, identity, at, headers=_postback_headers(item.postback))]
    if item.reaction is not None:
        return _reaction(item.reaction, key, at, ignored)
    if item.delivery is not None or item.read is not None:
        return _receipts(part, key)
    ignored.append(_NO_MESSAGE_EVENT)
    return []


def _message(
    part: _Part,
    message: _Message,
    key: Key,
    at: Millis | None,
    own_app: str | None,
    ignored: list[str],
) -> list[SourceEvent]:
    is_echo = message.is_echo is True
    if is_echo and own_app is not None and text_id(message.app_id) == own_app:
        ignored.append("own echo")
        return []
    identity = text_id(message.mid)
    headers = None if part.item.postback is None else _postback_headers(part.item.postback)
    received = _received(part, key, identity, at, headers=headers, echo_of=message)
    if message.is_deleted is not True:
        return [received]
    if identity is None:
        ignored.append("deletion of nothing")
        return []
    return [Replaced(received, at)]


def _received(
    part: _Part,
    key: Key,
    identity: str | None,
    at: Millis | None,
    *,
    headers: dict[str, str] | None = None,
    echo_of: _Message | None = None,
) -> Received:
    content = json_text.unshield(json_text.compact(part.text))
    is_echo = echo_of is not None and echo_of.is_echo is True
    app = text_id(echo_of.app_id) if is_echo and echo_of is not None else None
    return Received(
        key,
        identity if identity is not None else json_text.canonical(part.text),
        identity,
        at,
        not is_echo,
        app or key.conversation,
        content,
        headers,
        is_echo and app is None,
    )


def _postback_headers(postback: _Postback) -> dict[str, str]:
    payload = _EMPTY_PAYLOAD if postback.payload is None else postback.payload
    headers = {"postback.payload": payload}
    referral = bytes(postback.referral)
    if referral not in (b"", b"null"):
        headers["postback.referral"] = json_text.compact(referral).decode()
    return headers


def _reaction(
    reaction: _Reaction, key: Key, at: Millis | None, ignored: list[str]
) -> list[SourceEvent]:
    target = text_id(reaction.mid)
    if target is None:
        ignored.append("reaction to nothing")
        return []
    emoji = _emoji(reaction) if reaction.action == "react" else None
    return [Reacted(key, target, emoji, at)]


def _emoji(reaction: _Reaction) -> str:
    r"""Return the emoji, which Meta also spells as literal `\u{2764}\u{FE0F}`."""
    if not reaction.emoji:
        return _EMOJI_OF_REACTION.get(str(reaction.reaction), "❓")
    try:
        return _CODE_POINT.sub(lambda found: chr(int(found[1] or found[2], 16)), reaction.emoji)
    except ValueError:  # beyond Unicode
        return reaction.emoji


def _receipts(part: _Part, key: Key) -> list[SourceEvent]:
    delivery, read = part.item.delivery, part.item.read
    receipts: list[SourceEvent] = []
    if delivery is not None:
        mids = tuple(mid for mid in map(text_id, delivery.mids or ()) if mid is not None)
        up_to = None if mids else instant(delivery.watermark)
        receipts.append(Receipt(key, is_seen=False, source_message_ids=mids, up_to=up_to))
    if read is not None:
        mid = text_id(read.mid)
        named = () if mid is None else (mid,)
        up_to = None if mid else instant(read.watermark)
        receipts.append(
            Receipt(key, is_seen=True, source_message_ids=named, up_to=up_to, and_earlier=True)
        )
    return receipts


def _source_of(told: dict[str, bytes]) -> str:
    named = scalar(told.get("object"))
    return _SOURCES.get(named, "") if isinstance(named, str) else ""


def _entry_without(source: str, text: bytes, cut: Cut) -> bytes | None:
    """Return an entry without the items that go; None if that leaves none."""
    told = members(text)
    if told is None:
        return None if cut.names(text) else text
    entry = _Entry(
        id=scalar(told.get("id")),
        time=scalar(told.get("time")),
    )
    kept: dict[str, bytes] = {}
    items_left = 0
    for name, value in told.items():
        items = elements(value) if name in ("messaging", "standby", "changes") else None
        if items is None:
            if name in ("id", "time") or not cut.names(value):
                kept[name] = value
            continue
        left = [item for item in items if not _goes(source, entry, name, item, cut)]
        items_left += len(left)
        kept[name] = value if len(left) == len(items) else array_of(left)
    if kept == told:
        return text
    return object_of(kept) if items_left else None


def _goes(source: str, entry: _Entry, name: str, text: bytes, cut: Cut) -> bool:
    """Whether an item goes: by its conversation, or for want of one by whom it names."""
    account = text_id(entry.id)
    try:
        if name == "changes":
            change = _decode_change(text)
            item = _decode_item(change.value) if change.field == "messages" else None
        else:
            item = _decode_item(text)
    except (msgspec.DecodeError, RecursionError):
        item = None
    if item is None or account is None:
        return cut.names(text)
    if name == "changes":
        item.timestamp = instant_of_seconds(item.timestamp)
    key = _key(_Part(source, account, entry.time, item, text))
    if key is None:
        return cut.names(text)
    at = instant(item.timestamp)
    return cut.takes(key, instant(entry.time) if at is None else at)
