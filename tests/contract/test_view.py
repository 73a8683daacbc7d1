"""What projections may expect of the view they fold into, whatever keeps its rows."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.model.events import Event
from airy_ray.projections.project import project
from airy_ray.projections.view import Answer, View
from airy_ray.state.batch import Batch
from airy_ray.state.state import State
from tests import builders
from tests.builders import NOW
from tests.fakes import MemoryTables, MemoryView


@pytest.fixture(params=["batch on LMDB", "batch in memory", "view in memory"])
def view(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[View]:
    """A view in which `stored` was written before it was opened, where that can be told."""
    if request.param == "view in memory":
        plain = MemoryView()
        plain.unread.put(b"stored", b"1")
        yield plain
    elif request.param == "batch in memory":
        tables = MemoryTables()
        before = Batch(tables)
        before.unread.put(b"stored", b"1")
        before.write()
        yield Batch(tables)
    else:
        with closing(State(tmp_path)) as state:
            with state.batch() as writing:
                writing.batch.unread.put(b"stored", b"1")
            with state.batch() as writing:
                yield writing.batch


def test_a_row_that_was_stored_is_there(view: View) -> None:
    assert view.unread.get(b"stored") == b"1"
    assert view.unread.get(b"store") is None


def test_a_row_is_read_as_it_was_put(view: View) -> None:
    view.conversations.put(b"c", builders.conversation())
    view.messages.put(b"m", builders.message(headers={"a": "b"}))

    assert view.conversations.get(b"c") == builders.conversation()
    assert view.messages.get(b"m") == builders.message(headers={"a": "b"})


def test_what_this_batch_has_put_is_read_in_place_of_what_was_stored(view: View) -> None:
    view.unread.put(b"stored", b"2")

    assert view.unread.get(b"stored") == b"2"
    assert view.unread.under(b"st") == [(b"stored", b"2")]


def test_what_this_batch_has_deleted_is_gone(view: View) -> None:
    view.unread.put(b"put", b"")
    for key in (b"stored", b"put", b"never there"):
        view.unread.delete(key)

    assert view.unread.under(b"") == []
    assert view.unread.get(b"stored") is None


def test_a_deleted_row_can_be_put_again(view: View) -> None:
    view.unread.delete(b"stored")
    view.unread.put(b"stored", b"3")

    assert view.unread.get(b"stored") == b"3"


def test_rows_under_a_prefix_are_those_stored_and_those_put_in_order(view: View) -> None:
    for key in (b"stored 2", b"store", b"a", b"stored\xff", b"sto", b"z"):
        view.unread.put(key, key)

    found = view.unread.under(b"stored")

    assert [key for key, _ in found] == [b"stored", b"stored 2", b"stored\xff"]
    assert view.unread.under(b"zz") == []


def test_rows_may_be_changed_while_those_under_a_prefix_are_looked_at(view: View) -> None:
    for key, _ in view.unread.under(b"st"):
        view.unread.delete(key)
        view.unread.put(b"st-new", b"")

    assert view.unread.under(b"st") == [(b"st-new", b"")]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "delete", "under"]),
            st.text("ab", max_size=3).map(str.encode),
        )
    )
)
def test_rows_under_a_prefix_are_those_of_a_plain_mapping(done: list[tuple[str, bytes]]) -> None:
    rows = Batch(MemoryTables()).unread
    model: dict[bytes, bytes] = {}

    for number, (what, key) in enumerate(done):
        value = b"%d" % number
        if what == "put":
            rows.put(key, value)
            model[key] = value
        elif what == "delete":
            rows.delete(key)
            model.pop(key, None)
        else:
            assert rows.under(key) == sorted(e for e in model.items() if e[0].startswith(key))


def test_an_answer_is_a_row_under_its_command(view: View) -> None:
    view.answer(builders.command_id(), Answer(b"digest", 204))

    assert view.requests.get(builders.command_id()) == Answer(b"digest", 204)


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([builders.message_received("a"), builders.message_received("a")], id="twice"),
        pytest.param(
            [builders.message_received("a"), builders.message_replaced("a", at=NOW + 1)], id="edit"
        ),
        pytest.param(
            [builders.message_received("a"), builders.conversation_read(at=NOW + 1)], id="read"
        ),
        pytest.param([builders.message_sent(), builders.message_delivered()], id="sent"),
        pytest.param(
            [
                builders.message_received("a"),
                builders.conversation_described({"contact.display_name": b'"Ada"'}),
                builders.reaction_changed("👍", at=NOW, to="a"),
            ],
            id="described",
        ),
    ],
)
def test_the_same_events_come_to_the_same_rows(view: View, events: list[Event]) -> None:
    reference = MemoryView()
    for event in events:
        assert project(view, event, NOW) == project(reference, event, NOW)

    names = ("conversations", "messages", "metadata", "unread", "contacts", "sends", "profiles")
    for name in names:
        found = dict(getattr(view, name).under(b""))
        found.pop(b"stored", None)
        assert found == dict(getattr(reference, name).under(b""))
