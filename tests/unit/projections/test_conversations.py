import json
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model import events
from airy_ray.model.conversation import Conversation
from airy_ray.projections import conversations, keys
from airy_ray.projections.project import project
from tests import builders
from tests.builders import (
    conversation_described,
    conversation_read,
    message_received,
    message_replaced,
    message_sent,
)
from tests.fakes import MemoryView, folded


def conversation(view: MemoryView, contact: str = builders.ADA) -> Conversation:
    found = view.conversations.get(builders.conversation_id(contact))
    assert found is not None
    return found


def told_counts(view: MemoryView) -> list[float]:
    """Return the unread counts that subscribers heard of, in order."""
    return [
        json.loads(change.event)["payload"]["metadata"]["unread_count"]
        for change in view.changes
        if change.kind == "metadata.updated" and change.message_id is None
    ]


def test_the_first_message_brings_a_conversation_into_being() -> None:
    begun = conversation(folded(message_received("m1", sent_at=10)))

    assert (begun.created_at, begun.last_message_at, begun.message_count) == (10, 10, 1)
    assert (begun.source_conversation_id, begun.last_sender_id) == ("ada", "ada")
    assert begun.last_message_id == builders.message_id("m1")


def test_when_it_began_is_when_the_first_projected_message_was_sent() -> None:
    view = folded(message_received("b", sent_at=20), message_received("a", sent_at=10))

    assert conversation(view).created_at == 20


@pytest.mark.parametrize(
    ("first", "second", "last"),
    [
        pytest.param(10, 20, "b", id="the later one"),
        pytest.param(20, 10, "a", id="one that comes late changes nothing"),
        pytest.param(10, 10, "b", id="of one instant the one that came later"),
    ],
)
def test_the_last_message_is_the_newest(first: int, second: int, last: str) -> None:
    view = folded(message_received("a", sent_at=first), message_received("b", sent_at=second))
    found = conversation(view)

    assert found.last_message_id == builders.message_id(last)
    assert found.last_message_at == max(first, second)
    assert view.conversations_by_time.under(b"") == [
        (keys.by_time(Millis(max(first, second)), found.id), b"")
    ]


def test_the_last_message_is_shown_as_it_is_now() -> None:
    view = folded(message_received("m1", text="Hi"), message_replaced("m1", at=99, text="Bye"))
    shown = json.loads(conversation(view).last_message + b"}")

    assert shown["content"] == {"text": "Bye"}


def test_an_edit_of_an_older_message_leaves_the_last_one() -> None:
    view = folded(
        message_received("a", sent_at=10),
        message_received("b", sent_at=20),
        message_replaced("a", at=99),
    )

    assert conversation(view).last_message_id == builders.message_id("b")


def test_conversations_are_listed_by_their_last_message_newest_first() -> None:
    view = folded(
        message_received("m1", contact="ada", sent_at=10),
        message_received("m1", contact="bob", sent_at=20),
        message_received("m2", contact="ada", sent_at=30),
        message_received("m1", contact="eve", sent_at=15),
    )
    listed = [key[8:] for key, _ in view.conversations_by_time.under(b"")]

    assert listed == [builders.conversation_id(contact) for contact in ("ada", "bob", "eve")]


@pytest.mark.parametrize(
    ("told", "unread_count"),
    [
        pytest.param([message_received("a")], 1, id="from the contact"),
        pytest.param([message_received("a"), message_received("b")], 2, id="two"),
        pytest.param([message_received("a"), message_received("a")], 1, id="one that came twice"),
        pytest.param([message_sent()], None, id="ours"),
        pytest.param([message_received("a", from_contact=False)], None, id="another app's"),
        pytest.param([message_replaced("a", at=9)], None, id="an edit of an unknown one"),
        pytest.param(
            [message_received("a"), message_replaced("a", at=9)], 1, id="an edit of a known one"
        ),
        pytest.param(
            [message_received("a", sent_at=5), conversation_read(at=6)], 0, id="that was read"
        ),
        pytest.param(
            [message_received("a", sent_at=5), conversation_read(at=5)], 1, id="at the same instant"
        ),
        pytest.param(
            [
                message_received("a", sent_at=5),
                conversation_read(at=6),
                message_received("a", sent_at=5),
            ],
            0,
            id="that was read and came again",
        ),
        pytest.param(
            [conversation_read(at=6), message_received("a", sent_at=5)], 1, id="that came late"
        ),
    ],
)
def test_unread_are_new_contact_messages_sent_since_the_last_read(
    told: list[events.Event], unread_count: int | None
) -> None:
    view = folded(*told)
    found = view.conversations.get(builders.conversation_id())

    assert found is not None
    assert found.unread_count == unread_count
    assert len(view.unread.under(found.id)) == (unread_count or 0)


def test_each_new_count_is_told() -> None:
    view = folded(message_received("a", sent_at=1), message_received("b", sent_at=9))
    folded(conversation_read(at=5), conversation_read(at=10), onto=view)

    assert told_counts(view) == [1.0, 2.0, 1.0, 0.0]


def test_what_was_read_says_so_with_the_time_it_was_sent() -> None:
    view = folded(message_received("a", sent_at=5), conversation_read(at=6))
    key = view.message_keys.get(builders.message_id("a"))
    assert key is not None
    stored = view.messages.get(key)

    assert stored is not None
    assert json.loads(stored.metadata)["user_read"] == 5.0


def test_reading_an_unknown_conversation_tells_a_count_of_zero_and_stores_nothing() -> None:
    view = folded(conversation_read(at=5))

    assert view.rows() == {}
    assert told_counts(view) == [0.0]


def test_reading_one_conversation_leaves_the_others() -> None:
    view = folded(
        message_received("a", contact="ada", sent_at=1),
        message_received("a", contact="bob", sent_at=1),
        conversation_read(at=5, contact="ada"),
    )

    assert conversation(view, "ada").unread_count == 0
    assert conversation(view, "bob").unread_count == 1


def test_many_unread_messages_are_marked_in_several_steps(monkeypatch: Any) -> None:
    monkeypatch.setattr(conversations, "READ_AT_ONCE_MAX", 2)
    view = folded(*(message_received(f"m{number}", sent_at=number) for number in range(5)))
    folded(conversation_read(at=9), onto=view)
    steps = 0
    while view.timers.under(b""):
        [(key, timer)] = view.timers.under(b"")
        view.timers.delete(key)
        project(view, msgspec.msgpack.decode(timer.event, type=events.Event), builders.NOW)
        steps += 1

    assert steps == 2
    assert view.unread.under(b"") == []
    assert told_counts(view)[-3:] == [0.0, 0.0, 0.0]


def test_when_the_contact_last_wrote_is_the_newest_of_theirs() -> None:
    view = folded(
        message_received("a", sent_at=20),
        message_received("b", sent_at=10),
        message_received("c", sent_at=90, from_contact=False),
    )

    assert conversation(view).last_inbound_at == 20


def test_what_was_told_before_the_first_message_is_there_with_it() -> None:
    described = conversation_described({"contact.display_name": b'"Ada"', "state": b'"OPEN"'})
    begun = conversation(folded(described, message_received()))

    assert begun.display_name == "Ada"
    assert json.loads(begun.metadata) == {"contact": {"display_name": "Ada"}, "state": "OPEN"}
