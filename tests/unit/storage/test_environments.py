"""LMDB environments: opened once, all tables or damage, failures told apart."""

import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest

from airy_ray.errors import DamagedError, StorageError
from airy_ray.storage.environments import (
    Environment,
    close_environment,
    open_environment,
)

TABLES = ("one", "two")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    opened = open_environment(tmp_path, TABLES, durable=True)
    yield opened
    close_environment(opened)


def test_a_process_opens_an_environment_once(environment: Environment, tmp_path: Path) -> None:
    again = open_environment(tmp_path / ".." / tmp_path.name, TABLES, durable=True)

    assert again is environment
    close_environment(again)


def test_an_environment_that_moved_while_it_was_open_is_the_same(tmp_path: Path) -> None:
    environment = open_environment(tmp_path / "here", TABLES, durable=True)
    (tmp_path / "here").rename(tmp_path / "there")

    again = open_environment(tmp_path / "there", TABLES, durable=True)

    assert again is environment
    close_environment(again)
    close_environment(environment)


def test_the_last_user_closes_it(tmp_path: Path) -> None:
    first = open_environment(tmp_path, TABLES, durable=True)
    second = open_environment(tmp_path, TABLES, durable=True)

    close_environment(first)
    with second.read():
        pass
    close_environment(second)

    with pytest.raises(lmdb.Error):
        second.lmdb.begin()


def test_a_write_is_seen_by_those_who_read_after_it(environment: Environment) -> None:
    before = environment.transaction_id
    with environment.write() as transaction:
        transaction.put(b"key", b"value", db=environment.tables["one"])

    with environment.read() as transaction:
        assert transaction.get(b"key", db=environment.tables["one"]) == b"value"
    assert environment.transaction_id == before + 1


def test_an_error_inside_a_write_leaves_nothing_of_it(environment: Environment) -> None:
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(environment)

    with environment.read() as transaction:
        assert transaction.get(b"key", db=environment.tables["one"]) is None


def test_what_is_not_there_is_not_made_for_a_reader(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_environment(tmp_path / "nothing", TABLES, durable=False, create=False)

    assert not (tmp_path / "nothing").exists()


def test_one_that_is_made_while_it_is_opened_is_not_there_and_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = lmdb.open

    def made_a_moment_later(path: str, **options: Any) -> lmdb.Environment:
        try:
            return really_open(path, **options)
        finally:
            Path(path).mkdir()
            (Path(path) / "data.mdb").touch()

    monkeypatch.setattr(lmdb, "open", made_a_moment_later)
    with pytest.raises(FileNotFoundError):
        open_environment(tmp_path / "new", TABLES, durable=True, create=False)


def test_a_table_that_was_lost_is_damage_and_not_made_anew(tmp_path: Path) -> None:
    close_environment(open_environment(tmp_path, TABLES, durable=True))
    _edit(tmp_path, lambda content: content.replace(b"two\0", b"twp\0"))

    with pytest.raises(DamagedError, match="lost a table"):
        open_environment(tmp_path, TABLES, durable=True)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda content: content[:-1], id="last byte lost"),
        pytest.param(lambda content: content[:4_096], id="first page only"),
        pytest.param(lambda content: content[:7], id="hardly anything"),
        pytest.param(lambda content: bytes(8_192) + content[8_192:], id="both headers lost"),
        pytest.param(lambda content: bytes(4_096) + content[4_096:], id="one header lost"),
    ],
)
def test_a_file_without_header_or_end_is_damage(
    tmp_path: Path, edit: Callable[[bytes], bytes]
) -> None:
    close_environment(open_environment(tmp_path, TABLES, durable=True))
    _edit(tmp_path, edit)

    with pytest.raises(DamagedError):
        open_environment(tmp_path, TABLES, durable=True)


def test_processes_that_open_a_new_environment_at_once_all_find_its_tables(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("spawn")
    with processes.Pool(3) as pool:
        opened = pool.map(_open_and_write, [(tmp_path / "new", number) for number in range(6)])

    assert opened == [True] * 6


def test_an_error_that_is_no_damage_is_not_taken_for_one(environment: Environment) -> None:
    with pytest.raises(StorageError) as caught, environment.read() as transaction:
        transaction.put(b"key", b"value", db=environment.tables["one"])

    assert not isinstance(caught.value, DamagedError)


def _write_and_fail(environment: Environment) -> None:
    with environment.write() as transaction:
        transaction.put(b"key", b"value", db=environment.tables["one"])
        raise ZeroDivisionError


def _edit(path: Path, edit: Callable[[bytes], bytes]) -> None:
    file = path / "data.mdb"
    file.write_bytes(edit(file.read_bytes()))


def _open_and_write(task: tuple[Path, int]) -> bool:
    path, number = task
    opened = open_environment(path, TABLES, durable=True)
    with opened.write() as transaction:
        transaction.put(b"%d" % number, b"", db=opened.tables["two"])
    close_environment(opened)
    return True
