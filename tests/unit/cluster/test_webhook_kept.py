"""What waits in a backlog: in order, one of a lane at a time, and nothing is ever lost."""

from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.cluster.webhook_backlog import TABLES, Backlog
from airy_ray.cluster.webhook_kept import Kept
from airy_ray.model.ids import PartitionIndex
from airy_ray.publishing.events import Event
from airy_ray.publishing.schedule import Answer, after_failure
from airy_ray.publishing.waiting import Waiting
from airy_ray.storage.shelf import Shelf
from tests.builders import NOW

HOLD_MS = 3_600_000
SCOPE = bytes(range(24))
LANES = [bytes([number]) * 16 for number in range(3)]
MINUTE_MS = 60_000

steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 2)),
        st.tuples(st.sampled_from(["deliver", "fail"]), st.integers(0, 5)),
        st.tuples(st.just("pass"), st.integers(1, 600)),
        st.tuples(st.just("crash"), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=60)
@given(steps=steps)
def test_events_go_in_order_one_of_a_lane_at_a_time_and_none_is_lost(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    with closing(Shelf(tmp_path_factory.mktemp("kept"), TABLES)) as shelf:
        world = World(shelf)
        for step, argument in steps:
            getattr(world, f"do_{step}")(argument)
        world.do_crash(0)
        while world.kept.due_at is not None:
            world.now = Millis(max(world.now, world.kept.due_at))
            world.do_deliver(0)

        assert sorted(world.delivered) == list(range(world.added))
        assert world.backlog.standing.waiting == 0


class World:
    """A backlog, time, and what has come of its events."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.now = Millis(NOW)
        self.added = 0
        self.delivered: list[int] = []
        self._begin()

    def do_add(self, lane: int) -> None:
        event = Event(
            PartitionIndex(0), self.added, "message.created", LANES[lane], b"", Millis(NOW)
        )
        self.added += 1
        self.kept.add(Waiting(event, self.now), event.lane)

    def do_pass(self, minutes: int) -> None:
        self.now = Millis(self.now + minutes * MINUTE_MS)

    def do_crash(self, _: int) -> None:
        rows = self.shelf.unwritten()
        self.shelf.write(rows)
        self.shelf.forget(rows)
        waiting = self.backlog.standing.waiting
        self._begin()
        assert self.backlog.standing.waiting == waiting

    def do_deliver(self, index: int) -> None:
        for lane, waiting in self._taken(index):
            self.delivered.append(waiting.event.sequence)
            self.kept.remove(waiting, lane)
            self.kept.free(lane)

    def do_fail(self, index: int) -> None:
        for lane, waiting in self._taken(index):
            again = after_failure(waiting, Answer(500), self.now, 0.5)
            if again is None:
                self.delivered.append(waiting.event.sequence)  # as far as the backlog goes
                self.kept.remove(waiting, lane)
            else:
                self.kept.add(again, lane)
            self.kept.free(lane)

    def _taken(self, index: int) -> list[tuple[bytes, Waiting]]:
        """Take all that is due; leave alone all but one of them, which is returned."""
        taken: list[tuple[bytes, Waiting]] = []
        while (found := self.kept.next(self.now)) is not None:
            lane, waiting = found
            self.kept.take(lane)
            assert lane not in [each for each, _ in taken]
            assert waiting.due_at <= self.now
            self._check_order(waiting)
            taken.append(found)
        chosen = taken[index % len(taken) :][:1] if taken else []
        for lane, _ in taken:
            if (lane, _) not in chosen:
                self.kept.free(lane)
        return chosen

    def _check_order(self, waiting: Waiting) -> None:
        """Whatever waits of a lane and is not aside comes in order."""
        if not waiting.is_aside:
            lane = [each.event.sequence for each in self.backlog.first_of(waiting.event.lane, 99)]
            assert waiting.event.sequence == min(lane)

    def _begin(self) -> None:
        self.backlog = Backlog(self.shelf, SCOPE)
        self.kept = Kept(self.backlog, HOLD_MS)


def test_what_fails_for_too_long_steps_aside(tmp_path_factory: pytest.TempPathFactory) -> None:
    with closing(Shelf(tmp_path_factory.mktemp("kept"), TABLES)) as shelf:
        world = World(shelf)
        for _ in range(3):
            world.do_add(0)
        while world.now < NOW + HOLD_MS:
            world.do_fail(0)
            world.do_pass(1)
        assert world.delivered == []
        world.do_deliver(0)

        assert world.delivered == [1]
        [aside] = [each for _, each in world.backlog.all_waiting() if each.is_aside]
        assert aside.event.sequence == 0
