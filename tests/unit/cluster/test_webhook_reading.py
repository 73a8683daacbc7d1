"""What a webhook is to hear of: read on from its place, nothing old, no gap unnoticed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import pytest

from airy_ray.clock import Millis, now_millis
from airy_ray.cluster.access import Accesses
from airy_ray.cluster.webhook_reading import FeedReader, Wanted, heads
from airy_ray.errors import RebuildingError
from airy_ray.model.ids import PartitionIndex
from airy_ray.model.webhook import Webhook
from airy_ray.projections.view import Change
from airy_ray.state.feed import FeedPage, feed_head, read_feed
from airy_ray.state.queries import Reading
from tests import builders
from tests.builders import NOW

FIRST = PartitionIndex(0)
CREATED = Change(
    "message.created",
    builders.conversation_id(),
    builders.message_id(),
    b'{"type":"message.created","timestamp":%d,"payload":{}}' % NOW,
)
CONNECTED = Change(
    "channel.updated",
    None,
    None,
    b'{"timestamp":null,"payload":{"id":"0000e8b3-4535-8d5b-a20e-3b36d709dd8b"}}',
)


class Partition:
    """A partition that answers questions as it was told to; errors are raised."""

    def __init__(self, *answers: tuple[Callable[..., Any], Any]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[Any, ...]] = []

    async def ask(self, query: Callable[..., Any], *args: Any) -> Any:
        expected, answer = self._answers.pop(0)
        assert query == expected or expected is any
        self.asked.append(args)
        if isinstance(answer, Exception):
            raise answer
        return answer


def webhook(**fields: Any) -> Webhook:
    plain = Webhook(b"hook", "https://a.org", None, {}, (), (), 0, Millis(0), {})
    return msgspec.structs.replace(plain, **fields)


def read(partition: Partition, use: Callable[[Accesses], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        return await use(cast(Accesses, {FIRST: partition}))

    return asyncio.run(main())


def test_a_feed_is_read_on_until_there_is_something() -> None:
    nothing = FeedPage([], 5, has_more=False, is_whole=True)
    page = FeedPage([(7, CREATED)], 8, has_more=False, is_whole=True)
    partition = Partition((read_feed, nothing), (read_feed, page))

    async def use(accesses: Accesses) -> Any:
        reader = FeedReader(accesses, FIRST, 5)
        waiting = asyncio.create_task(reader.page())
        await asyncio.sleep(0)  # it has asked, and waits
        assert len(partition.asked) == 1
        reader.news.set()
        return await waiting, reader.place

    (changes, missed), place = read(partition, use)
    assert (changes, missed, place) == ([(7, CREATED)], None, 8)
    assert [asked[0] for asked in partition.asked] == [5, 5]


def test_what_went_by_age_is_noticed() -> None:
    page = FeedPage([], 90, has_more=False, is_whole=False)
    partition = Partition((read_feed, page), (Reading.feed_start, 70))

    told = read(partition, lambda accesses: FeedReader(accesses, FIRST, 5).page())
    assert told == ([], (5, 70))


def test_a_state_that_cannot_be_read_is_waited_for() -> None:
    partition = Partition((feed_head, RebuildingError(1, 2)), (feed_head, 9))

    assert read(partition, heads) == {0: 9}


@pytest.mark.parametrize(("start_at", "count"), [(NOW, 3), (NOW + 1, 0)])
def test_what_happened_before_the_beginning_is_not_told(start_at: int, count: int) -> None:
    wanted = Wanted(webhook(start_at=Millis(start_at)))

    told = read(Partition(), lambda accesses: wanted.of(accesses, FIRST, 7, CREATED))
    assert len(told) == count


def test_only_asked_for_types_are_told() -> None:
    wanted = Wanted(webhook(events=("message.updated", "tag.updated")))

    told = read(Partition(), lambda accesses: wanted.of(accesses, FIRST, 7, CREATED))
    assert [each.kind for each in told] == ["message.updated"]


def test_what_has_no_time_happened_when_its_record_came() -> None:
    received_at = Millis(now_millis() - 1_000)
    wanted = Wanted(webhook())

    partition = Partition((any, received_at))
    [told] = read(partition, lambda accesses: wanted.of(accesses, FIRST, 3 << 16, CONNECTED))
    assert (told.at, partition.asked) == (received_at, [(3,)])


def test_a_filter_finds_conversations_as_they_are_and_nothing_else() -> None:
    wanted = Wanted(webhook(filter="source:facebook"))
    matching = Partition((Reading.conversation, builders.conversation()))
    other = Partition((Reading.conversation, builders.conversation(source="google")))

    async def of(accesses: Accesses) -> Any:
        return await wanted.of(accesses, FIRST, 7, CREATED)

    assert len(read(matching, of)) == 3
    assert read(other, of) == []
    assert read(Partition((Reading.conversation, None)), of) == []
    at = Partition((any, Millis(NOW)))
    assert read(at, lambda accesses: wanted.of(accesses, FIRST, 7, CONNECTED)) == []
