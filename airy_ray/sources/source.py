"""What a source module does: verify, route, parse. Pure: the shell does the sending and storing."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError
from airy_ray.model import json_text


class Webhook(msgspec.Struct, frozen=True, gc=False):
    """A request as a platform made it.

    Attributes:
        body: the exact bytes; signatures are over these.
        headers: names in lower case.
        url: the public URL that was called, with its query, for the sources that look at it.
    """

    body: bytes
    headers: Mapping[str, str]
    url: str = ""


class Key(msgspec.Struct, frozen=True, gc=False):
    """Where an event belongs, in the source's own words."""

    source: str
    channel: str
    conversation: str


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message was written.

    Attributes:
        identity: what the source calls the message, or, when it calls it nothing, the canonical
            JSON of the event, so that the same event makes the same message.
        source_message_id: None when the source calls it nothing.
        sent_at: by the source's clock; None where it tells no time.
        content: JSON text, as it came.
        is_echo: written by our side, perhaps by ourselves through the platform's API.
    """

    key: Key
    identity: str
    source_message_id: str | None
    sent_at: Millis | None
    from_contact: bool
    sender_id: str
    content: bytes
    headers: dict[str, str] | None = None
    is_echo: bool = False


class Replaced(msgspec.Struct, frozen=True, gc=False):
    """A message was edited or deleted at `replaced_at`; `received` is how it is now."""

    received: Received
    replaced_at: Millis | None

    @property
    def key(self) -> Key:
        """Where the message belongs."""
        return self.received.key


class Overwritten(msgspec.Struct, frozen=True, gc=False):
    """A message was written, or is to be what is told now if it is known: `received`."""

    received: Received

    @property
    def key(self) -> Key:
        """Where the message belongs."""
        return self.received.key


class Recalled(msgspec.Struct, frozen=True, gc=False):
    """A message of the past, which the source told when we asked for its history.

    `is_unread` says that nobody on our side has read it yet, as far as the source knows.
    """

    received: Received
    is_unread: bool

    @property
    def key(self) -> Key:
        """Where the message belongs."""
        return self.received.key


class Reacted(msgspec.Struct, frozen=True, gc=False):
    """A reaction was put to a message, or taken back (`emoji` None)."""

    key: Key
    source_message_id: str
    emoji: str | None
    at: Millis | None


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """Messages of ours were delivered or seen: those named, or all sent until `up_to`."""

    key: Key
    is_seen: bool
    source_message_ids: tuple[str, ...] = ()
    up_to: Millis | None = None
    and_earlier: bool = False


class Failed(msgspec.Struct, frozen=True, gc=False):
    """A message of ours did not get there: `reason` for people, `answer` as it came."""

    key: Key
    source_message_id: str
    reason: str
    answer: str


class Described(msgspec.Struct, frozen=True, gc=False):
    """Metadata of a conversation, dotted key to JSON text: the contact's name and the like."""

    key: Key
    values: dict[str, bytes]


class MessageDescribed(msgspec.Struct, frozen=True, gc=False):
    """Metadata of a message, dotted key to JSON text; `key` names the message alone."""

    key: Key
    values: dict[str, bytes]


class Linked(msgspec.Struct, frozen=True, gc=False):
    """The contact of a conversation is `name` as well, and what they say belongs there."""

    key: Key
    name: str


SourceEvent = (
    Received
    | Replaced
    | Overwritten
    | Recalled
    | Reacted
    | Receipt
    | Failed
    | Described
    | MessageDescribed
    | Linked
)


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """What a body says, oldest first, and why parts of it say nothing to us."""

    events: list[SourceEvent]
    ignored: list[str]


Parse = Callable[[Webhook], Parsed]
"""Say what a body says, from the body and the kept headers alone, now and when it is replayed.

Broken parts are left out, their siblings kept. Raises `PayloadError` when the body is not what the
platform sends.
"""


class Cut(Protocol):
    """Which events are to be cut out of bodies, because whom they are of is forgotten."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What was kept with the body."""
        ...

    def takes(self, key: Key, at: Millis | None) -> bool:
        """Whether an event goes; `at` is when it happened by the source's clock, if that tells."""
        ...

    def names(self, part: bytes) -> bool:
        """Whether a part of a body that belongs to no conversation names somebody forgotten."""
        ...


Without = Callable[[bytes, Cut], bytes | None]
"""Return a body without the events that go, all others as they came; None if none is left.

A body that loses nothing is returned itself.
"""


class Source(Protocol):
    """A messaging platform's webhooks, with our credentials there."""

    hook: str
    """The path they come in on, below `/webhooks/`."""

    def verify(self, webhook: Webhook) -> None:
        """Raise `SignatureError` unless the platform signed exactly this body."""
        ...

    def routes(self, webhook: Webhook) -> list[Key]:
        """Return where the events in a body belong, each place once, reading as little as it takes.

        Raises:
            PayloadError: the body is not what the platform sends.
        """
        ...

    def kept_headers(self, webhook: Webhook) -> dict[str, str] | None:
        """Return what parsing must know besides the body; kept with it for ever, so no secrets."""
        ...


_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")
_INSTANT_MAX = 8_640_000_000_000_000
"""The last instant that clients can show, in milliseconds; the first is its negative."""


def instant(value: object) -> Millis | None:
    """Return a platform's number of milliseconds as an instant, or None if it is none."""
    if not isinstance(value, int):
        value = _whole(value)
    if value is None or isinstance(value, bool) or not -_INSTANT_MAX <= value <= _INSTANT_MAX:
        return None
    return Millis(value)


def instant_of_seconds(value: object) -> Millis | None:
    """Return a platform's number of seconds as an instant, or None if it is none."""
    seconds = instant(value)
    return None if seconds is None else instant(seconds * 1_000)


def instant_of_text(value: object) -> Millis | None:
    """Return an RFC 3339 time, cut to milliseconds; nanoseconds occur."""
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    whole, fraction, zone = found.groups()
    try:
        at = datetime.fromisoformat(whole + zone.upper().replace("Z", "+00:00"))
    except ValueError:
        return None
    return Millis(int(at.timestamp()) * 1_000 + int((fraction or "").ljust(3, "0")[:3] or 0))


def _whole(value: object) -> int | None:
    if isinstance(value, str) and len(value) < 20 and value.removeprefix("-").isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def json_object(text: bytes) -> dict[str, Any]:
    """Return the object that a body is.

    Raises:
        PayloadError: it is none.
    """
    if not json_text.is_utf8(text):
        raise PayloadError("not UTF-8")
    if json_text.nests_too_deep(text):
        raise PayloadError("nested too deep")
    try:
        value = json_text.decode(text)
    except ValueError:
        raise PayloadError("not JSON") from None
    if not isinstance(value, dict):
        raise PayloadError("not an object")
    return value


def text_id(value: object) -> str | None:
    """Return an id as text; platforms send some as JSON numbers. Empty is none."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return str(value)
