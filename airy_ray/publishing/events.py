"""Events as webhooks hear of them (contract: platform API §10.1), made of changes of the feed.

An event says where it comes from and what it is about, not what it says: that is read when it is
sent, so what waits for days holds nothing of anybody's messages, and what was erased is not sent.
Its id follows from its place, so it is the same on every attempt and after every restart.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, get_args

import msgspec

from airy_ray.clock import Millis
from airy_ray.model.ids import REGISTRY, PartitionIndex, parse_id
from airy_ray.model.webhook import Order
from airy_ray.projections import keys
from airy_ray.projections.view import Change

Kind = Literal[
    "message.created",
    "message.updated",
    "conversation.updated",
    "channel.updated",
    "webhook.disabled",
    "webhook.test",
    "message.corrected",
    "conversation.corrected",
]
"""The types of events, in the order in which those of one change are sent."""

_KINDS: tuple[Kind, ...] = get_args(Kind)
_OF_MESSAGE = ("message.created", "message.updated", "message.corrected")
_NUMBER_BYTES = 8
PLACE_BYTES = _NUMBER_BYTES + 1


class Event(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Something that happened, told to one webhook.

    Attributes:
        sequence: of the change, in its partition's feed.
        lane: the conversation or channel within which events stay in order.
        subject: the message, conversation, channel or webhook that it is about.
        at: when it happened.
    """

    partition: PartitionIndex
    sequence: int
    kind: Kind
    lane: bytes
    subject: bytes
    at: Millis

    @property
    def place(self) -> bytes:
        """What orders events of a lane."""
        return self.sequence.to_bytes(_NUMBER_BYTES, "big") + bytes([_KINDS.index(self.kind)])


class Earlier(msgspec.Struct, frozen=True):
    """A line of records that was restored, and went on as another.

    Attributes:
        ends: the first offset of each partition that is not of it any more.
    """

    history: str
    ends: Mapping[int, int]


class Lineage(msgspec.Struct, frozen=True):
    """Which history has made which records of this data.

    Attributes:
        history: the present one.
        earlier: those that it goes on from, oldest first.
    """

    history: str
    earlier: tuple[Earlier, ...] = ()

    def has_kept(self, partition: PartitionIndex, began: int) -> bool:
        """Whether places in a feed mean what they did when the registry's log was at `began`.

        They do not after a restore to another number of partitions.
        """
        since = [each for each in self.earlier if began < each.ends.get(REGISTRY, 0)]
        return all(partition in each.ends for each in since)

    def of(self, partition: PartitionIndex, sequence: int) -> str:
        """Return the history whose change is at a place of a feed."""
        offset = keys.position(sequence)
        for each in self.earlier:
            if offset < each.ends.get(partition, 0):
                return each.history
        return self.history


class _Payload(msgspec.Struct):
    id: str = ""


class _Told(msgspec.Struct):
    timestamp: int | None = None
    payload: _Payload = msgspec.field(default_factory=_Payload)


_decode_told = msgspec.json.Decoder(_Told).decode


def events_of(
    partition: PartitionIndex, sequence: int, change: Change, received_at: Millis
) -> Iterator[Event]:
    """Yield the events that a change makes; `received_at` is when one without a time happened."""
    for kind, lane, subject in _parts(change):
        at = _decode_told(change.event).timestamp
        yield Event(
            partition, sequence, kind, lane, subject, received_at if at is None else Millis(at)
        )


def _parts(change: Change) -> Iterator[tuple[Kind, bytes, bytes]]:
    conversation, message = change.conversation_id, change.message_id
    match change.kind:
        case "message.created" | "message.updated" | "metadata.updated" if conversation:
            if message is not None:
                if change.kind == "message.created":
                    yield "message.created", conversation, message
                yield "message.updated", conversation, message
            yield "conversation.updated", conversation, conversation
        case "message.corrected" if conversation and message:
            yield "message.corrected", conversation, message
        case "conversation.corrected" if conversation:
            yield "conversation.corrected", conversation, conversation
        case "channel.updated" | "webhook.disabled" as kind:
            subject = parse_id(_decode_told(change.event).payload.id)
            yield kind, subject, subject
        case _:
            return


def test_event(webhook: bytes, order: Order) -> Event:
    """Return the event that says nothing; `Order.number` is a place in the registry's log."""
    sequence = keys.sequence(order.number)
    lane = order.number.to_bytes(16, "big")
    return Event(REGISTRY, sequence, "webhook.test", lane, webhook, order.at)


test_event.__test__ = False  # type: ignore[attr-defined]  # of pytest's


def event_id(lineage: Lineage, event: Event) -> str:
    """Return the id under which receivers know an event, whichever attempt brings it.

    A restored system, which tells again what was told after the backup, tells it under this id too.
    """
    history = lineage.of(event.partition, event.sequence)
    return f"evt_{history}_{event.partition}_{event.sequence}_{_KINDS.index(event.kind)}"


def placed(lineage: Lineage, identifier: str) -> tuple[PartitionIndex, int, Kind] | None:
    """Return partition, sequence and type of the event with an id; None if it is none of ours."""
    parts = identifier.split("_")
    if len(parts) != 5 or parts[0] != "evt":
        return None
    if not all(part.isascii() and part.isdecimal() and len(part) < 20 for part in parts[2:]):
        return None
    partition, sequence, kind = map(int, parts[2:])
    if kind >= len(_KINDS) or parts[1] != lineage.of(PartitionIndex(partition), sequence):
        return None
    return PartitionIndex(partition), sequence, _KINDS[kind]


def is_of_message(event: Event) -> bool:
    """Whether an event is about a message."""
    return event.kind in _OF_MESSAGE
