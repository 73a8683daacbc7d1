"""Generations of a state: one counts, no number comes twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airy_ray.partition import generations
from airy_ray.partition.generations import Generation
from airy_ray.rawlog.tail import LogTail


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[LogTail]:
    opened = LogTail(tmp_path)
    yield opened
    opened.close()


def test_a_new_log_has_none(tail: LogTail) -> None:
    assert generations.live(tail) is None


def test_the_last_one_set_counts(tail: LogTail) -> None:
    generations.set_live(tail, Generation(1, target=50))
    generations.set_live(tail, Generation(2))

    assert generations.live(tail) == Generation(2)


@pytest.mark.parametrize(
    ("there", "present", "number"),
    [
        pytest.param([], None, 1, id="first"),
        pytest.param([1], Generation(1), 2, id="next"),
        pytest.param([1, 7], Generation(1), 8, id="one that was begun and given up"),
        pytest.param([], Generation(5), 6, id="one whose files are gone"),
        pytest.param([2, 10], None, 11, id="by number, not by name"),
    ],
)
def test_a_number_is_never_used_twice(
    tmp_path: Path, there: list[int], present: Generation | None, number: int
) -> None:
    for each in there:
        generations.path_of(tmp_path, each).mkdir()
    (tmp_path / "state.garbage").mkdir()

    assert generations.unused_number(tmp_path, present) == number


def test_all_but_one_are_dropped(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        generations.path_of(tmp_path, number).mkdir()

    generations.drop_others(tmp_path, 2)

    assert list(tmp_path.iterdir()) == [generations.path_of(tmp_path, 2)]
