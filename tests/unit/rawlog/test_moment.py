"""Several logs copied as one moment had them, whoever appends meanwhile."""

import multiprocessing
from contextlib import closing
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from airy_ray.errors import DamagedError
from airy_ray.rawlog import moment
from airy_ray.rawlog.tail import LogTail
from airy_ray.storage import child
from tests.log_builders import append, prepared, webhooks

COPIES = 25
LOGS = 3


def write(directories: list[Path], begun: Event) -> None:
    """Append to one log after the other, for ever: none is ever ahead of the one before it."""
    tails = [LogTail(directory) for directory in directories]
    for number in count():
        for tail in tails:
            tail.append(prepared(webhooks(1, first=number)))
        begun.set()


def copied(directories: list[Path], copies: list[Path]) -> list[int]:
    """Copy logs, and return how long the copies are; in a process of its own."""
    return list(child.results(copied_here, directories, copies))


def copied_here(directories: list[Path], copies: list[Path]):  # type: ignore[no-untyped-def]
    moment.copy(directories, copies)
    for copy in copies:
        with closing(LogTail(copy, is_read_only=True)) as tail:
            yield tail.head


def test_no_log_is_newer_than_the_others_in_a_copy_of_all(tmp_path: Path) -> None:
    directories = [tmp_path / f"{number}" for number in range(LOGS)]
    spawn = multiprocessing.get_context("spawn")
    begun = spawn.Event()
    writer = spawn.Process(target=write, args=(directories, begun))
    writer.start()
    try:
        begun.wait()
        heads = [
            copied(directories, [tmp_path / f"copy-{turn}-{log}" for log in range(LOGS)])
            for turn in range(COPIES)
        ]
    finally:
        writer.kill()
        writer.join()

    assert all(found == sorted(found, reverse=True) for found in heads)
    assert all(found[0] - found[-1] <= 1 for found in heads)
    assert heads[-1][0] > heads[0][0]


def test_a_log_that_is_missing_is_damage(tmp_path: Path) -> None:
    append(tmp_path / "one", webhooks(1))

    with pytest.raises(DamagedError, match="it is missing"):
        copied(
            [tmp_path / "one", tmp_path / "other"], [tmp_path / "copy-one", tmp_path / "copy-two"]
        )
