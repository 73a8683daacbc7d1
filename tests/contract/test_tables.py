"""What every store of a partition's tables does: in LMDB, and in the memory of tests."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.errors import RowCorruptError
from airy_ray.state.batch import Tables
from airy_ray.state.lmdb_tables import LmdbTables
from airy_ray.state.state import State
from tests.fakes import MemoryTables

Opened = Callable[[], AbstractContextManager[Tables]]
"""Opens the same store once more: what was written in one opening is there in the next."""


@pytest.fixture(params=["LMDB", "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    if request.param == "memory":
        tables = MemoryTables()
        yield contextmanager(lambda: iter([tables]))
        return
    with closing(State(tmp_path)) as state:
        yield lambda: _in_transaction(state)


@contextmanager
def _in_transaction(state: State) -> Iterator[Tables]:
    with state.environment.write() as transaction:
        yield LmdbTables(state.environment, transaction)


def test_a_new_table_is_empty(opened: Opened) -> None:
    with opened() as tables:
        assert tables.getter("unread")(b"key") is None
        assert tables.under("unread", b"") == []


def test_what_was_put_is_there_now_and_later(opened: Opened) -> None:
    with opened() as tables:
        tables.put_many("unread", [(b"a", b"1"), (b"b", b"")], append=False)
        assert tables.getter("unread")(b"a") == b"1"

    with opened() as tables:
        assert tables.getter("unread")(b"b") == b""


def test_putting_again_replaces(opened: Opened) -> None:
    with opened() as tables:
        tables.put_many("unread", [(b"a", b"1")], append=False)
        tables.put_many("unread", [(b"a", b"2")], append=False)

        assert tables.under("unread", b"") == [(b"a", b"2")]


def test_tables_do_not_mix(opened: Opened) -> None:
    with opened() as tables:
        tables.put_many("unread", [(b"a", b"1")], append=False)

        assert tables.getter("unseen")(b"a") is None


def test_deleting_takes_one_key_and_none_is_no_error(opened: Opened) -> None:
    with opened() as tables:
        tables.put_many("unread", [(b"a", b"1"), (b"ab", b"2")], append=False)
        tables.delete("unread", b"a")
        tables.delete("unread", b"a")

        assert tables.under("unread", b"a") == [(b"ab", b"2")]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        pytest.param(b"b", [b"b", b"ba", b"b\xff"], id="the key itself and what follows"),
        pytest.param(b"ba", [b"ba"], id="one"),
        pytest.param(b"bb", [], id="none between two"),
        pytest.param(b"\xff", [b"\xff\xff"], id="at the end"),
        pytest.param(b"\xff\xff\xff", [], id="past the end"),
        pytest.param(b"a", [b"a"], id="at the beginning"),
    ],
)
def test_keys_under_a_prefix_come_in_order(
    opened: Opened, prefix: bytes, found: list[bytes]
) -> None:
    stored = sorted([b"a", b"b", b"ba", b"b\xff", b"c", b"\xff\xff"])
    with opened() as tables:
        tables.put_many("unread", [(key, b"v") for key in stored], append=False)

        assert tables.under("unread", prefix) == [(key, b"v") for key in sorted(found)]


def test_what_is_appended_follows_what_is_there(opened: Opened) -> None:
    with opened() as tables:
        tables.put_many("changes", [(b"1", b""), (b"2", b"")], append=True)
        tables.put_many("changes", [(b"3", b"")], append=True)

        assert [key for key, _ in tables.under("changes", b"")] == [b"1", b"2", b"3"]


def test_appending_before_the_end_is_refused(opened: Opened) -> None:
    with opened() as tables:
        tables.put_many("changes", [(b"2", b"")], append=True)

        with pytest.raises((RowCorruptError, ValueError)):
            tables.put_many("changes", [(b"1", b"")], append=True)


KEYS = st.binary(min_size=1, max_size=3)
STEPS = st.lists(st.tuples(st.sampled_from(["put", "delete"]), KEYS, st.binary(max_size=3)))


@given(steps=STEPS, prefix=st.binary(max_size=2))
def test_both_stores_hold_the_same_whatever_is_done(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, bytes, bytes]],
    prefix: bytes,
) -> None:
    with closing(State(tmp_path_factory.mktemp("s"))) as state, _in_transaction(state) as ours:
        stores: list[Tables] = [ours, MemoryTables()]
        for step, key, value in steps:
            for tables in stores:
                if step == "put":
                    tables.put_many("unread", [(key, value)], append=False)
                else:
                    tables.delete("unread", key)

        assert stores[0].under("unread", prefix) == stores[1].under("unread", prefix)
