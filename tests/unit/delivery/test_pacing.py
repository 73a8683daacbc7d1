"""The pace of a channel: a second's worth at once, then evenly; pauses that are asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.delivery.pacing import Bucket


def test_as_many_as_a_second_allows_go_at_once_then_one_after_the_other() -> None:
    bucket = Bucket(10.0)
    waits = [bucket.reserve(100.0) for _ in range(12)]

    assert waits == pytest.approx([0.0] * 10 + [0.1, 0.2])


def test_what_was_not_used_comes_again_but_no_more_than_that() -> None:
    bucket = Bucket(10.0)
    for _ in range(10):
        bucket.reserve(100.0)
    assert [bucket.reserve(100.2) for _ in range(3)] == pytest.approx([0.0, 0.0, 0.1])
    assert [bucket.reserve(900.0) for _ in range(11)] == pytest.approx([0.0] * 10 + [0.1])


def test_slower_than_one_a_second_is_one_at_a_time() -> None:
    bucket = Bucket(0.5)
    assert [bucket.reserve(100.0) for _ in range(3)] == pytest.approx([0.0, 2.0, 4.0])


def test_a_pause_that_was_asked_for_is_made() -> None:
    bucket = Bucket(10.0)
    bucket.close_until(107.0)
    bucket.close_until(105.0)
    assert bucket.reserve(100.0) == pytest.approx(7.0)
    assert bucket.reserve(107.0) == 0.0


def test_a_channel_is_busy_once_most_of_a_second_is_given_away() -> None:
    bucket = Bucket(10.0)
    busy = []
    for _ in range(8):
        bucket.reserve(100.0)
        busy.append(bucket.is_busy(100.0))

    assert busy == [False] * 5 + [True] * 3
    assert bucket.is_busy(100.2)
    assert not bucket.is_busy(100.4)


@given(
    st.floats(0.1, 50.0),
    st.lists(st.floats(0.0, 3.0), max_size=60),
)
def test_no_second_has_more_than_twice_its_worth(per_s: float, apart_s: list[float]) -> None:
    bucket = Bucket(per_s)
    now_s, slots = 0.0, []
    for each in apart_s:
        now_s += each
        slots.append(now_s + bucket.reserve(now_s))

    assert slots == sorted(slots)
    for first in slots:
        within = sum(first <= each < first + 1 for each in slots)
        assert within <= 2 * max(per_s, 1.0) + 1
