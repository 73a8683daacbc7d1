import json

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model import events
from airy_ray.model.message import Message
from airy_ray.projections.messages import ECHO_GRACE_MS
from airy_ray.projections.project import project
from tests import builders
from tests.builders import (
    attempted,
    echo_received,
    message_delivered,
    message_failed,
    message_received,
    message_replaced,
    message_sent,
    put_off,
)
from tests.fakes import MemoryView, folded


def messages(view: MemoryView) -> list[Message]:
    """Return all messages, in the order of their keys."""
    return [message for _, message in view.messages.under(b"")]


def kinds(view: MemoryView) -> list[str]:
    """Return what was told of messages, in order."""
    return [change.kind for change in view.changes if change.kind.startswith("message.")]


def texts(view: MemoryView) -> list[str]:
    return [json.loads(message.content)["text"] for message in messages(view)]


def fallen(view: MemoryView, *, at: int) -> MemoryView:
    """Return a view after its timers fell."""
    for key, timer in view.timers.under(b""):
        view.timers.delete(key)
        project(view, msgspec.msgpack.decode(timer.event, type=events.Event), Millis(at))
    return view


def test_a_message_is_stored_as_it_was_told() -> None:
    view = folded(message_received("m1", text="Hi"))

    assert messages(view) == [builders.message("m1", text="Hi")]
    assert kinds(view) == ["message.created"]


def test_messages_are_kept_newest_first_however_they_come() -> None:
    view = folded(
        message_received("b", sent_at=20, text="second"),
        message_received("a", sent_at=10, text="first"),
        message_received("c", sent_at=30, text="third"),
    )

    assert texts(view) == ["third", "second", "first"]


def test_messages_of_one_instant_are_both_kept() -> None:
    view = folded(message_received("a", sent_at=10), message_received("b", sent_at=10))

    assert len(messages(view)) == 2


def test_a_message_from_before_1970_is_the_oldest() -> None:
    view = folded(
        message_received("a", sent_at=-5, text="old"), message_received("b", sent_at=0, text="new")
    )

    assert texts(view) == ["new", "old"]


def test_the_first_of_two_messages_with_one_id_wins() -> None:
    view = folded(message_received("m1", text="first"), message_received("m1", text="second"))

    assert texts(view) == ["first"]
    assert kinds(view) == ["message.created"]


def test_a_message_is_told_as_the_contract_says() -> None:
    view = folded(message_received("m1", sent_at=builders.NOW, text="Hi"))
    told = json.loads(view.changes[0].event)
    message = told["payload"].pop("message")

    assert (told["type"], told["timestamp"]) == ("message.created", builders.NOW)
    assert sorted(told["payload"]) == ["channel_id", "conversation_id"]
    assert (message["content"], message["metadata"]) == ({"text": "Hi"}, None)


def test_an_edit_replaces_what_a_message_says_and_nothing_else() -> None:
    view = folded(message_received("m1", sent_at=10), message_replaced(at=20, text="edited"))

    edited = builders.message("m1", sent_at=10, text="edited", updated_at=20)
    assert messages(view) == [edited]
    assert kinds(view) == ["message.created", "message.updated"]


def test_an_edit_does_not_move_a_message() -> None:
    view = folded(message_received("m1", sent_at=10), message_replaced("m1", at=20, sent_at=99))

    assert messages(view)[0].sent_at == 10


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        pytest.param(20, 30, "second", id="newer"),
        pytest.param(30, 20, "first", id="older"),
        pytest.param(20, 20, "second", id="of the same instant"),
    ],
)
def test_a_newer_edit_wins_over_an_older_one(first: int, second: int, text: str) -> None:
    view = folded(
        message_received("m1", sent_at=10),
        message_replaced(at=first, text="first"),
        message_replaced(at=second, text="second"),
    )

    assert texts(view) == [text]


def test_an_original_that_comes_after_its_edit_changes_nothing() -> None:
    view = folded(message_replaced(at=20, text="edited"), message_received("m1", text="original"))

    assert texts(view) == ["edited"]
    assert kinds(view) == ["message.updated"]


def test_an_edit_that_comes_twice_is_told_once() -> None:
    view = folded(message_received("m1"), message_replaced(at=20), message_replaced(at=20))

    assert kinds(view) == ["message.created", "message.updated"]


def test_an_echo_is_put_off_until_the_send_it_may_be_of_is_answered() -> None:
    view = folded(echo_received("e1"), at=1_000)

    assert messages(view) == []
    assert messages(fallen(view, at=1_000 + ECHO_GRACE_MS)) == [
        builders.message("e1", from_contact=False)
    ]


