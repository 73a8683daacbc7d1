"""Attempts to deliver: one courier wins each, none is counted twice, outcomes meet their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.model.events import DeliveryAttempted, Event
from airy_ray.projections.view import Dispatch
from tests import builders
from tests.builders import attempted, message_delivered, message_failed, message_sent, put_off
from tests.fakes import MemoryView, folded


def dispatch(view: MemoryView) -> Dispatch | None:
    return view.sends.get(builders.sent_id())


def state(view: MemoryView) -> str:
    [(_, message)] = view.messages.under(b"")
    return message.delivery_state


def test_the_first_courier_to_attempt_wins() -> None:
    view = folded(message_sent(), attempted(courier=7), attempted(courier=8))

    assert dispatch(view) == builders.dispatch(attempts=1, courier=7)


@pytest.mark.parametrize("number", [0, 2, 3])
def test_an_attempt_that_is_not_the_next_is_none(number: int) -> None:
    view = folded(message_sent(), attempted(number=number))

    assert dispatch(view) == builders.dispatch()


def test_what_is_put_off_may_be_attempted_again() -> None:
    view = folded(message_sent(), attempted(), put_off())
    assert dispatch(view) == builders.dispatch(attempts=1)

    folded(attempted(number=2, courier=8), onto=view)
    assert dispatch(view) == builders.dispatch(attempts=2, courier=8)

    folded(put_off(number=1), onto=view)
    assert dispatch(view) == builders.dispatch(attempts=2, courier=8)


def test_after_an_outcome_nothing_is_attempted() -> None:
    for outcome in (message_delivered(attempt=1), message_failed(attempt=1)):
        view = folded(message_sent(), attempted(), outcome, attempted(number=2), put_off())
        assert dispatch(view) is None


def test_what_was_taken_did_not_fail_whoever_says_so_later() -> None:
    view = folded(
        message_sent(), attempted(), message_delivered(attempt=1), message_failed(attempt=1)
    )
    assert state(view) == "delivered"


def test_what_was_thought_to_have_failed_is_delivered_if_it_was() -> None:
    view = folded(
        message_sent(), attempted(), message_failed(attempt=1), message_delivered(attempt=1)
    )
    assert state(view) == "delivered"


@pytest.mark.parametrize("outcome", [message_delivered(attempt=1), message_failed(attempt=1)])
def test_the_outcome_of_another_attempt_is_none_of_this_one(outcome: Event) -> None:
    view = folded(message_sent(), attempted(), put_off(), attempted(number=2), outcome)

    assert (state(view), dispatch(view)) == ("pending", builders.dispatch(attempts=2, courier=7))


def test_a_message_that_expires_was_never_attempted() -> None:
    assert state(folded(message_sent(), message_failed(attempt=0))) == "failed"


numbers = st.integers(1, 4)


@given(
    st.lists(
        st.builds(attempted, number=numbers, courier=st.integers(1, 3))
        | st.builds(put_off, number=numbers)
    )
)
def test_of_all_attempts_of_one_number_one_wins(log: list[Event]) -> None:
    view = folded(message_sent())
    won: list[int] = []
    for event in log:
        before = dispatch(view)
        folded(event, onto=view)
        if isinstance(event, DeliveryAttempted) and dispatch(view) != before:
            won.append(event.number)

    assert won == list(range(1, len(won) + 1))
