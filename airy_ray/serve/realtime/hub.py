"""Who hears of which change: subscriptions by what they are to, and each change to all of them.

1. A change is encoded once for all subscriptions that call themselves the same, and the same bytes
   go to all of them; most clients call theirs `sub-0`.
2. A subscription that resumes reads what it missed by itself, at its client's pace, up to where all
   others are; there it joins them, between two pages, so nothing comes twice and nothing is missed.
3. Who does not read what is written is closed when too much waits; it can resume.
4. While nobody is subscribed nothing is followed: owners then fold in larger batches.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeVar

from airy_ray.cluster.access import ReadAccess, access_to
from airy_ray.cluster.feeds import PAGE_BYTES, PAGE_CHANGES, Feeds
from airy_ray.errors import DamagedError, PartitionUnavailableError, StateError
from airy_ray.model.ids import ChannelId, ConversationId, PartitionIndex
from airy_ray.projections import keys
from airy_ray.serve.realtime.connection import Connection
from airy_ray.serve.realtime.metrics import RealtimeMetrics
from airy_ray.serve.realtime.positions import Places, Positions
from airy_ray.serve.realtime.telling import Changes, Telling, event_message
from airy_ray.state.feed import FeedPage, feed_head, is_recoverable, read_feed
from airy_ray.state.queries import Reading
from airy_ray.stomp.frame import Frame

V = TypeVar("V")

logger = logging.getLogger(__name__)

_RETRY_S = 0.1
_UNREADABLE = (StateError, DamagedError, PartitionUnavailableError)

PRESENCE = b"presence"
"""The topic of who listens to which agents are there."""

Topic = ConversationId | ChannelId | bytes

Wanted = Callable[[Telling], bool]
"""Whether a subscription hears of a change."""


@dataclass(eq=False, slots=True)
class Subscription:
    """What one client wants to hear of.

    Attributes:
        head: how its MESSAGE frames begin.
        topic: the conversation or channel that it is to; None for all.
        is_wanted: what else has to hold; None for nothing.
        hears: what kinds of things; visitors hear messages on one destination, the rest on another.
        viewed: the conversation that somebody has open by this.
        is_told_positions: whether it hears every now and then how far it is.
    """

    connection: Connection
    name: str
    head: bytes
    topic: Topic | None = None
    is_wanted: Wanted | None = None
    hears: Literal["all", "visitor messages", "visitor events"] = "all"
    viewed: ConversationId | None = None
    is_told_positions: bool = False

    def concerns(self, telling: Telling) -> bool:
        """Whether it hears of a change."""
        if telling.is_for_all:
            return self.hears == "all" and self.topic != PRESENCE
        if self.topic is not None and self.topic not in telling.topics:
            return False
        if self.hears == "visitor events":
            return telling.is_ephemeral and telling.is_for_visitors
        if self.hears == "visitor messages" and not telling.is_for_visitor:
            return False
        return self.is_wanted is None or self.is_wanted(telling)

    def message(self, telling: Telling) -> bytes:
        """Return the WebSocket message that tells of a change."""
        if self.hears == "visitor messages":
            return telling.visitor_message(self.head)
        return telling.message(self.head)


class Hub:
    """The subscriptions of one process, and the feeds that they hear of."""

    def __init__(
        self,
        feeds: Feeds,
        accesses: Mapping[PartitionIndex, ReadAccess],
        positions: Positions,
        metrics: RealtimeMetrics,
        *,
        queue_bytes: int,
        resume_events: int,
    ) -> None:
        self._feeds = feeds
        self._accesses = accesses
        self.positions = positions
        self._metrics = metrics
        self._queue_bytes = queue_bytes
        self._resume_events = resume_events
        self._changes = Changes(accesses, positions)
        self._places: Places = {}
        self._moved = asyncio.Event()
        self._subscribers = 0
        self._has_subscribers = asyncio.Event()
        self._entering = asyncio.Lock()
        self._followers: list[asyncio.Task[None]] = []
        self._everybody: dict[bytes, set[Connection]] = {}
        self._selective: set[Subscription] = set()
        self._topics: dict[bytes, set[Subscription]] = {}
        self._told_positions: set[Subscription] = set()

    async def start(self) -> None:
        """Find out where the feeds are; only then can anybody subscribe."""
        for partition in self._accesses:
            self._places[partition] = await self._head(partition)
        self._followers = [asyncio.create_task(self._follow(each)) for each in self._accesses]

    async def enter(self) -> None:
        """Count one more subscription; the feeds are followed when this returns."""
        self._subscribers += 1
        async with self._entering:  # who comes second must not move on who hears already
            if self._has_subscribers.is_set():
                return
            for partition in self._accesses:
                with suppress(*_UNREADABLE):  # then it is followed from where it was
                    access = access_to(self._accesses, partition)
                    self._places[partition] = await access.ask(feed_head)
            self._has_subscribers.set()

    def stop(self) -> None:
        """Follow no more."""
        for follower in self._followers:
            follower.cancel()
        self._feeds.close()

    @property
    def told(self) -> str:
        """The positions up to which all has been told, as a header has them."""
        return self.positions.all(self._places)

    def join(self, subscription: Subscription) -> None:
        """Have a subscription hear of everything from here on."""
        if subscription.topic is not None:
            self._topics.setdefault(subscription.topic, set()).add(subscription)
        elif subscription.is_wanted is not None:
            self._selective.add(subscription)
        else:
            self._everybody.setdefault(subscription.head, set()).add(subscription.connection)
        if subscription.is_told_positions:
            self._told_positions.add(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Have it hear nothing more; it has entered, whether it has joined or not."""
        self._subscribers -= 1
        if not self._subscribers:
            self._has_subscribers.clear()
        self._told_positions.discard(subscription)
        if subscription.topic is not None:
            _discard(self._topics, subscription.topic, subscription)
        elif subscription.is_wanted is not None:
            self._selective.discard(subscription)
        else:
            _discard(self._everybody, subscription.head, subscription.connection)

    async def is_recoverable(self, places: Places) -> bool:
        """Whether all that came after some places is still there, and not too much."""
        left = self._resume_events
        for partition, place in places.items():
            access = access_to(self._accesses, partition)
            if not await access.ask(is_recoverable, place):
                return False
            left -= await access.ask(Reading.change_count, place, left + 1)
            if left < 0:
                return False
        return True

    async def catch_up(self, subscription: Subscription, places: Places) -> None:
        """Send what a subscription missed, at its client's pace; then it joins the others."""
        connection = subscription.connection
        while places != self._places:
            for partition, place in places.items():
                if place < self._places[partition]:
                    places[partition] = await self._send_missed(subscription, partition, place)
                    await connection.wire.drained()
                    await asyncio.sleep(0)  # others have their turn
                    if connection.wire.is_closed:
                        return
            if all(place >= self._places[each] for each, place in places.items()):
                await self._moving(places)
        self.join(subscription)

    def tell_positions(self) -> None:
        """Tell how far they are those who might hear nothing else for long."""
        told = self.told
        for subscription in self._told_positions:
            connection = subscription.connection
            connection.send(_positions_frame(subscription.name, told))

    async def behind(self) -> int:
        """Return how many records the partition is behind that is most, with what is told of it."""
        if not self._subscribers:
            return 0
        behind = 0
        for partition, place in list(self._places.items()):
            with suppress(*_UNREADABLE):
                head = await access_to(self._accesses, partition).ask(feed_head)
                behind = max(behind, keys.position(head) - keys.position(place))
        return behind

    async def _follow(self, partition: PartitionIndex) -> None:
        """Tell of what changes in a partition, for ever."""
        while True:
            await self._has_subscribers.wait()
            try:
                async for page in self._feeds.pages(partition, self._places[partition]):
                    if not self._has_subscribers.is_set():
                        break
                    await self._tell(partition, page)
            except Exception:  # whatever it is, the others must not stand still for it
                logger.exception("partition %s: telling of changes failed", partition)
                await asyncio.sleep(_RETRY_S)

    async def _tell(self, partition: PartitionIndex, page: FeedPage) -> None:
        """Send a page to everybody whom it concerns, between two turns of the event loop."""
        if not page.is_whole:
            logger.error("partition %s: changes went before they were told", partition)
            self._end_all("some changes went before they could be told: resume")
        place = self._places[partition]
        news = [each for each in page.changes if each[0] >= place]  # it may have gone on meanwhile
        looks = bool(self._selective or self._topics)
        tellings = await self._changes.tellings(partition, news, looks=looks)
        if self._places[partition] != place:
            return  # all have left meanwhile, and who came after that begins later
        self._places[partition] = max(place, page.place)
        self._moved.set()
        self._dispatch(tellings)

    def tell_ephemeral(self, telling: Telling) -> None:
        """Send an ephemeral event to those who listen to its conversation or its channel."""
        self._dispatch_selected(telling, ())

    def tell_presence(self, event: bytes) -> None:
        """Send who is there, or no more, to those who listen to that."""
        for subscription in self._topics.get(PRESENCE, ()):
            self._write(event_message(subscription.head, event), (subscription.connection,))

    def _dispatch(self, tellings: list[Telling]) -> None:
        if not tellings:
            return
        for head, connections in self._everybody.items():
            self._metrics.delivered(len(tellings) * len(connections))
            self._write(b"".join([each.message(head) for each in tellings]), connections)
        if self._selective or self._topics:
            for telling in tellings:
                self._dispatch_selected(telling, self._selective)

    def _dispatch_selected(self, telling: Telling, selective: Iterable[Subscription]) -> None:
        concerned = [each for each in selective if each.concerns(telling)]
        for topic in self._topics if telling.is_for_all else telling.topics:
            listening = self._topics.get(topic, ())
            concerned += [each for each in listening if each.concerns(telling)]
        self._metrics.delivered(len(concerned))
        for subscription in concerned:
            self._write(subscription.message(telling), (subscription.connection,))

    def _write(self, written: bytes, connections: Iterable[Connection]) -> None:
        slow = []
        for connection in connections:
            wire = connection.wire
            wire.write(written)
            if wire.waiting_bytes > self._queue_bytes:
                slow.append(connection)
        for connection in slow:
            self._metrics.closed("slow")
            connection.give_up("too slow: what waits is more than realtime.queue_bytes")

    async def _send_missed(
        self, subscription: Subscription, partition: PartitionIndex, place: int
    ) -> int:
        """Send one page of what a subscription missed; return the place behind it.

        Never beyond where all others are.
        """
        try:
            access = access_to(self._accesses, partition)
            page = await access.ask(read_feed, place, PAGE_CHANGES, PAGE_BYTES)
        except _UNREADABLE:
            await asyncio.sleep(_RETRY_S)
            return place
        if not page.is_whole:
            subscription.connection.give_up("what was missed went by age meanwhile: reload")
            return place
        end = self._places[partition]
        missed = [each for each in page.changes if each[0] < end]
        looks = subscription.topic is not None or subscription.is_wanted is not None
        tellings = await self._changes.tellings(partition, missed, looks=looks)
        written = [subscription.message(each) for each in tellings if subscription.concerns(each)]
        if written:
            self._metrics.delivered(len(written))
            subscription.connection.wire.write(b"".join(written))
        return min(page.place, end)

    async def _moving(self, places: Places) -> None:
        """Wait until the others are where this one was told to be, elsewhere, before."""
        while any(place > self._places[each] for each, place in places.items()):
            self._moved.clear()
            await self._moved.wait()

    async def _head(self, partition: PartitionIndex) -> int:
        while True:
            try:
                return await access_to(self._accesses, partition).ask(feed_head)
            except _UNREADABLE:
                await asyncio.sleep(_RETRY_S)

    def _end_all(self, reason: str) -> None:
        for connections in [*self._everybody.values()]:
            for connection in list(connections):
                connection.give_up(reason)
        for subscription in [
            *self._selective,
            *(s for each in self._topics.values() for s in each),
        ]:
            subscription.connection.give_up(reason)


def _positions_frame(name: str, told: str) -> Frame:
    """Return what tells a client how far it is (design: §6, "Resume")."""
    headers = {"destination": "/positions", "subscription": name, "message-id": told}
    return Frame("MESSAGE", headers | {"positions": told})


def _discard(index: dict[bytes, set[V]], key: bytes, value: V) -> None:
    found = index.get(key)
    if found is not None:
        found.discard(value)
        if not found:
            del index[key]
