"""One generation of a state: all of a batch or nothing, and never a damaged row."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airy_ray.errors import DamagedError, RowCorruptError
from airy_ray.projections import keys
from airy_ray.state.queries import reading
from airy_ray.state.state import State
from airy_ray.state.tables import PROJECTION_VERSION
from tests import builders
from tests.log_builders import rows


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / "state")
    yield opened
    opened.close()


def test_a_new_state_holds_nothing(state: State) -> None:
    assert (state.applied, state.version) == (0, PROJECTION_VERSION)
    assert {name for name, held in rows(state).items() if held} == {"meta"}


def test_a_batch_is_written_with_how_far_the_log_is_folded(state: State) -> None:
    with state.batch() as writing:
        writing.batch.conversations.put(b"c", builders.conversation())
        writing.applied = 7

    with state.batch() as writing:
        assert writing.batch.conversations.get(b"c") == builders.conversation()
        assert writing.applied == state.applied == 7


def test_a_batch_that_fails_leaves_nothing(state: State) -> None:
    before = rows(state)

    with pytest.raises(ZeroDivisionError):
        _fold_and_fail(state)

    assert rows(state) == before


def test_a_state_is_the_same_after_it_was_closed(tmp_path: Path) -> None:
    with closing(State(tmp_path)) as state:
        with state.batch() as writing:
            writing.batch.unread.put(b"u", b"1")
            writing.applied = 3
        before = rows(state)

    with closing(State(tmp_path)) as state:
        assert (rows(state), state.applied) == (before, 3)


@pytest.mark.parametrize("name", ["applied", "version"])
def test_a_state_that_cannot_tell_how_far_it_is_says_so(state: State, name: str) -> None:
    with state.environment.write() as transaction:
        transaction.delete(name.encode(), db=state.environment.tables["meta"])

    with pytest.raises(RowCorruptError):
        getattr(state, name)


def test_a_batch_is_not_begun_on_a_state_that_cannot_tell_how_far_it_is(state: State) -> None:
    with state.environment.write() as transaction:
        transaction.delete(b"applied", db=state.environment.tables["meta"])

    with pytest.raises(RowCorruptError), state.batch():
        pass


def test_what_is_appended_before_the_end_of_a_feed_is_damage_and_not_dropped(
    state: State,
) -> None:
    _note(state, 9)
    before = rows(state)

    with pytest.raises(RowCorruptError):
        _note(state, 8)

    assert rows(state) == before


def test_a_damaged_row_is_never_served_and_named(state: State) -> None:
    identifier = builders.conversation_id()
    with state.batch() as writing:
        writing.batch.conversations.put(identifier, builders.conversation())
        writing.batch.conversations_by_time.put(keys.by_time(builders.NOW, identifier), b"")
    _damage(state, "conversations", identifier)

    with reading(state.environment) as view:
        for read in (
            lambda: view.conversation(identifier),
            lambda: view.listed_conversations(view.conversation_keys(9)),
        ):
            with pytest.raises(RowCorruptError) as caught:
                read()
            assert (caught.value.table, caught.value.key) == ("conversations", identifier)


def test_a_damaged_row_is_not_folded_upon(state: State) -> None:
    with state.batch() as writing:
        writing.batch.metadata.put(b"subject", builders.message())  # type: ignore[arg-type]
    _damage(state, "metadata", b"subject")

    with state.batch() as writing:
        with pytest.raises(RowCorruptError):
            writing.batch.metadata.get(b"subject")
        with pytest.raises(RowCorruptError):
            writing.batch.metadata.under(b"sub")


def test_keys_are_told_in_order_up_to_a_bound(state: State) -> None:
    with state.batch() as writing:
        for key in (b"c", b"a", b"d", b"b"):
            writing.batch.unread.put(key, b"")

    assert state.first_keys("unread", before=b"d", limit=9) == [b"a", b"b", b"c"]
    assert state.first_keys("unread", before=b"d", limit=2) == [b"a", b"b"]
    assert state.first_keys("unread", before=b"a", limit=2) == []


def test_a_state_whose_table_was_lost_is_damaged(tmp_path: Path) -> None:
    State(tmp_path).close()
    file = tmp_path / "data.mdb"
    file.write_bytes(file.read_bytes().replace(b"contact_of", b"contact_oF"))

    with pytest.raises(DamagedError):
        State(tmp_path)


def _fold_and_fail(state: State) -> None:
    with state.batch() as writing:
        writing.batch.conversations.put(b"c", builders.conversation())
        writing.applied = 7
        raise ZeroDivisionError


def _note(state: State, offset: int) -> None:
    with state.batch() as writing:
        writing.batch.begin(offset)
        writing.batch.note(b"an entry")


def _damage(state: State, table: str, key: bytes) -> None:
    handle = state.environment.tables[table]
    with state.environment.write() as transaction:
        value = bytearray(transaction.get(key, db=handle) or b"")
        value[-1] ^= 1
        transaction.put(key, bytes(value), db=handle)
