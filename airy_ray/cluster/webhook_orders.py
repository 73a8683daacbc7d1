"""Orders of a webhook carried out: a test, and events told once more.

An order is done once everything that it asks for is in the backlog; one that a crash broke off is
begun again, which changes nothing about what is in the backlog already.
"""

import asyncio
import logging

from airy_ray.clock import Millis, now_micros, now_millis
from airy_ray.cluster.access import asked
from airy_ray.cluster.webhook_backlog import Attempt
from airy_ray.cluster.webhook_caller import WebhookCaller
from airy_ray.cluster.webhook_reading import FeedReader, named
from airy_ray.model.ids import PartitionIndex
from airy_ray.model.webhook import Order
from airy_ray.publishing.events import Event, events_of, placed, test_event
from airy_ray.publishing.waiting import Waiting
from airy_ray.state.feed import feed_head, read_feed
from airy_ray.state.queries import Reading

logger = logging.getLogger(__name__)


class Orders:
    """Carries out the orders of one webhook, one after the other."""

    def __init__(self, caller: WebhookCaller) -> None:
        self._caller = caller
        self._backlog = caller.backlog
        self._accesses = caller.accesses
        self.news = asyncio.Event()

    async def run(self) -> None:
        """Carry out what is ordered, now and from now on."""
        while True:
            self.news.clear()
            for order in self._caller.webhook.orders:
                if order.number > self._backlog.standing.ordered:
                    await self._carry_out(order)
                    self._backlog.standing.ordered = order.number
            await self.news.wait()

    async def _carry_out(self, order: Order) -> None:
        match order.kind:
            case "test":
                self._call(test_event(self._caller.webhook.id, order))
            case "event":
                await self._call_again(order)
            case "failed":
                await self._call_failed(order.since)
            case "range":
                for partition in self._accesses:
                    await self._call_range(partition, order)

    async def _call_failed(self, since: Millis) -> None:
        """Call what has failed for good since an instant, and what fails now, as if it were new."""
        now = now_millis()
        for lane, waiting in list(self._backlog.all_waiting()):
            if waiting.failed_at is not None and waiting.failed_at >= since:
                self._caller.keep(waiting.again(now), lane)
        for waiting in self._backlog.exhume(since):
            await self._caller.room()
            self._call(waiting.event)

    async def _call_again(self, order: Order) -> None:
        event = await self._event(order.event_id)
        if event is not None:
            self._call(event)
            return
        logger.warning("webhook %s: an event to be told again is gone", named(self._caller.webhook))
        error = "this event is not known any more"
        attempt = Attempt(order.event_id, "", b"", now_millis(), 0, 0, None, error, "dead", False)
        self._backlog.note(attempt, now_micros())

    async def _event(self, identifier: str) -> Event | None:
        """Return the event with an id, as long as the feed or the backlog has it."""
        found = placed(self._caller.spec.lineage, identifier)
        if found is None or found[0] not in self._accesses:
            return None
        partition, sequence, kind = found
        page = await asked(self._accesses, partition, read_feed, sequence, 1, 1)
        for at, change in page.changes:
            for event in events_of(partition, at, change, now_millis()):
                if at == sequence and event.kind == kind:
                    return event
        kept = [each.event for _, each in self._backlog.all_waiting()]
        kept += [each.event for each in self._backlog.all_dead()]
        return next(
            (e for e in kept if (e.partition, e.sequence, e.kind) == found),
            None,
        )

    async def _call_range(self, partition: PartitionIndex, order: Order) -> None:
        end = await asked(self._accesses, partition, feed_head)
        start = await asked(self._accesses, partition, Reading.feed_start)
        reader = FeedReader(self._accesses, partition, start)
        while reader.place < end:
            await self._caller.room()
            for event in await self._caller.events_in(partition, reader):
                is_within = order.until is None or event.at < order.until
                if event.sequence < end and event.at >= order.since and is_within:
                    self._call(event)
            await asyncio.sleep(0)  # what is fresh has its turn

    def _call(self, event: Event) -> None:
        self._caller.keep(Waiting(event, now_millis()), event.lane)
