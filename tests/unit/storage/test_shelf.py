"""A shelf reads as it will be, writes all or nothing, and never hands out a wrong row."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.errors import RowCorruptError
from airy_ray.storage.environments import close_environment, open_environment
from airy_ray.storage.shelf import Shelf

TABLES = ("one", "two")
KEYS = st.binary(min_size=1, max_size=3)
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "write"]), KEYS, st.binary(max_size=3)), max_size=40
)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with closing(Shelf(tmp_path, TABLES)) as opened:
        yield opened


def write(shelf: Shelf) -> None:
    rows = shelf.unwritten()
    shelf.write(rows)
    shelf.forget(rows)


@given(steps=STEPS, prefix=st.binary(max_size=2), limit=st.integers(0, 5))
def test_rows_are_read_as_they_will_be(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, bytes, bytes]],
    prefix: bytes,
    limit: int,
) -> None:
    expected: dict[bytes, bytes] = {}
    path = tmp_path_factory.mktemp("shelf")
    with closing(Shelf(path, TABLES)) as shelf:
        for step, key, row in steps:
            if step == "put":
                shelf.put("one", key, row)
                expected[key] = row
            elif step == "delete":
                shelf.delete("one", key)
                expected.pop(key, None)
            else:
                write(shelf)
            assert shelf.get("one", key) == expected.get(key)
        under = [(key, expected[key]) for key in sorted(expected) if key.startswith(prefix)]
        assert shelf.under("one", prefix, limit) == under[:limit]
        write(shelf)
        assert shelf.under("one", prefix, 1_000) == under
        newest = shelf.last_under("one", prefix, prefix + b"\xff" * 4, 1_000)
        assert newest == under[::-1]
    with closing(Shelf(path, TABLES)) as shelf:
        assert shelf.under("one", b"", 1_000) == sorted(expected.items())


def test_what_was_not_written_is_gone_after_a_crash(tmp_path: Path) -> None:
    with closing(Shelf(tmp_path, TABLES)) as shelf:
        shelf.put("one", b"a", b"1")
        write(shelf)
        shelf.put("one", b"a", b"2")
        shelf.put("two", b"b", b"2")

    with closing(Shelf(tmp_path, TABLES)) as shelf:
        assert (shelf.get("one", b"a"), shelf.get("two", b"b")) == (b"1", None)


def test_what_changes_while_it_is_written_is_written_later(shelf: Shelf) -> None:
    shelf.put("one", b"a", b"1")
    rows = shelf.unwritten()
    shelf.put("one", b"a", b"2")
    shelf.write(rows)
    shelf.forget(rows)

    assert not shelf.is_written
    write(shelf)
    assert (shelf.is_written, shelf.get("one", b"a")) == (True, b"2")


def test_all_of_a_prefix_goes(shelf: Shelf) -> None:
    for key in (b"a1", b"a2", b"b1"):
        shelf.put("one", key, b"")
    write(shelf)
    shelf.put("one", b"a3", b"")
    shelf.delete_under("one", b"a")

    assert shelf.under("one", b"", 9) == [(b"b1", b"")]


def test_a_row_that_the_disk_changed_is_an_error(tmp_path: Path) -> None:
    with closing(Shelf(tmp_path, TABLES)) as shelf:
        shelf.put("one", b"a", b"row")
        write(shelf)
    environment = open_environment(tmp_path, TABLES, durable=True)
    with environment.write() as transaction:
        transaction.put(b"a", b"12345678raw", db=environment.tables["one"])
    close_environment(environment)

    with closing(Shelf(tmp_path, TABLES)) as shelf, pytest.raises(RowCorruptError):
        shelf.get("one", b"a")


def test_who_only_reads_makes_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Shelf(tmp_path / "none", TABLES, create=False)
