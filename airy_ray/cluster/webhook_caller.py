"""Calls one webhook: in order within a conversation, side by side across, again if need be.

1. A fresh event waits in memory, and its webhook's place in the feed stays before it, until it is
   delivered or, if its first attempt fails, kept in the backlog with all behind it in its lane.
2. A lane has one event on its way at most. What is fresh in a lane of which something is in the
   backlog goes there too.
3. Whoever fails for long enough steps aside: it gets a lane of its own, and the others go on.
4. What waits while an endpoint is down takes no memory: it is in the backlog, and when that is
   full in the feed.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from airy_ray.clock import Micros, Millis, now_micros, now_millis, to_millis
from airy_ray.cluster.access import Accesses, asked
from airy_ray.cluster.webhook_answers import Answers, heard_of
from airy_ray.cluster.webhook_backlog import (
    GAPS_KEPT,
    WAITING_MAX,
    Attempt,
    Backlog,
    Gap,
)
from airy_ray.cluster.webhook_bodies import Told, told_of
from airy_ray.cluster.webhook_kept import Kept
from airy_ray.cluster.webhook_reading import FeedReader, Wanted, named
from airy_ray.cluster.webhook_spec import CallingSpec
from airy_ray.model.ids import PartitionIndex
from airy_ray.model.webhook import Webhook, good_keys, wants
from airy_ray.publishing import signing
from airy_ray.publishing.events import Event, event_id
from airy_ray.publishing.progress import Progress
from airy_ray.publishing.queue import Queue
from airy_ray.publishing.schedule import (
    DISABLED_AFTER_MS,
    GONE,
    Answer,
    Fate,
    after_failure,
)
from airy_ray.publishing.throttle import Throttle
from airy_ray.publishing.waiting import Waiting
from airy_ray.state.queries import Reading

logger = logging.getLogger(__name__)

_QUEUE_MAX = 512
"""How many fresh events of one webhook are in memory before its feeds are read on."""
_REST_S_MAX = 3_600.0


class Posts(Protocol):
    """How calls are made."""

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """Make one call; return what came of it."""
        ...


Disable = Callable[[Webhook, str], Awaitable[None]]
"""Has the registry call a webhook no more, for a reason."""


class WebhookCaller:
    """Calls one webhook from its beginning on; used in one event loop.

    Attributes:
        webhook: as the registry has it now.
        backlog: what is kept of its work.
    """

    def __init__(
        self,
        webhook: Webhook,
        backlog: Backlog,
        accesses: Accesses,
        posts: Posts,
        spec: CallingSpec,
        disable: Disable,
        answers: Answers,
    ) -> None:
        self.webhook = webhook
        self.backlog = backlog
        self.accesses = accesses
        self.spec = spec
        self._posts = posts
        self._disable = disable
        self._answers = answers
        self._wanted = Wanted(webhook)
        self._loop = asyncio.get_running_loop()
        self._readers: dict[PartitionIndex, FeedReader] = {}
        self._progress: dict[PartitionIndex, Progress] = {}
        self._queue = Queue()
        self._throttle = Throttle(spec.at_once)
        self._kept = Kept(backlog, spec.hold_ms)
        self._saved: dict[PartitionIndex, int] = {}
        self._turns: set[asyncio.Task[None]] = set()
        self._stirred = asyncio.Event()
        self._moved = asyncio.Event()
        self._is_stopping = False
        self._error: BaseException | None = None

    async def begin(self) -> None:
        """Find where to read the feeds on; comes before anything else."""
        for partition in self.accesses:
            place = self.backlog.place(partition)
            if place is None and self.spec.lineage.has_kept(partition, self.webhook.began):
                place = self.webhook.places.get(partition)
            if place is None:
                place = await asked(self.accesses, partition, Reading.feed_start)
            self._readers[partition] = FeedReader(self.accesses, partition, place)
            self._progress[partition] = Progress(place)

    async def run(self) -> None:
        """Call until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reader in self._readers.values():
                group.create_task(self._read(reader))
            group.create_task(self._pump())

    async def stop(self, within_s: float) -> None:
        """Begin nothing more; see calls that are under way to their end if that is soon."""
        self._is_stopping = True
        if self._turns:
            await asyncio.wait(self._turns, timeout=within_s)
        left = list(self._turns)
        for turn in left:
            turn.cancel()
        if left:
            await asyncio.wait(left)

    def change(self, webhook: Webhook) -> None:
        """Go on as a changed row of the registry says."""
        if webhook.filter != self.webhook.filter or webhook.events != self.webhook.events:
            self._wanted = Wanted(webhook)
        self.webhook = webhook

    def hear(self, partition: PartitionIndex) -> None:
        """Take note that there is more in a feed."""
        if partition in self._readers:
            self._readers[partition].news.set()

    def save(self) -> None:
        """Have written how far this is, with all that it depends on."""
        for partition, progress in self._progress.items():
            place = progress.place
            if self._saved.get(partition) != place:
                self._saved[partition] = place
                self.backlog.put_place(partition, place)
        self.backlog.put_standing()

    def keep(self, waiting: Waiting, lane: bytes) -> None:
        """Have an event called from the backlog, and what is fresh in its lane after it."""
        for event in self._queue.withdraw(lane):
            self._set_by(event, lane)
        self._kept.add(waiting, lane)
        self._stirred.set()

    async def room(self) -> None:
        """Wait until the backlog has room."""
        while self.backlog.standing.waiting >= WAITING_MAX:
            await self._moving()

    async def events_in(self, partition: PartitionIndex, reader: FeedReader) -> list[Event]:
        """Return the events of the next page of a feed."""
        changes, missed = await reader.page()
        if missed is not None:
            self._note_gap(partition, *missed)
        return [
            event
            for sequence, change in changes
            for event in await self._wanted.of(self.accesses, partition, sequence, change)
        ]

    async def _read(self, reader: FeedReader) -> None:
        partition, progress = reader.partition, self._progress[reader.partition]
        while True:
            await self._room_for_fresh()
            before = self._wanted
            place = reader.place
            changes = await self.events_in(partition, reader)
            if self._wanted is not before:  # it was changed meanwhile: look again
                reader.place = place
                continue
            for event in changes:
                progress.begin(event.sequence)
                self._take_in(event)
            progress.read_to(reader.place)
            self._stirred.set()

    def _take_in(self, event: Event) -> None:
        is_full = len(self._queue) >= _QUEUE_MAX and self._is_held
        if event.lane in self._kept or is_full:
            self._set_by(event, event.lane)
        else:
            self._queue.add(event)

    def _set_by(self, event: Event, lane: bytes) -> None:
        """Put a fresh event into the backlog, behind what is there of its lane."""
        self._kept.add(Waiting(event, now_millis()), lane)
        self._progress[event.partition].finish(event.sequence)

    @property
    def _is_held(self) -> bool:
        """Whether nothing is called for a while, or hardly anything."""
        return self._throttle.is_failing or self._throttle.closed_until_s > self._loop.time()

    async def _room_for_fresh(self) -> None:
        await self.room()
        while len(self._queue) >= _QUEUE_MAX and not self._is_held:
            await self._moving()

    async def _moving(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    async def _pump(self) -> None:
        while True:
            self._stirred.clear()
            if self._error is not None:
                raise self._error  # nothing is lost: whoever begins anew finds it
            self._begin()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._rest_s()):
                    await self._stirred.wait()

    def _rest_s(self) -> float:
        """Return how long nothing can be begun if nothing else happens."""
        if len(self._turns) >= self._throttle.limit or self._is_stopping:
            return _REST_S_MAX
        closed_s = self._throttle.closed_until_s - self._loop.time()
        if closed_s > 0:
            return closed_s
        due_at = self._kept.due_at
        due_s = _REST_S_MAX if due_at is None else (due_at - now_millis()) / 1_000
        return min(max(due_s, 0.0), _REST_S_MAX)

    def _begin(self) -> None:
        while not self._is_stopping and len(self._turns) < self._throttle.limit:
            if self._throttle.closed_until_s > self._loop.time():
                return
            kept = self._kept.next(now_millis())
            fresh = None if kept is not None else self._queue.begin()
            if kept is not None:
                self._start(*kept, is_fresh=False)
            elif fresh is not None:
                self._start(fresh.lane, Waiting(fresh, now_millis()), is_fresh=True)
            else:
                return

    def _start(self, lane: bytes, waiting: Waiting, *, is_fresh: bool) -> None:
        self._kept.take(lane)
        turn = self._loop.create_task(self._take(lane, waiting, is_fresh=is_fresh))
        self._turns.add(turn)
        turn.add_done_callback(self._end_turn)

    def _end_turn(self, turn: asyncio.Task[None]) -> None:
        self._turns.discard(turn)
        if not turn.cancelled():
            self._error = self._error or turn.exception()
        self._stirred.set()
        self._moved.set()

    async def _take(self, lane: bytes, waiting: Waiting, *, is_fresh: bool) -> None:
        """Make one attempt, whatever comes of it."""
        try:
            told = await asked(self.accesses, waiting.event.partition, told_of, waiting.event)
            if told is None or not self._is_wanted(waiting.event):
                self._settle(lane, waiting, "delivered", is_fresh=is_fresh)  # nobody hears of it
                return
            await self._attempt(lane, waiting, told, is_fresh=is_fresh)
        finally:
            self._kept.free(lane)

    async def _attempt(self, lane: bytes, waiting: Waiting, told: Told, *, is_fresh: bool) -> None:
        began_at = now_micros()
        headers = self._headers(waiting.event, told.body, to_millis(began_at))
        try:
            answer = await self._posts.post(self.webhook.url, headers, told.body)
        except Exception as error:  # whatever it is, other events must not stand still for it
            logger.error("webhook %s: cannot be called: %s", named(self.webhook), type(error))
            answer = Answer(None, type(error).__name__)
        ended_at = now_micros()
        at = to_millis(ended_at)
        again = after_failure(waiting, answer, at, random.random())  # noqa: S311 - no secret
        fate: Fate = "delivered" if answer.is_taken else "failed" if again else "dead"
        self.backlog.note(
            Attempt(
                event_id(self.spec.lineage, waiting.event),
                waiting.event.kind,
                waiting.event.subject,
                to_millis(began_at),
                waiting.attempts + 1,
                (ended_at - began_at) // 1_000,
                answer.status,
                answer.error,
                fate,
                waiting.is_aside,
                self._kept_answer(waiting.event, told.erasure, answer.body, ended_at),
            ),
            ended_at,
        )
        self._throttle.heard(answer, self._loop.time())
        self._settle(lane, waiting, fate, is_fresh=is_fresh, again=again)
        await self._judge(answer, at)

    def _kept_answer(
        self, event: Event, erasure: int | None, answer: bytes, at: Micros
    ) -> int | None:
        """Keep what was answered; return where."""
        if not answer:
            return None
        slot = self.backlog.next_slot()
        self._answers.add(heard_of(self.webhook.id, slot, event, erasure, at, answer))
        return slot

    def _headers(self, event: Event, body: bytes, at: Millis) -> dict[str, str]:
        keys = good_keys(self.webhook, at)
        name = event_id(self.spec.lineage, event)
        return signing.headers(self.webhook.headers, keys, body, event_id=name, at_s=at // 1_000)

    def _is_wanted(self, event: Event) -> bool:
        return event.kind == "webhook.test" or wants(self.webhook, event.kind)

    def _settle(
        self,
        lane: bytes,
        waiting: Waiting,
        fate: Fate,
        *,
        is_fresh: bool,
        again: Waiting | None = None,
    ) -> None:
        """Keep what came of an event where a crash does not take it."""
        event = waiting.event
        if fate == "dead":
            self.backlog.bury(waiting, now_millis())
        if is_fresh:
            self._settle_fresh(lane, event, again if fate == "failed" else None)
        elif fate == "failed" and again is not None:
            self._kept.add(again, lane)
        else:
            self._kept.remove(waiting, lane)

    def _settle_fresh(self, lane: bytes, event: Event, again: Waiting | None) -> None:
        if again is None:
            self._queue.finish(event)
        else:
            self._kept.add(again, lane)
            for behind in self._queue.clear(event):
                self._set_by(behind, lane)
        self._progress[event.partition].finish(event.sequence)

    async def _judge(self, answer: Answer, at: Millis) -> None:
        """Count an answer, and give the endpoint up if it is gone, or as good as that."""
        standing = self.backlog.standing
        if answer.is_taken:
            standing.delivered += 1
            standing.delivered_at, standing.failing_since = at, None
        else:
            standing.failed += 1
            standing.failing_since = standing.failing_since or at
        if answer.status == GONE:
            await self._give_up("it answered 410: gone")
        elif standing.failing_since and at - standing.failing_since >= DISABLED_AFTER_MS:
            await self._give_up("all calls have failed for five days")

    async def _give_up(self, reason: str) -> None:
        if not self._is_stopping:
            self._is_stopping = True
            logger.error("webhook %s: called no more: %s", named(self.webhook), reason)
            await self._disable(self.webhook, reason)

    def _note_gap(self, partition: PartitionIndex, first: int, end: int) -> None:
        logger.error(
            "webhook %s: changes %d to %d of partition %d went by age before it was called",
            *(named(self.webhook), first, end, partition),
        )
        standing = self.backlog.standing
        gap = Gap(partition, first, end, now_millis())
        standing.gaps = (*standing.gaps, gap)[-GAPS_KEPT:]
