"""When failed calls are made again, who steps aside, and how fast an endpoint is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.publishing.schedule import DELAYS_S, JITTER, Answer, after_failure
from airy_ray.publishing.throttle import Throttle
from airy_ray.publishing.waiting import Waiting, lane_aside, lane_due_at, may_step_aside
from tests.builders import NOW
from tests.unit.publishing.test_queue import event

HOUR_MS = 3_600_000
FAILED = Answer(500)


@given(chances=st.lists(st.floats(0, 1), min_size=9, max_size=9))
def test_an_event_is_tried_ten_times_within_about_three_days(chances: list[float]) -> None:
    waiting = Waiting(event(1), Millis(NOW))
    for number, chance in enumerate(chances):
        again = after_failure(waiting, FAILED, waiting.due_at, chance)
        assert again is not None
        delay_s = (again.due_at - waiting.due_at) / 1_000
        assert delay_s == pytest.approx(DELAYS_S[number], rel=JITTER + 0.001)
        waiting = again

    assert after_failure(waiting, FAILED, waiting.due_at, 0.5) is None
    assert waiting.failed_at == NOW
    days = (waiting.due_at - NOW) / 86_400_000
    assert 2.4 < days < 3.9


@pytest.mark.parametrize(("after_s", "waits_s"), [(None, 5), (1, 5), (60, 60), (1_000_000, 86_400)])
def test_an_endpoint_may_ask_for_more_time_but_not_for_ever(
    after_s: float | None, waits_s: int
) -> None:
    again = after_failure(
        Waiting(event(1), Millis(NOW)), Answer(503, after_s=after_s), Millis(NOW), 0.5
    )

    assert again is not None
    assert again.due_at - NOW == waits_s * 1_000


@pytest.mark.parametrize(
    ("status", "is_taken"), [(200, True), (204, True), (302, True), (400, False), (500, False)]
)
def test_any_answer_that_is_no_failure_is_good(status: int, is_taken: bool) -> None:
    assert Answer(status).is_taken is is_taken
    assert Answer(None).is_taken is False


def test_a_lane_waits_for_its_first_event_but_not_longer_than_it_may() -> None:
    head = Waiting(event(1), Millis(NOW), 2, Millis(NOW)).failed(
        Millis(NOW), Millis(NOW + 5 * HOUR_MS)
    )
    behind = Waiting(event(2), Millis(NOW))

    assert lane_due_at([head], HOUR_MS) == NOW + 5 * HOUR_MS
    assert lane_due_at([head, behind], HOUR_MS) == NOW + HOUR_MS
    assert lane_due_at([behind, head], HOUR_MS) == NOW
    assert lane_due_at([], HOUR_MS) is None
    assert not may_step_aside(head, Millis(NOW + HOUR_MS - 1), HOUR_MS)
    assert may_step_aside(head, Millis(NOW + HOUR_MS), HOUR_MS)
    assert not may_step_aside(behind, Millis(NOW + HOUR_MS), HOUR_MS)


def test_who_is_aside_is_alone() -> None:
    asides = {lane_aside(event(sequence)) for sequence in range(100)}

    assert len(asides) == 100
    assert {len(each) for each in asides} == {16}


def test_an_endpoint_that_asks_for_less_gets_less_and_more_again_later() -> None:
    throttle = Throttle(8)
    throttle.heard(Answer(429, after_s=30.0), 100.0)
    assert (throttle.limit, throttle.closed_until_s) == (4, 130.0)
    for _ in range(40):
        throttle.heard(Answer(200), 200.0)
    assert throttle.limit == 8


def test_an_endpoint_of_which_all_fails_is_asked_one_thing_at_a_time() -> None:
    throttle = Throttle(8)
    for _ in range(10):
        throttle.heard(Answer(None, "refused"), 0.0)
    assert (throttle.limit, throttle.is_failing) == (1, True)
    throttle.heard(Answer(200), 0.0)
    assert (throttle.limit, throttle.is_failing) == (8, False)


@given(answers=st.lists(st.sampled_from([200, 429, 500, 502, None]), max_size=60))
def test_something_may_always_be_called_and_never_too_much(answers: list[int | None]) -> None:
    throttle = Throttle(8)
    for status in answers:
        throttle.heard(Answer(status), 0.0)
        assert 1 <= throttle.limit <= 8
