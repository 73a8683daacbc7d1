"""Logs of one number of partitions as those of another: which takes a record, in which order.

1. A record goes to whoever owns what it is about, by slot. So each slot's records stay in the order
   of the log that they come from, and as no row of one slot is folded out of another's records,
   they make the same rows.
2. What was appended to several logs, a body about several people or what all were told, is taken
   once, where the first of its copies is.
3. Otherwise the logs are merged by the time at which records came in. A clock that was set back
   moves nothing: a record counts as received no earlier than those before it in its log.
4. What tells of the logs themselves, `lost` and `swap`, stays behind.
"""

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from typing import NamedTuple, TypeAlias

import msgspec

from airy_ray.model import commands
from airy_ray.model.contact_events import (
    ContactKept,
    ContactMerged,
    ContactRestored,
    ConversationGranted,
    ConversationLost,
    LoopFound,
    MergeFollowed,
)
from airy_ray.model.events import (
    AliasKnown,
    ChannelSeen,
    ConversationsErased,
    Event,
    RetentionDue,
)
from airy_ray.model.ids import PartitionIndex, first_slot_of, owner_of, parse_id, partition_of
from airy_ray.partition.fold import FallenTimer, decode_event, encode_event
from airy_ray.partition.routing import partitions_of
from airy_ray.projections import keys
from airy_ray.rawlog.record import Offset, Record, is_erased, payload_id

_INSTANT_BYTES = 8
_FOR_ALL = (ChannelSeen, ConversationsErased)
"""What every partition is told."""

Position: TypeAlias = tuple[PartitionIndex, Offset]


class Placed(NamedTuple):
    """A record of the new logs.

    Attributes:
        origin: where it was.
        is_copy: it is in this log already, at `target`: what came to another is a copy of it.
    """

    target: Position
    record: Record
    origin: Position
    is_copy: bool


def repartitioned(
    logs: Mapping[PartitionIndex, Iterable[tuple[int, Record]]], count: int
) -> Iterator[Placed]:
    """Yield the records of logs, which are all there are, as `count` new ones take them."""
    heads = [0] * count
    taken: dict[tuple[object, ...], dict[PartitionIndex, Offset]] = {}
    for origin, record in merged(logs):
        copies = _copies_key(record, len(logs))
        places = {} if copies is None else taken.setdefault(copies, {})
        for index, own in shares(record, origin[0], len(logs), count):
            is_copy = index in places
            if not is_copy:
                places[index] = Offset(heads[index])
                heads[index] += 1
            yield Placed((index, places[index]), own, origin, is_copy)


def merged(
    logs: Mapping[PartitionIndex, Iterable[tuple[int, Record]]],
) -> Iterator[tuple[Position, Record]]:
    """Yield the records of several logs by the time they came in, each log's in its own order."""
    streams = [_timed(index, log) for index, log in sorted(logs.items())]
    for _, origin, record in merge(*streams, key=lambda each: each[:2]):
        yield origin, record


def shares(
    record: Record, partition: PartitionIndex, before: int, count: int
) -> list[tuple[PartitionIndex, Record]]:
    """Return which of `count` partitions take a record that one of `before` had, and what of it."""
    if record.kind in ("lost", "swap"):
        return []
    if record.kind == "webhook":
        return [(index, record) for index in partitions_of(record, count)]
    event = _event(record)
    if isinstance(event, _FOR_ALL):
        return [(PartitionIndex(index), record) for index in range(count)]
    if isinstance(event, RetentionDue):
        return _shares_of_retention(record, event, count)
    subject = _subject(record) if event is None else subject_of(event)
    if subject is None:  # it names nobody, so it is nobody's order that counts
        return [(partition_of(first_slot_of(partition, before), count), record)]
    return [(owner_of(subject, count), record)]


def _timed(
    index: PartitionIndex, log: Iterable[tuple[int, Record]]
) -> Iterator[tuple[int, Position, Record]]:
    latest = 0
    for offset, record in log:
        latest = max(latest, record.received_at)
        yield latest, (index, Offset(offset)), record


def _copies_key(record: Record, before: int) -> tuple[object, ...] | None:
    """Return what copies of a record in other logs have in common; None if there can be none."""
    if record.kind == "webhook":
        if len(partitions_of(record, before)) == 1:
            return None
        return (record.received_at, record.source, record.payload_id, record.of)
    if record.of is None or not isinstance(_event(record), _FOR_ALL):
        return None
    return (record.payload_id, record.of)


def _event(record: Record) -> Event | None:
    """Return the event that a record has for a body; None if it has none, or it makes no sense."""
    if record.kind not in ("outcome", "forward", "channel") or is_erased(record):
        return None
    try:
        event: Event = decode_event(record.body)
    except (msgspec.MsgspecError, ValueError):  # it is in quarantine
        return None
    return event


def _shares_of_retention(
    record: Record, event: RetentionDue, count: int
) -> list[tuple[PartitionIndex, Record]]:
    """Part what was due in one partition among those that own it now."""
    own: dict[PartitionIndex, list[tuple[bytes, bytes | None]]] = {}
    for due in event.conversations:
        own.setdefault(owner_of(due[0], count), []).append(due)
    found = []
    for index, conversations in sorted(own.items()):
        body = encode_event(msgspec.structs.replace(event, conversations=tuple(conversations)))
        part = msgspec.structs.replace(record, body=body, payload_id=payload_id(body))
        found.append((index, part))
    return found


def _subject(record: Record) -> bytes | None:
    """Return the id whose slot a command or timer belongs to; None if it makes no sense."""
    if is_erased(record):
        return None
    try:
        if record.kind == "command":
            return parse_id(commands.decode(record.body).id)
        if record.kind == "timer":
            fallen = msgspec.msgpack.decode(record.body, type=FallenTimer)
            return fallen.key[_INSTANT_BYTES:]
    except (msgspec.MsgspecError, ValueError):  # it is in quarantine
        return None
    return None


def subject_of(event: Event) -> bytes | None:
    """Return the id, or alias, in whose slot an event that was appended is folded."""
    match event:
        case AliasKnown():
            return keys.alias(event.source, event.kind, event.key)
        case ConversationGranted() | ConversationLost():  # who is told is the contact
            return event.contact_id
        case ContactMerged():
            return event.source
        case MergeFollowed():
            return event.target
        case ContactRestored():
            return event.restored.contact.id
        case ContactKept():
            return event.kept.contact.id
        case LoopFound():
            return event.contact_id
        case _:
            return _named(event)


def _named(event: Event) -> bytes | None:
    place = getattr(event, "place", None)
    if place is not None:
        conversation: bytes = place.conversation_id
        return conversation
    for name in ("conversation_id", "message_id"):
        identifier: bytes | None = getattr(event, name, None)
        if identifier is not None:
            return identifier
    return None
