"""What was written to a page before it was ours, as Meta tells it if it is asked.

Contract: https://developers.facebook.com/docs/messenger-platform/conversations/.

```
{"data": [THREAD, …], "paging": {"cursors": {"after"}, "next"}}
THREAD  = {"id": "t_…", "updated_time", "unread_count", "participants": {"data": [PARTY, …]},
           "messages": {"data": [MESSAGE, …], "paging"}}
MESSAGE = {"id": <mid>, "created_time", "from": PARTY, "message", "sticker",
           "attachments": {"data": [{"mime_type", "image_data" | "video_data" | "file_url"}, …]},
           "shares": {"data": [{"link", "name", "description"}, …]}}
PARTY   = {"id", "name", "email"}
```

1. A record's body is one thread with some of its messages, the newest first, as Meta told it. Only
   `paging` is left out: there is a token in its addresses.
2. Headers tell such a body from a webhook's, and what it does not say itself: the page, how many of
   its messages from the newest on nobody has read, and how many after the newest are of the same
   second. No webhook can bring them.
3. A message is called what its webhook calls it, so it is one, whichever comes first.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.sources import meta
from airy_ray.sources.facebook_sending import PASSING, PASSING_SUBCODES
from airy_ray.sources.json_parts import array_of, elements, members, object_of, scalar, string
from airy_ray.sources.sending import Call, Later, Refused, Reply
from airy_ray.sources.source import (
    Cut,
    Key,
    Parsed,
    Recalled,
    Received,
    SourceEvent,
    Webhook,
    instant_of_text,
    json_object,
    text_id,
)
from airy_ray.sources.told import object_in, objects_in, text_in

PAGE = "x-airy-history-page"
UNREAD = "x-airy-history-unread"
LATER = "x-airy-history-later"

_SOURCE = "facebook"
_WAIT_S = 30.0
_MESSAGE = "id,created_time,from,message,sticker,attachments,shares"
_ALL = 1 << 30


class Thread(msgspec.Struct, frozen=True, gc=False):
    """A conversation of a page, and some of its messages.

    Attributes:
        known_as: what Meta calls it.
        body: what is kept of what was told.
        count: how many messages it tells.
        unread: how many of these and those before them nobody has read, at most.
        after: where its messages go on; None at its beginning.
        updated_at: when somebody last wrote in it, if that is told.
        later: how many messages of the second of the newest came after it, and were told before.
    """

    known_as: str
    body: bytes
    count: int
    unread: int
    after: str | None
    updated_at: Millis | None
    later: int = 0


class Listed(msgspec.Struct, frozen=True, gc=False):
    """Conversations, those last written in first, and where their list goes on, if it does."""

    threads: list[Thread]
    after: str | None


class History:
    """The answers to our own questions, on their way into the log as webhooks are."""

    hook = _SOURCE

    def verify(self, webhook: Webhook) -> None:
        """Do nothing: nobody sent it to us, we asked."""

    def routes(self, webhook: Webhook) -> list[Key]:
        """Return the one conversation of a thread, if it is with one contact."""
        key = _key(webhook.headers.get(PAGE, ""), json_object(webhook.body))
        return [] if key is None else [key]

    def kept_headers(self, webhook: Webhook) -> dict[str, str] | None:
        """Return what tells a thread from a webhook's body."""
        return dict(webhook.headers)


def threads_call(
    graph_url: str, page: str, token: str, *, after: str, limit: int, messages: int
) -> Call:
    """Return the call that lists a page's conversations, each with its newest messages."""
    told = f"id,updated_time,unread_count,participants,messages.limit({messages}){{{_MESSAGE}}}"
    asked = {"platform": "messenger", "fields": told, "limit": str(limit)}
    return _call(f"{graph_url}/{quote(page, safe='')}/conversations", token, asked, after)


def messages_call(graph_url: str, thread: Thread, token: str, *, limit: int) -> Call:
    """Return the call that asks for the messages of a conversation before those it has told."""
    asked = {"fields": _MESSAGE, "limit": str(limit)}
    url = f"{graph_url}/{quote(thread.known_as, safe='')}/messages"
    return _call(url, token, asked, thread.after or "")


def listed(reply: Reply) -> Listed | None:
    """Return the conversations in an answer; None if it is no list of any."""
    told = _told(reply)
    found = elements(told.get("data"))
    if found is None:
        return None
    threads = [_thread(each) for each in found]
    return Listed([each for each in threads if each is not None], _after(told))