def test_an_echo_of_a_message_of_ours_is_dropped_when_the_send_is_answered_in_time() -> None:
    view = folded(message_sent(), echo_received("mid-1"), message_delivered(known_as="mid-1"))

    assert [message.id for message in messages(fallen(view, at=0))] == [builders.sent_id()]


@pytest.mark.parametrize("is_put_off", [True, False])
def test_an_echo_of_a_message_known_to_be_ours_is_dropped(is_put_off: bool) -> None:
    echo = echo_received("mid-1") if is_put_off else message_received("mid-1", from_contact=False)
    view = folded(message_sent(), message_delivered(known_as="mid-1"), echo)

    assert view.timers.under(b"") == []
    assert [message.id for message in messages(view)] == [builders.sent_id()]


def test_an_echo_waits_for_as_long_as_a_call_of_its_conversation_is_under_way() -> None:
    sent = folded(message_sent("s1"), attempted("s1"), echo_received("e1"))
    waiting = fallen(fallen(sent, at=10_000), at=20_000)
    assert len(messages(waiting)) == 1

    taken = fallen(folded(message_delivered("s1", known_as="e1"), onto=waiting), at=30_000)
    assert [message.id for message in messages(taken)] == [builders.sent_id("s1")]
    assert taken.timers.under(b"") == []


@pytest.mark.parametrize(
    "others",
    [
        (message_sent("s1"),),
        (message_sent("s1"), attempted("s1"), put_off("s1")),
        (message_sent("s1"), attempted("s1"), message_failed("s1", attempt=1)),
        (message_sent("s1", contact="bob"), attempted("s1", contact="bob")),
    ],
)
def test_an_echo_waits_for_no_other_message(others: tuple[events.Event, ...]) -> None:
    view = fallen(folded(*others, echo_received("e1")), at=0)

    assert builders.message_id("e1") in {message.id for message in messages(view)}


def test_an_echo_that_is_stored_already_is_not_put_off_again() -> None:
    view = fallen(folded(echo_received("e1")), at=0)

    assert folded(echo_received("e1"), onto=view).timers.under(b"") == []


def test_a_contact_may_write_under_an_id_that_our_message_has() -> None:
    view = folded(message_sent(), message_delivered(known_as="mid-1"), message_received("mid-1"))

    assert len(messages(view)) == 2


def test_a_sent_message_is_pending_until_its_source_took_it() -> None:
    view = folded(message_sent("s1"))

    assert messages(view)[0].delivery_state == "pending"
    assert view.sends.get(builders.sent_id("s1")) == builders.dispatch()


def test_a_message_is_sent_once_however_often_it_is_told() -> None:
    view = folded(message_sent(), message_delivered(), message_sent())

    assert len(messages(view)) == 1
    assert view.sends.under(b"") == []


def test_a_delivered_message_is_known_under_its_sources_id() -> None:
    view = folded(message_sent("s1"), message_delivered("s1", known_as="mid-1", at=50))
    delivered = messages(view)[0]

    assert (delivered.delivery_state, delivered.updated_at) == ("delivered", 50)
    assert delivered.source_message_id == "mid-1"
    assert json.loads(delivered.metadata) == {"source": {"id": "mid-1"}}
    assert view.sends.under(b"") == []


def test_a_source_may_take_a_message_without_naming_it() -> None:
    view = folded(message_sent(), message_delivered(known_as=None))

    assert messages(view)[0].delivery_state == "delivered"
    assert messages(view)[0].metadata == b"{}"


def test_a_failed_message_says_why() -> None:
    view = folded(message_sent(), message_failed(reason="blocked", answer='{"code":551}'))
    failed = messages(view)[0]

    assert failed.delivery_state == "failed"
    assert json.loads(failed.metadata) == {"error": "blocked", "source": {"error": '{"code":551}'}}
    assert view.sends.under(b"") == []


@pytest.mark.parametrize("outcome", [message_delivered("s9"), message_failed("s9")])
def test_the_outcome_of_an_unknown_message_changes_nothing(outcome: events.Event) -> None:
    assert folded(outcome).rows() == {}


def test_an_edit_of_a_message_of_ours_changes_the_one_we_sent() -> None:
    edit = message_replaced("mid-1", at=builders.NOW + 1, from_contact=False, text="unsent")
    view = folded(message_sent(), message_delivered(known_as="mid-1"), edit)

    assert [message.id for message in messages(view)] == [builders.sent_id()]
    assert texts(view) == ["unsent"]
