"""The courier: sees to it that every message of ours that is pending is delivered, or fails.

1. It acts on a partition once its state has reached the end that the log had when it began.
2. Before each call to a source it appends an attempt, and calls only if the projection says that it
   was the first. So nothing is sent twice, by two couriers or by one that reads an old state.
   Files that a platform is given before a message are before its attempt: that sends nothing.
3. What came of a call is appended until that succeeds. If it is killed before, the next one finds
   an attempt without an outcome: it sends again where the platform takes a message only once, and
   otherwise says that the delivery is uncertain.
"""

import asyncio
import logging
import random
from collections.abc import Mapping

import msgspec

from airy_ray.clock import now_micros, now_millis
from airy_ray.cluster.access import Appends, LocalAccess
from airy_ray.cluster.attaching import Attaching
from airy_ray.cluster.channel_tokens import tell_token
from airy_ray.cluster.feeds import PAGE_BYTES, PAGE_CHANGES, Feeds
from airy_ray.cluster.fetching_spec import FetchingSpec
from airy_ray.cluster.our_files import OurFiles
from airy_ray.cluster.own_partitions import OwnPartitions
from airy_ray.cluster.platform_calls import PlatformCalls, without
from airy_ray.cluster.profile_fetching import ProfileFetching
from airy_ray.cluster.registry import Registry
from airy_ray.cluster.sendings import Sendings, sending_of
from airy_ray.cluster.turns import TROUBLE_S, Turns
from airy_ray.delivery import deciding
from airy_ray.delivery.lanes import Turn
from airy_ray.delivery.pacing import Bucket, Buckets
from airy_ray.errors import DeliveryError
from airy_ray.model.conversation import Conversation
from airy_ray.model.events import (
    DeliveryAttempted,
    DeliveryPutOff,
    Event,
    MessageDelivered,
    MessageFailed,
    ReadTold,
)
from airy_ray.model.ids import (
    REGISTRY,
    ChannelId,
    ConversationId,
    MessageId,
    PartitionIndex,
    format_id,
)
from airy_ray.model.message import Message
from airy_ray.projections import keys
from airy_ray.projections.view import Dispatch
from airy_ray.sources.sending import (
    Later,
    Outbound,
    Refused,
    Reply,
    Sending,
    Taken,
    Verdict,
)
from airy_ray.state.feed import feed_head, read_feed
from airy_ray.state.queries import Reading

logger = logging.getLogger(__name__)

_AT_ONCE = 32
"""How many messages to one source are on their way at once."""
_FAR = 2_000
"""Beyond so many records it looks at all that is pending instead of at what they changed."""
_NEWS = ("message.created", "message.updated", "metadata.updated")