def earlier(page: str, thread: Thread, reply: Reply) -> Thread | None:
    """Return a conversation with the messages in an answer, which came before those it has told.

    None if the answer has none.
    """
    told = _told(reply)
    if not elements(told.get("data")):
        return None
    known = members(json_text.shield(thread.body)) or {}
    unread = str(_unread_before(page, thread)).encode()
    found = _thread(object_of(known | {"unread_count": unread, "messages": object_of(told)}))
    return None if found is None else msgspec.structs.replace(found, later=_later(thread, found))


def refusal(reply: Reply) -> Refused | Later:
    """Return what it means that Meta does not tell."""
    return meta.not_taken(reply, PASSING, PASSING_SUBCODES)


def webhook_of(page: str, thread: Thread) -> Webhook:
    """Return what is to be kept of a conversation."""
    told = {PAGE: page, UNREAD: str(thread.unread), LATER: str(thread.later)}
    return Webhook(thread.body, told)


def parse(webhook: Webhook) -> Parsed:
    """Return the messages of a thread, oldest first."""
    told = json_object(webhook.body)
    page = webhook.headers.get(PAGE, "")
    key = _key(page, told)
    if key is None:
        return Parsed([], ["not with one contact"])
    unread, later = (int(webhook.headers.get(name, "0")) for name in (UNREAD, LATER))
    events: list[SourceEvent] = []
    ignored: list[str] = []
    messages = _messages(told)
    for message, at in zip(messages, _times(messages, later), strict=True):
        received = _received(key, message, at)
        if received is None:
            ignored.append("a message that is not told")  # Meta keeps the details of the last few
            continue
        unread = unread - 1 if received.from_contact else 0
        events.append(Recalled(received, received.from_contact and unread >= 0))
    return Parsed(events[::-1], ignored)


def without(body: bytes, cut: Cut) -> bytes | None:
    """Return a thread without the messages that go, others as they came; None if none is left."""
    text = json_text.shield(body)
    thread = members(text)
    told = {} if thread is None else members(thread.get("messages")) or {}
    raw = elements(told.get("data"))
    value = scalar(text)
    key = _key(cut.headers.get(PAGE, ""), value if isinstance(value, dict) else {})
    if thread is None or raw is None or key is None:
        return None if cut.names(body) else body
    times = _times([scalar(each) for each in raw], int(cut.headers.get(LATER, "0")))
    left = [each for each, at in zip(raw, times, strict=True) if not cut.takes(key, at)]
    if len(left) == len(raw):
        return body
    if not left:
        return None
    kept = thread | {"messages": object_of(told | {"data": array_of(left)})}
    return json_text.unshield(object_of(kept))


def _call(url: str, token: str, asked: Mapping[str, str], after: str) -> Call:
    query = dict(asked) | ({"after": after} if after else {})
    headers = {"authorization": f"Bearer {token}"}
    return Call("GET", f"{url}?{urlencode(query, safe=',(){}')}", headers, b"", _WAIT_S)


def _told(reply: Reply) -> dict[str, bytes]:
    """Return the members of an answer; none if it is no object, or a strange one."""
    if json_text.nests_too_deep(reply.body):
        return {}
    return members(json_text.shield(reply.body)) or {}


def _thread(text: bytes) -> Thread | None:
    """Return what is kept of a conversation; None if nobody could ask for the rest of it."""
    told = members(text) or {}
    known_as = text_id(scalar(told.get("id")))
    if known_as is None:
        return None
    messages = members(told.get("messages")) or {}
    unread = scalar(told.get("unread_count"))
    return Thread(
        known_as,
        json_text.unshield(_without_paging(text)),
        len(elements(messages.get("data")) or ()),
        unread if isinstance(unread, int) and unread >= 0 else _ALL,
        _after(messages),
        _instant(scalar(told.get("updated_time"))),
    )


def _after(told: Mapping[str, bytes]) -> str | None:
    """Return where a list goes on; its last page has a cursor, too, but no page after it."""
    paging = members(told.get("paging")) or {}
    cursors = members(paging.get("cursors")) or {}
    return (string(cursors.get("after")) or None) if "next" in paging else None


def _without_paging(text: bytes) -> bytes:
    """Return a JSON text without the addresses of what follows, anywhere in it."""
    if text.startswith(b"{"):
        told = members(text) or {}
        return object_of({k: _without_paging(v) for k, v in told.items() if k != "paging"})
    if text.startswith(b"["):
        return array_of(_without_paging(each) for each in elements(text) or ())
    return text


