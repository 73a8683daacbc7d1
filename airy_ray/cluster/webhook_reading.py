"""What one webhook is to hear of, read from the feeds of all partitions."""

import asyncio
from collections.abc import Callable

from airy_ray.clock import Millis, now_millis, to_millis
from airy_ray.cluster.access import Accesses, asked
from airy_ray.cluster.feeds import PAGE_BYTES, PAGE_CHANGES
from airy_ray.model.ids import ConversationId, PartitionIndex, format_id
from airy_ray.model.webhook import Webhook, wants
from airy_ray.projections import keys
from airy_ray.projections.view import Change
from airy_ray.publishing.events import Event, events_of
from airy_ray.state.feed import feed_head, read_feed
from airy_ray.state.queries import Reading
from airy_ray.state.search.documents import conversation_document


class Wanted:
    """What a webhook hears of, as its row in the registry says."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self._matches: Callable[..., bool] | None = None
        if webhook.filter is not None:
            # loads the filter language, which who has no filters does without
            from airy_ray.filters.syntax import parse
            from airy_ray.state.search.matching import compiled

            self._matches = compiled(parse(webhook.filter))

    async def of(
        self, accesses: Accesses, partition: PartitionIndex, sequence: int, change: Change
    ) -> list[Event]:
        """Return the events of a change that the webhook hears of."""
        events = list(events_of(partition, sequence, change, Millis(0)))
        if any(not event.at for event in events):
            received_at = await asked(accesses, partition, _received_at, keys.position(sequence))
            events = list(events_of(partition, sequence, change, received_at))
        webhook = self._webhook
        told = [
            each for each in events if each.at >= webhook.start_at and wants(webhook, each.kind)
        ]
        if told and not await self._finds(accesses, partition, change.conversation_id):
            return []
        return told

    async def _finds(
        self, accesses: Accesses, partition: PartitionIndex, conversation: ConversationId | None
    ) -> bool:
        """Whether the filter finds a conversation as it is now; of other things it finds none."""
        if self._matches is None:
            return True
        if conversation is None:
            return False
        found = await asked(accesses, partition, Reading.conversation, conversation)
        return found is not None and self._matches(conversation_document(found))


class FeedReader:
    """Reads one partition's feed on for one webhook, when it is told that there is more.

    Attributes:
        place: from where to read on.
        news: set when there is more.
    """

    def __init__(self, accesses: Accesses, partition: PartitionIndex, place: int) -> None:
        self._accesses = accesses
        self.partition = partition
        self.place = place
        self.news = asyncio.Event()

    async def page(self) -> tuple[list[tuple[int, Change]], tuple[int, int] | None]:
        """Return what comes next, once the feed has gone on, and what was missed before it."""
        while True:
            self.news.clear()
            place = self.place
            page = await asked(
                self._accesses, self.partition, read_feed, place, PAGE_CHANGES, PAGE_BYTES
            )
            self.place = page.place
            if page.has_more:
                self.news.set()
            if page.place != place or not page.is_whole:
                if page.is_whole:
                    return page.changes, None
                start = await asked(self._accesses, self.partition, Reading.feed_start)
                return page.changes, (place, start)
            await self.news.wait()


async def heads(accesses: Accesses) -> dict[int, int]:
    """Return the places behind all that has happened until now."""
    return {int(each): await asked(accesses, each, feed_head) for each in accesses}


def _received_at(view: Reading, offset: int) -> Millis:
    """Return when a record came, or the present instant once nobody knows any more."""
    rows = view.ledger(offset + 1, 1)
    if rows and rows[0][0] == offset:
        return to_millis(rows[0][1].received_at)
    return now_millis()


def named(webhook: Webhook) -> str:
    """Return what the log calls a webhook: never its address, which may be secret."""
    return format_id(webhook.id)
