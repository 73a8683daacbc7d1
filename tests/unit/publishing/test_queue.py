"""Fresh events: in order within a lane, one of each lane on its way."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.model.ids import PartitionIndex
from airy_ray.publishing.events import Event
from airy_ray.publishing.queue import Queue
from tests.builders import NOW

lanes = st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=30)


def event(sequence: int, lane: bytes = b"a") -> Event:
    return Event(PartitionIndex(0), sequence, "message.created", lane, b"subject", Millis(NOW))


def filled(lanes: Sequence[bytes]) -> Queue:
    queue = Queue()
    for sequence, lane in enumerate(lanes):
        queue.add(event(sequence, lane))
    return queue


@given(lanes=lanes, data=st.data())
def test_each_lane_is_in_order_and_has_one_event_on_its_way(
    lanes: list[bytes], data: st.DataObject
) -> None:
    queue = filled(lanes)
    running: list[Event] = []
    done: list[Event] = []
    while len(queue):
        while (begun := queue.begin()) is not None:
            running.append(begun)
        assert len({each.lane for each in running}) == len(running)
        ended = data.draw(st.sampled_from(running))
        running.remove(ended)
        queue.finish(ended)
        done.append(ended)

    for lane in set(lanes):
        expected = [sequence for sequence, each in enumerate(lanes) if each == lane]
        assert [each.sequence for each in done if each.lane == lane] == expected


def test_what_is_behind_a_failed_event_is_handed_over_in_order() -> None:
    queue = filled([b"a", b"b", b"a", b"a"])
    first = queue.begin()

    assert first is not None
    assert [each.sequence for each in queue.clear(first)] == [2, 3]
    assert len(queue) == 1


@given(lanes=lanes, is_begun=st.booleans())
def test_what_is_withdrawn_is_what_is_not_on_its_way(lanes: list[bytes], is_begun: bool) -> None:
    queue = filled(lanes)
    begun = []
    while is_begun and (found := queue.begin()) is not None:
        begun.append(found)
    withdrawn = queue.withdraw(b"a")
    kept = {each.sequence for each in begun}

    assert [each.sequence for each in withdrawn] == [
        sequence for sequence, lane in enumerate(lanes) if lane == b"a" and sequence not in kept
    ]
    for each in begun:
        queue.finish(each)
    while (found := queue.begin()) is not None:
        assert found.lane != b"a"
        queue.finish(found)
    assert len(queue) == 0
