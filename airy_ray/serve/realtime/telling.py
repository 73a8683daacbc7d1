"""One change as subscribers hear it: encoded once, looked into only as far as anybody asks."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import count

import msgspec

from airy_ray.cluster.access import ReadAccess, access_to
from airy_ray.cluster.ephemeral import EphemeralEvent
from airy_ray.errors import DamagedError, PartitionUnavailableError, StateError
from airy_ray.model.ids import ChannelId, ConversationId, PartitionIndex, parse_id
from airy_ray.projections.changes import ERASED
from airy_ray.projections.history import CONVERSATION_REMOVED, MESSAGE_REMOVED, RELOAD
from airy_ray.projections.view import Change
from airy_ray.serve.realtime.positions import Positions
from airy_ray.serve.realtime.wire import framed
from airy_ray.state.queries import Reading
from airy_ray.state.search.documents import ConversationDocument, conversation_document
from airy_ray.stomp.frame import Frame
from airy_ray.stomp.session import ServerSession

_CHANNEL = b'"channel_id":"'
_PAYLOAD = b'"payload":'
_UUID_LENGTH = 36
_ephemeral_ids = count(1)
_MESSAGE_KINDS = ("message.created", "message.updated", "message.corrected")
_GONE_KINDS = (ERASED, CONVERSATION_REMOVED, MESSAGE_REMOVED)


class _Message(msgspec.Struct):
    from_contact: bool
    delivery_state: str


class _Payload(msgspec.Struct):
    message: _Message


class _Subject(msgspec.Struct):
    subject: str = ""
    identifier: str = ""
    id: str = ""
    channel_id: str = ""


_Raw = dict[str, msgspec.Raw]

_decode_payload = msgspec.json.Decoder(_Payload).decode
_decode_raw = msgspec.json.Decoder(_Raw).decode
_decode_subject = msgspec.json.Decoder(_Subject).decode


class Telling:
    """A change of one partition on its way to subscribers.

    Attributes:
        channel: what it belongs to; None if to no channel, or if nobody asked.
        found_by: what filters look at of its conversation, as that is now; None as before.
        is_ephemeral: whether it is kept nowhere, and so has no position.
        is_for_visitors: of an ephemeral one, whether the website's visitor hears of it.
    """

    def __init__(
        self,
        change: Change,
        position: bytes | None,
        channel: ChannelId | None = None,
        *,
        is_for_visitors: bool = False,
    ) -> None:
        self.change = change
        self.channel = channel
        self.found_by: ConversationDocument | None = None
        self.is_ephemeral = position is None
        self.is_for_visitors = is_for_visitors
        self._position = position

    def message(self, head: bytes) -> bytes:
        """Return the WebSocket message for subscriptions whose frames begin with `head`."""
        return framed(head + self._tail)

    def visitor_message(self, head: bytes) -> bytes:
        """Return the same with what a website's visitor hears: the payload alone (§12.3)."""
        return framed(head + self._visitor_tail)

    @property
    def topics(self) -> list[ConversationId | ChannelId]:
        """The conversation and the channel that it belongs to, as far as it does."""
        found: list[ConversationId | ChannelId] = []
        if self.change.conversation_id is not None:
            found.append(self.change.conversation_id)
        if self.channel is not None:
            found.append(self.channel)
        return found

    @property
    def is_for_all(self) -> bool:
        """Whether everybody is to hear of it, whatever they listen to."""
        return self.change.kind == RELOAD

    @property
    def is_of_what_is_gone(self) -> bool:
        """Whether it says that a conversation is gone, or a message of one that is gone now."""
        return self.found_by is None and self.change.kind in _GONE_KINDS

    @property
    def told_channel(self) -> ChannelId | None:
        """The channel that the change itself names."""
        change = self.change
        if change.kind in _MESSAGE_KINDS:
            at = change.event.index(_CHANNEL) + len(_CHANNEL)
            return ChannelId(parse_id(change.event[at : at + _UUID_LENGTH].decode()))
        if change.kind not in ("channel.updated", "metadata.updated", *_GONE_KINDS):
            return None
        told = _decode_subject(self._payload)
        if change.kind in _GONE_KINDS:
            named = told.channel_id  # earlier releases named none
        elif change.kind == "channel.updated":
            named = told.id
        else:
            named = told.identifier if told.subject == "channel" else ""
        return ChannelId(parse_id(named)) if named else None

    @cached_property
    def is_for_visitor(self) -> bool:
        """Whether a website's visitor hears of it: what they write, and what is new (§6)."""
        if self.change.kind == "message.created":
            return True
        return (
            self.change.kind == "message.updated"
            and _decode_payload(self._payload).message.from_contact
        )

    @cached_property
    def _tail(self) -> bytes:
        return _tail(self._position, self.change.event)

    @cached_property
    def _visitor_tail(self) -> bytes:
        """What is still to be delivered is, to the visitor who hears of it."""
        payload = self._payload
        if _decode_payload(payload).message.delivery_state == "pending":
            told = _decode_raw(payload)
            message = _decode_raw(told["message"]) | {"delivery_state": msgspec.Raw(b'"delivered"')}
            payload = msgspec.json.encode(told | {"message": message})
        return _tail(self._position, payload)

    @cached_property
    def _payload(self) -> bytes:
        event = self.change.event
        return event[event.index(_PAYLOAD) + len(_PAYLOAD) : -1]


class Changes:
    """Makes of changes what is sent; looks up what subscriptions may ask of them."""

    def __init__(self, accesses: Mapping[PartitionIndex, ReadAccess], positions: Positions) -> None:
        self._accesses = accesses
        self._positions = positions

    async def tellings(
        self, partition: PartitionIndex, changes: Sequence[tuple[int, Change]], *, looks: bool
    ) -> list[Telling]:
        """Return changes of a partition; `looks` if any subscription is not to everything."""
        made = []
        for sequence, change in changes:
            telling = Telling(change, self._positions.of(partition, sequence + 1))
            if looks:
                await self._look(partition, telling)
            made.append(telling)
        return made

    async def _look(self, partition: PartitionIndex, telling: Telling) -> None:
        """Note what a change belongs to, and how that is now."""
        telling.channel = telling.told_channel
        conversation = telling.change.conversation_id
        if conversation is None:
            return
        with suppress(StateError, DamagedError, PartitionUnavailableError):
            access = access_to(self._accesses, partition)
            found = await access.ask(Reading.conversation, conversation)
            if found is not None:
                telling.found_by = conversation_document(found)
                telling.channel = telling.channel or found.channel_id


def message_head(session: ServerSession, destination: str, name: str) -> bytes:
    """Return how all MESSAGE frames of a subscription begin, in its session's version."""
    written = session.written(Frame("MESSAGE", {"destination": destination, "subscription": name}))
    return written[: -len(b"\n\0")]


def ephemeral(told: EphemeralEvent) -> Telling:
    """Return an ephemeral event on its way."""
    change = Change(told.kind, told.conversation_id, None, told.event)
    return Telling(change, None, told.channel_id, is_for_visitors=told.is_for_visitors)


def event_message(head: bytes, event: bytes) -> bytes:
    """Return the WebSocket message of an event that has no position."""
    return framed(head + _tail(None, event))


def _tail(position: bytes | None, body: bytes) -> bytes:
    if position is None:
        placed = b"message-id:e-%d\n" % next(_ephemeral_ids)
    else:
        placed = b"message-id:%b\nposition:%b\n" % (position, position)
    return b"%bcontent-type:application/json\ncontent-length:%d\n\n%b\0" % (
        placed,
        len(body),
        body,
    )
