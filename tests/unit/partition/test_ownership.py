"""One owner at a time, and whether the last one left in order."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import pytest

from airy_ray.errors import PartitionUnavailableError
from airy_ray.partition import ownership
from airy_ray.partition.ownership import OwnerLock, Running
from tests.log_builders import owned, spec

PROCESSES = multiprocessing.get_context("spawn")


def test_a_second_owner_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    with owned(spec(tmp_path)), pytest.raises(PartitionUnavailableError), owned(spec(tmp_path)):
        pass

    with owned(spec(tmp_path)):
        pass


def test_being_refused_again_and_again_takes_no_descriptors(tmp_path: Path) -> None:
    with owned(spec(tmp_path)):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            with pytest.raises(PartitionUnavailableError), owned(spec(tmp_path)):
                pass

        assert len(os.listdir("/proc/self/fd")) == before


def test_a_killed_owner_is_one_no_more(tmp_path: Path) -> None:
    ours, theirs = PROCESSES.Pipe()
    child = PROCESSES.Process(target=_own_for_ever, args=(tmp_path, theirs))
    child.start()
    assert ours.poll(20)
    waiting = OwnerLock(tmp_path)
    holder = waiting.holder
    with pytest.raises(PartitionUnavailableError):
        waiting.acquire()

    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()

    waiting.acquire()
    assert (holder, waiting.holder) == (child.pid, os.getpid())
    waiting.release()


def test_the_mark_is_there_while_an_owner_runs_and_gone_once_it_left(tmp_path: Path) -> None:
    directory = spec(tmp_path).directory
    with owned(spec(tmp_path)):
        mark = ownership.left_running(directory)
        assert mark is not None
        assert ownership.is_same_boot(mark, ownership.here(directory))

    assert ownership.left_running(directory) is None


@pytest.mark.parametrize("other", ["machine", "boot", "filesystem"])
def test_what_was_not_synced_is_trusted_only_where_and_while_it_was_written(
    tmp_path: Path, other: str
) -> None:
    present = ownership.here(tmp_path)
    mark = msgspec.structs.replace(present, starts=(1, 2, 3))

    assert ownership.is_same_boot(mark, present)
    assert not ownership.is_same_boot(msgspec.structs.replace(mark, **{other: "x"}), present)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"machine": 1}', b"\xff", b'{"machine": "\xff", "boot": "", "f": 1}'],
)
def test_a_damaged_mark_trusts_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "running.json").write_bytes(content)

    mark = ownership.left_running(tmp_path)

    assert mark == Running("", "", "")
    assert not ownership.is_same_boot(mark, ownership.here(tmp_path))


def _own_for_ever(directory: Path, told: Connection) -> None:
    OwnerLock(directory).acquire()
    told.send(True)
    signal.pause()
