"""What contacts write, told to the bots that are configured: a consumer of the change feeds.

1. A bot begins with what comes after it was first configured; where it is since then is kept.
2. Only new messages of contacts are told: no edits, deletions or reactions, nothing of ours.
3. It runs within the courier's process, and only there where a bot is configured.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from airy_ray.bots.bot import Bot
from airy_ray.cluster.access import Appends, LocalAccess
from airy_ray.cluster.asking import Asking
from airy_ray.cluster.bot_metrics import BotMetrics, Outcome
from airy_ray.cluster.bots import CONSUMER
from airy_ray.cluster.feed_places import FeedPlace
from airy_ray.cluster.feeds import PAGE_BYTES, PAGE_CHANGES, Feeds
from airy_ray.cluster.own_partitions import OwnPartitions
from airy_ray.cluster.platform_calls import PlatformCalls
from airy_ray.model.ids import REGISTRY, PartitionIndex
from airy_ray.projections.view import Change
from airy_ray.state.feed import feed_head, read_feed

logger = logging.getLogger(__name__)

_KEEP_S = 1.0
"""How often it is kept where they are; that a bot is asked once is up to the log."""
_AGAIN_S = 5.0
_CREATED = "message.created"
_FROM_CONTACT = b'"from_contact":true'
"""In every event of a contact's message, and seldom in others: who takes it up looks at its row."""


async def answer(
    bots: Sequence[Bot],
    accesses: Mapping[PartitionIndex, LocalAccess],
    appender: Appends,
    feeds: Feeds,
    *,
    within_s: float,
) -> None:
    """Have bots asked until cancelled, then hear those out who are asked if they take no longer."""
    answering = Answering(bots, accesses, appender, feeds, BotMetrics().count)
    try:
        await answering.run()
    finally:
        await answering.stop(within_s)


class Answering:
    """Has bots asked about what comes in the partitions of this machine; used in one event loop."""

    def __init__(
        self,
        bots: Sequence[Bot],
        accesses: Mapping[PartitionIndex, LocalAccess],
        appender: Appends,
        feeds: Feeds,
        count: Callable[[str, Outcome], None],
    ) -> None:
        self._directories = {
            index: access.spec.directory for index, access in accesses.items() if index != REGISTRY
        }
        self._partitions = OwnPartitions(accesses, appender)
        self._feeds = feeds
        self._calls = PlatformCalls()
        self._asking = [Asking(each, self._partitions, self._calls, count) for each in bots]

    async def run(self) -> None:
        """Have bots asked until cancelled."""
        async with asyncio.TaskGroup() as group:
            for index in self._directories:
                for asking in self._asking:
                    group.create_task(self._keep_following(index, asking))

    async def stop(self, within_s: float) -> None:
        """Ask nothing more; hear those out who are asked if they take no longer."""
        await asyncio.gather(*(each.stop(within_s) for each in self._asking))
        await self._calls.close()

    async def _keep_following(self, index: PartitionIndex, asking: Asking) -> None:
        """Follow a partition for a bot, whatever happens: the courier goes on beside it."""
        while True:
            try:
                await self._follow(index, asking)
            except Exception:  # whatever it is, messages go out all the same
                logger.exception("partition %d: %s hears nothing", index, asking.bot.name)
            await asyncio.sleep(_AGAIN_S)

    async def _follow(self, index: PartitionIndex, asking: Asking) -> None:
        """Have a bot asked about what comes in a partition, from where it is."""
        consumer = CONSUMER + asking.bot.name
        kept = FeedPlace(self._directories[index], consumer, every_s=_KEEP_S)
        await self._partitions.applied(index)
        head = await self._partitions.ask(index, feed_head)
        place = head if kept.place is None else min(kept.place, head)
        await kept.keep(place)
        async for _ in self._feeds.written(index, "unread"):
            place = await self._take_in_since(index, place, asking)
            await kept.keep(asking.settled(index, place))

    async def _take_in_since(self, index: PartitionIndex, place: int, asking: Asking) -> int:
        """Take in what the change feed tells of from a place on; return the place behind it."""
        has_more = True
        while has_more:
            await asking.room()
            page = await self._partitions.ask(index, read_feed, place, PAGE_CHANGES, PAGE_BYTES)
            if not page.is_whole:
                logger.warning("partition %d: bots hear nothing of what was too old", index)
            for sequence, change in page.changes:
                _take_in(asking, index, sequence, change)
            place, has_more = page.place, page.has_more
        return place


def _take_in(asking: Asking, index: PartitionIndex, sequence: int, change: Change) -> None:
    conversation, message = change.conversation_id, change.message_id
    if change.kind != _CREATED or conversation is None or message is None:
        return
    if _FROM_CONTACT in change.event:
        asking.add(index, conversation, message, sequence)
