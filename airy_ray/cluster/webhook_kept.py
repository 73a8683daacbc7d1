"""Events of a webhook that are in its backlog: whose turn it is, lane by lane."""

import logging
from heapq import heappop, heappush
from itertools import groupby

import msgspec

from airy_ray.clock import Millis
from airy_ray.cluster.webhook_backlog import Backlog
from airy_ray.publishing.waiting import Waiting, lane_aside, lane_due_at, may_step_aside

logger = logging.getLogger(__name__)


class Kept:
    """The lanes of a backlog, each with one event on its way at most.

    A lane that is taken, by an event of the backlog or a fresh one, is left alone until it is free.
    """

    def __init__(self, backlog: Backlog, hold_ms: int) -> None:
        self._backlog = backlog
        self._hold_ms = hold_ms
        self._due: list[tuple[Millis, bytes]] = []
        self._due_at: dict[bytes, Millis] = {}
        self._taken: set[bytes] = set()
        backlog.standing.waiting = 0
        for lane, waiting in groupby(backlog.all_waiting(), key=lambda each: each[0]):
            events = [each for _, each in waiting]
            backlog.standing.waiting += len(events)
            self._note(lane, events[:2])

    def __contains__(self, lane: bytes) -> bool:
        """Whether any event of a lane is in the backlog."""
        return lane in self._due_at

    @property
    def due_at(self) -> Millis | None:
        """When something is to be done next, if anything is."""
        while self._due and not self._is_now(*self._due[0]):
            heappop(self._due)
        return self._due[0][0] if self._due else None

    def add(self, waiting: Waiting, lane: bytes) -> None:
        """Keep an event in a lane, in the place of what was kept of it before."""
        self._backlog.keep(waiting, lane)
        self._place(lane)

    def remove(self, waiting: Waiting, lane: bytes) -> None:
        """Keep an event no longer."""
        self._backlog.remove(waiting, lane)
        self._place(lane)

    def take(self, lane: bytes) -> None:
        """Leave a lane alone: one of its events is on its way."""
        self._taken.add(lane)

    def free(self, lane: bytes) -> None:
        """Have the next event of a lane follow."""
        self._taken.discard(lane)
        if lane in self._due_at:
            self._place(lane)

    def next(self, now: Millis) -> tuple[bytes, Waiting] | None:
        """Return the event whose time has come first, with its lane; None if there is none."""
        while (due_at := self.due_at) is not None and due_at <= now:
            _, lane = heappop(self._due)
            head = self._backlog.first_of(lane, 1)[0]
            if not may_step_aside(head, now, self._hold_ms):
                return lane, head
            self._put_aside(lane, head)
        return None

    def _put_aside(self, lane: bytes, head: Waiting) -> None:
        logger.warning("an event of webhook %s steps aside", self._backlog.name)
        self._backlog.remove(head, lane)
        self.add(msgspec.structs.replace(head, is_aside=True), lane_aside(head.event))
        self._place(lane)

    def _place(self, lane: bytes) -> None:
        """Note when something is to be done about a lane."""
        self._note(lane, self._backlog.first_of(lane, 2))

    def _note(self, lane: bytes, first: list[Waiting]) -> None:
        due_at = lane_due_at(first, self._hold_ms)
        if due_at is None:
            self._due_at.pop(lane, None)
            return
        self._due_at[lane] = due_at
        if lane not in self._taken:
            heappush(self._due, (due_at, lane))

    def _is_now(self, due_at: Millis, lane: bytes) -> bool:
        """Whether a note is not outdated: it has another time by now, or gets one once free."""
        return self._due_at.get(lane) == due_at and lane not in self._taken