def _unread_before(page: str, thread: Thread) -> int:
    """Return how many of the messages before those of a thread nobody has read, at most."""
    received = [
        event.received
        for event in parse(webhook_of(page, thread)).events
        if isinstance(event, Recalled)
    ]
    is_answered = any(not each.from_contact for each in received)
    return 0 if is_answered else max(thread.unread - len(received), 0)


def _key(page: str, told: Mapping[str, Any]) -> Key | None:
    parties = objects_in(object_in(told, "participants"), "data")
    names = [text_id(each.get("id")) for each in parties]
    others = {name for name in names if name is not None and name != page}
    return Key(_SOURCE, page, others.pop()) if len(others) == 1 and page else None


def _messages(told: Mapping[str, Any]) -> list[Any]:
    """Return the messages of a thread as they are told, whatever each of them is."""
    found = object_in(told, "messages").get("data")
    return found if isinstance(found, list) else []


def _times(messages: list[Any], later: int) -> list[Millis | None]:
    """Return when messages were written, newest first as they are told.

    Meta tells whole seconds: within one, each is a millisecond before the one after it. They are
    counted from its end, so what is told or cut of those before changes nothing.
    """
    times: list[Millis | None] = []
    after = _second(messages[0]) if messages else None
    for message in messages:
        second = _second(message)
        later = later if second == after else 0
        times.append(None if second is None else Millis(second + max(999 - later, 0)))
        after, later = second, later + 1
    return times


def _later(thread: Thread, before: Thread) -> int:
    """Return how many messages of a thread are of the second of the newest of those before it."""
    newest, *_ = [_second(each) for each in _messages(json_object(before.body))]
    seconds = [_second(each) for each in _messages(json_object(thread.body))]
    others = [number for number, each in enumerate(reversed(seconds)) if each != newest]
    return others[0] if others else len(seconds) + thread.later


def _second(message: object) -> Millis | None:
    """Return when a message was written."""
    return _instant(text_in(message, "created_time"))


def _instant(time: object) -> Millis | None:
    """Return a time; Meta writes `+0000` where RFC 3339 has `+00:00`."""
    if isinstance(time, str) and time[-5:-4] in ("+", "-"):
        time = f"{time[:-2]}:{time[-2:]}"
    return instant_of_text(time)


def _received(key: Key, message: Any, at: Millis | None) -> Received | None:
    """Return a message as its webhook would have told it; None if it is not told any more."""
    if not isinstance(message, dict):
        return None
    mid, sender = text_id(message.get("id")), text_id(object_in(message, "from").get("id"))
    if mid is None or at is None or sender not in (key.channel, key.conversation):
        return None
    is_ours = sender == key.channel
    recipient = key.conversation if is_ours else key.channel
    item = {
        "sender": {"id": sender},
        "recipient": {"id": recipient},
        "timestamp": at,
        "message": {"mid": mid} | ({"is_echo": True} if is_ours else {}) | dict(_said(message)),
    }
    content = json_text.unshield(json_text.encode(item))
    return Received(key, mid, mid, at, not is_ours, key.conversation, content, is_echo=is_ours)


def _said(message: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a message says in the form of webhooks."""
    if text := text_in(message, "message"):
        yield "text", text
    attached = [_attachment(each) for each in objects_in(message.get("attachments"), "data")]
    found = [each for each in attached if each is not None]
    if sticker := text_in(message, "sticker"):
        found.append(_linked("image", sticker))
    if not found:
        found = [_shared(each) for each in objects_in(message.get("shares"), "data")]
    if found:
        yield "attachments", found


def _attachment(told: Mapping[str, Any]) -> dict[str, Any] | None:
    for kind, name in (("image", "image_data"), ("video", "video_data")):
        if url := text_in(object_in(told, name), "url"):
            return _linked(kind, url)
    url = text_in(told, "file_url")
    is_sound = text_in(told, "mime_type").startswith("audio/")
    return _linked("audio" if is_sound else "file", url) if url else None


def _linked(kind: str, url: str) -> dict[str, Any]:
    return {"type": kind, "payload": {"url": url}}


def _shared(told: Mapping[str, Any]) -> dict[str, Any]:
    link = text_in(told, "link")
    title = text_in(told, "name") or text_in(told, "description") or link
    return {"type": "fallback", "title": title, "url": link, "payload": {"url": link}}
