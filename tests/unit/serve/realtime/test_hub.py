"""Subscribers who come and go while changes are told: nothing is missed, nothing comes twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest

from airy_ray.cluster.access import ReadAccess
from airy_ray.cluster.feeds import Feeds
from airy_ray.model.ids import ConversationId, PartitionIndex
from airy_ray.projections.history import RELOAD
from airy_ray.projections.view import Change
from airy_ray.serve.realtime.connection import Connection
from airy_ray.serve.realtime.hub import PRESENCE, Hub, Subscription
from airy_ray.serve.realtime.metrics import RealtimeMetrics
from airy_ray.serve.realtime.positions import Positions
from airy_ray.serve.realtime.telling import Telling
from airy_ray.state.feed import FeedPage, feed_head

PARTITION = PartitionIndex(0)
CONVERSATION = ConversationId(b"c" * 16)
TURNS = 20  # of the event loop: more than anything here takes


class Partition:
    """One partition's feed, whose answers can be held back."""

    def __init__(self) -> None:
        self.count = 0
        self.held: list[asyncio.Event] = []
        self.is_holding = False
        self.is_looked_at = asyncio.Event()
        self.is_looked_at.set()

    async def ask(self, question: Any, *_: Any) -> Any:
        if self.is_holding:
            self.held.append(asyncio.Event())
            await self.held[-1].wait()
        return self.count if question is feed_head else None

    async def pages(self, _: PartitionIndex, place: int) -> AsyncIterator[FeedPage]:
        while True:
            await self.is_looked_at.wait()
            if self.count > place:
                changes = [(each, change(each)) for each in range(place, self.count)]
                place = self.count
                yield FeedPage(changes, place, has_more=False, is_whole=True)
            await asyncio.sleep(0)

    def close(self) -> None:
        pass


class Wire:
    waiting_bytes = 0
    is_closed = False

    def __init__(self) -> None:
        self.heard: list[int] = []

    def write(self, messages: bytes) -> None:
        self.heard += [int(each[:1]) for each in messages.split(b"change ")[1:]]


class Client:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.wire = Wire()

    async def subscribe(self) -> Subscription:
        await self.hub.enter()
        connection = cast(Connection, self)
        subscription = Subscription(connection, "s", b"MESSAGE\n", CONVERSATION)
        self.hub.join(subscription)
        return subscription


def change(number: int) -> Change:
    event = b'{"type":"metadata.updated","payload":{"subject":"change %d"}}' % number
    return Change("metadata.updated", CONVERSATION, None, event)


async def some_turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def metrics() -> RealtimeMetrics:
    return RealtimeMetrics()


def with_hub(metrics: RealtimeMetrics, tell: Callable[[Hub, Partition], Awaitable[None]]) -> None:
    async def main() -> None:
        partition = Partition()
        accesses = {PARTITION: cast(ReadAccess, partition)}
        hub = Hub(
            cast(Feeds, partition),
            accesses,
            Positions("h", accesses),
            metrics,
            queue_bytes=1 << 20,
            resume_events=100,
        )
        await hub.start()
        await tell(hub, partition)
        hub.stop()

    asyncio.run(main())


def test_who_subscribes_at_the_same_time_takes_nothing_from_the_first(
    metrics: RealtimeMetrics,
) -> None:
    async def tell(hub: Hub, partition: Partition) -> None:
        first, second = Client(hub), Client(hub)
        partition.is_holding = True
        subscribing = [asyncio.create_task(each.subscribe()) for each in (first, second)]
        await some_turns()
        partition.is_holding = False
        partition.held.pop(0).set()
        await asyncio.wait(subscribing, return_when=asyncio.FIRST_COMPLETED)
        partition.is_looked_at.clear()
        partition.count = 1
        for each in partition.held:
            each.set()
        await asyncio.gather(*subscribing)
        partition.is_looked_at.set()
        await some_turns()

        assert first.wire.heard == [0]

    with_hub(metrics, tell)


def test_who_comes_when_all_others_left_hears_nothing_that_was_before(
    metrics: RealtimeMetrics,
) -> None:
    async def tell(hub: Hub, partition: Partition) -> None:
        first, second = Client(hub), Client(hub)
        leaving = await first.subscribe()
        await some_turns()
        partition.is_holding = True
        partition.count = 1  # its telling waits for what it belongs to
        await some_turns()
        partition.is_holding = False
        hub.leave(leaving)
        partition.count = 2
        await second.subscribe()
        for each in partition.held:
            each.set()
        await some_turns()
        partition.count = 3
        await some_turns()

        assert second.wire.heard == [2]

    with_hub(metrics, tell)


@pytest.mark.parametrize(
    ("listening", "is_heard"),
    [
        pytest.param({"topic": CONVERSATION}, True, id="to one conversation"),
        pytest.param({"is_wanted": lambda _: False}, True, id="with a filter"),
        pytest.param({}, True, id="to everything"),
        pytest.param({"topic": PRESENCE}, False, id="to who is there"),
        pytest.param({"topic": CONVERSATION, "hears": "visitor messages"}, False, id="visitor"),
    ],
)
def test_that_history_was_replaced_concerns_whoever_listens(
    metrics: RealtimeMetrics, listening: dict[str, Any], is_heard: bool
) -> None:
    async def tell(hub: Hub, _: Partition) -> None:
        client = Client(hub)
        connection = cast(Connection, client)
        hub.join(Subscription(connection, "s", b"MESSAGE\n", **listening))
        replaced = Change(RELOAD, None, None, b'{"type":"history.replaced","payload":"change 7"}')
        hub._dispatch([Telling(replaced, b"h.0.7")])

        assert client.wire.heard == ([7] if is_heard else [])

    with_hub(metrics, tell)
