"""Work in a child: what it yields and raises arrives here, and its death kills nobody else."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from airy_ray.errors import ChildDiedError, DamagedError
from airy_ray.storage.beacon import is_alive
from airy_ray.storage.child import results


def _pids() -> Iterator[int]:
    while True:
        yield os.getpid()


def _squares(count: int) -> Iterator[int]:
    for each in range(count):
        yield each * each


def _fails_after_one() -> Iterator[int]:
    yield 1
    raise DamagedError("a/file", "a reason")


def _dies_after_one(number: int) -> Iterator[int]:
    yield 1
    os.kill(os.getpid(), number)


def _exits() -> Iterator[int]:
    yield from ()
    os._exit(3)


def _interrupted_and_done() -> Iterator[int]:
    os.kill(os.getpid(), signal.SIGINT)
    yield 1


def _beside(file: Path) -> Iterator[str]:
    os.write(2, b"Assertion failed")
    yield file.read_text()


def test_what_is_yielded_arrives_in_order() -> None:
    assert list(results(_squares, 5)) == [0, 1, 4, 9, 16]


def test_it_is_another_process_that_ends_with_the_iteration() -> None:
    found = results(_pids)
    pid = next(found)
    assert pid != os.getpid()

    found.close()

    assert not is_alive(pid)


def test_what_is_raised_there_is_raised_here() -> None:
    found = results(_fails_after_one)

    assert next(found) == 1
    with pytest.raises(DamagedError, match="a/file is damaged: a reason"):
        next(found)


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGBUS, signal.SIGKILL])
def test_a_death_is_told_with_its_signal_after_what_came_before(number: int) -> None:
    found = results(_dies_after_one, number)

    assert next(found) == 1
    with pytest.raises(ChildDiedError, match=f"ended with signal {int(number)}"):
        next(found)


def test_an_end_without_a_word_is_a_death_too() -> None:
    with pytest.raises(ChildDiedError, match="ended with code 3"):
        list(results(_exits))


def test_an_interrupt_from_the_keyboard_is_for_the_parent() -> None:
    assert list(results(_interrupted_and_done)) == [1]


def test_what_the_child_prints_on_its_way_is_not_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("content")

    assert list(results(_beside, tmp_path / "file")) == ["content"]
    assert capfd.readouterr().err == ""