class Courier:
    """Delivers what is pending in the partitions of this machine; used in one event loop."""

    def __init__(
        self,
        accesses: Mapping[PartitionIndex, LocalAccess],
        appender: Appends,
        registry: Registry,
        feeds: Feeds,
        sendings: Sendings,
        files: OurFiles,
        fetching: FetchingSpec | None = None,
    ) -> None:
        self._partitions = OwnPartitions(accesses, appender)
        self._registry = registry
        self._feeds = feeds
        self._sendings = sendings
        self._run = int(now_micros())
        self._calls = PlatformCalls(files)
        self._attaching = Attaching(files, self._calls)
        self._turns = Turns(self._step, _AT_ONCE)
        self._profiles = ProfileFetching(
            self._partitions, registry, sendings, self._calls, fetching
        )
        self._buckets = Buckets()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self._partitions.applied(REGISTRY)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._profiles.run())
            for index in self._partitions:
                if index != REGISTRY:
                    group.create_task(self._follow(index))

    async def stop(self, within_s: float) -> None:
        """Begin nothing more; see calls that are under way to their end if they take no longer."""
        await self._profiles.stop()
        await self._turns.stop(within_s)
        await self._calls.close()

    async def _follow(self, index: PartitionIndex) -> None:
        """Take in what is pending in a partition, now and from now on."""
        await self._partitions.applied(index)
        self._profiles.watch(index)
        # the place before the rows: none is between them
        place = await self._partitions.ask(index, feed_head)
        await self._take_in_all(index)
        async for _ in self._feeds.written(index, "sends"):
            head = await self._partitions.ask(index, feed_head)
            if keys.position(head) - keys.position(place) > _FAR:
                place = head
                await self._take_in_all(index)
            elif head != place:
                place = await self._take_in_since(index, place)

    async def _take_in_since(self, index: PartitionIndex, place: int) -> int:
        """Take in what the change feed tells of from a place on; return the place behind it."""
        has_more = True
        while has_more:
            page = await self._partitions.ask(index, read_feed, place, PAGE_CHANGES, PAGE_BYTES)
            place, has_more = page.place, page.has_more
            if not page.is_whole:
                await self._take_in_all(index)
                continue
            news = [each.message_id for _, each in page.changes if each.kind in _NEWS]
            told = list(dict.fromkeys(each for each in news if each is not None))
            if told:
                self._take_in(index, await self._partitions.ask(index, Reading.dispatches_of, told))
        return place

    async def _take_in_all(self, index: PartitionIndex) -> None:
        self._take_in(index, await self._partitions.ask(index, Reading.dispatches))

    def _take_in(self, index: PartitionIndex, pending: list[tuple[MessageId, Dispatch]]) -> None:
        for identifier, dispatch in sorted(pending, key=lambda each: each[1].position):
            place = dispatch.place
            if sending_of(self._sendings, place.source) is not None:
                # what was read holds up no answer
                lane = identifier if dispatch.is_read_receipt else place.conversation_id
                turn = Turn(index, identifier, ConversationId(lane), place.source)
                self._turns.add(turn, dispatch.position)
        self._turns.begin()

    async def _step(self, turn: Turn) -> float | None:
        """Call the source once, or give up; return when to go on, None if there is an outcome."""
        parcel = await self._partitions.ask(turn.partition, Reading.parcel, turn.message_id)
        if parcel is None:
            return None  # erased
        dispatch, message, conversation = parcel
        sending = sending_of(self._sendings, turn.source)
        assert sending is not None  # nothing else was taken in
        if dispatch.is_read_receipt:
            return await self._tell_read(turn, dispatch, message, sending)
        if deciding.is_uncertain(dispatch, turn.heard_of, sending, now_millis()):
            return await self._settle(turn, dispatch, sending, deciding.UNCERTAIN)
        outbound = self._outbound(dispatch, message, conversation, sending)
        if isinstance(outbound, Refused):
            return await self._settle(turn, dispatch, sending, outbound)
        bucket = self._buckets.of(message.channel_id, sending.pace(message.content))
        wait_s = turn.slot_in_s(bucket, self._loop.time())
        if wait_s > 0:
            return wait_s
        try:
            begun, verdict = await self._call(turn, dispatch, message.channel_id, outbound, sending)
        except DeliveryError as error:
            begun, verdict = dispatch, Refused(error.reason)
        if isinstance(verdict, float):
            return verdict
        if isinstance(verdict, Later):
            self._pause(bucket, verdict)
        if isinstance(verdict, Refused) and verdict.is_of_token:
            await tell_token(
                self._partitions,
                self._registry,
                message.channel_id,
                outbound.token,
                verdict.reason,
            )
        return await self._settle(turn, begun, sending, verdict)

    async def _call(
        self,
        turn: Turn,
        dispatch: Dispatch,
        channel: ChannelId,
        outbound: Outbound,
        sending: Sending,
    ) -> tuple[Dispatch, Verdict | float]:
        """Make the next call of a message; return the attempt that it was, and what came of it.

        That may be when to make another, where this says nothing of the message as a whole.

        Raises:
            DeliveryError: there is nothing to call with.
        """
        token = await self._calls.token(turn.source, channel, sending, outbound)
        if not isinstance(token, str):
            return dispatch, token
        is_asked_for = token != outbound.token
        outbound = msgspec.structs.replace(outbound, token=token)
        message = await self._attaching.attached(turn, outbound, sending)
        if not isinstance(message, Outbound):
            return dispatch, message
        calls = sending.calls(message)
        begun = await self._attempt(turn, dispatch)
        if begun is None:
            return dispatch, TROUBLE_S  # another was first, or it is gone
        if deciding.is_expired(begun, sending, now_millis()):
            return begun, deciding.EXPIRED
        turn.has_slot = False
        call = calls[turn.calls_taken]
        reply = await self._calls.made(call, is_deduplicating=sending.is_deduplicating)
        if not isinstance(reply, Reply):
            return begun, without(token, reply)
        verdict = without(token, sending.read(message, reply))
        if is_asked_for and self._calls.distrust(turn.source, channel, token, reply):
            return begun, _renewing(turn, verdict)
        if isinstance(verdict, Taken):
            turn.calls_taken += 1
            turn.known_as = turn.known_as or verdict.source_message_id
            if turn.calls_taken == len(calls):
                return begun, Taken(turn.known_as, verdict.metadata)
            turn.heard_of = begun.attempts
            return begun, 0.0
        return begun, verdict

    async def _attempt(self, turn: Turn, dispatch: Dispatch) -> Dispatch | None:
        """Say that the source is going to be called; None if it must not be."""
        number = dispatch.attempts + 1
        event = DeliveryAttempted(turn.message_id, number, self._run)
        await self._partitions.tell(turn.partition, event)
        begun = await self._partitions.ask(turn.partition, Reading.dispatch, turn.message_id)
        if begun is None or (begun.attempts, begun.courier) != (number, self._run):
            return None
        return begun

    async def _settle(
        self, turn: Turn, dispatch: Dispatch, sending: Sending, verdict: Verdict
    ) -> float | None:
        """Write down what came of a message; return when to go on, None if there is an outcome."""
        at, number = now_millis(), dispatch.attempts
        event: Event
        match verdict:
            case Taken(source_message_id=known_as, metadata=metadata):
                event = MessageDelivered(turn.message_id, known_as, at, number, metadata)
            case Later(reason=reason, answer=answer):
                turn.tries += 1
                wait_s = deciding.wait_s(verdict, turn.tries, random.random())  # noqa: S311
                if deciding.is_worth_waiting(dispatch, sending, at, wait_s):
                    if turn.calls_taken == 0:  # or another courier would send the beginning again
                        await self._partitions.tell(
                            turn.partition, DeliveryPutOff(turn.message_id, number)
                        )
                    turn.heard_of = number
                    return wait_s
                event = MessageFailed(turn.message_id, reason, answer, at, number)
            case Refused(reason=reason, answer=answer):
                event = MessageFailed(turn.message_id, reason, answer, at, number)
        await self._partitions.tell(turn.partition, event)
        turn.begin_anew()
        pending = await self._partitions.ask(turn.partition, Reading.dispatch, turn.message_id)
        return None if pending is None else 0.0  # somebody has sent it again meanwhile

    def _outbound(
        self, dispatch: Dispatch, message: Message, conversation: Conversation, sending: Sending
    ) -> Outbound | Refused:
        return deciding.outbound(
            dispatch,
            message,
            conversation,
            self._registry.channel(message.channel_id),
            sending,
            now_millis(),
            is_by_person=self._registry.sender(message.sender_id) is not None,
            custom_source=self._registry.source(message.source),
        )

    async def _tell_read(
        self, turn: Turn, dispatch: Dispatch, message: Message, sending: Sending
    ) -> float | None:
        """Tell the source that we have read a message: once, whatever comes of it."""
        channel = self._registry.channel(message.channel_id)
        call = deciding.read_receipt(message, channel, sending)
        if call is not None and dispatch.attempts == 0:
            bucket = self._buckets.of(message.channel_id, sending.pace(b""))
            wait_s = turn.slot_in_s(bucket, self._loop.time())
            if wait_s > 0:
                return wait_s
            if await self._attempt(turn, dispatch) is None:
                return TROUBLE_S  # another was first, or it is gone
            answer = await self._calls.made(call, is_deduplicating=False)
            if not isinstance(answer, Reply) or answer.status != 200:
                why = answer.status if isinstance(answer, Reply) else answer.reason
                logger.warning("message %s: not told as read: %s", format_id(message.id), why)
        await self._partitions.tell(turn.partition, ReadTold(turn.message_id))
        return None

    def _pause(self, bucket: Bucket, told: Later) -> None:
        """Give a channel the pause that its platform asks for, unless only a conversation needs it.

        What is said of a conversation means the channel where that sends as fast as it may.
        """
        now_s = self._loop.time()
        if told.after_s is not None and (not told.is_of_conversation or bucket.is_busy(now_s)):
            bucket.close_until(now_s + told.after_s)


def _renewing(turn: Turn, verdict: Verdict) -> Verdict:
    """Return what a refusal means whose reason is a token that may have ended before its time."""
    if turn.has_renewed or not isinstance(verdict, Refused):
        return verdict
    turn.has_renewed = True
    return Later(verdict.reason, verdict.answer)
