"""A backup or restore killed at any step: what was there stays whole, the next one works."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import partial
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from airy_ray.backup.target import open_target
from airy_ray.cluster.layout import prepare_data
from airy_ray.errors import ConfigError
from tests.log_builders import NOW
from tests.unit.backup.backups import newest, restored, taken
from tests.unit.backup.machine import Machine, live, settings_of, told

Work = Callable[..., object]


def killed_at(step: int, work: Work, *paths: Path) -> bool:
    """Do some work in a process of its own that is killed at a step; return whether it got there.

    A step is each time that it tells how far it is, and each write that it brings to the disk.
    """
    process = _processes().Process(target=_work, args=(step, work, paths))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _work(step: int, work: Work, paths: tuple[Path, ...]) -> None:
    left = step
    sync = os.fsync

    def count(*_: object) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def fsync(descriptor: int) -> None:
        count()
        sync(descriptor)
        count()

    with patch("os.fsync", fsync):
        work(*paths, tell=count)


def test_a_backup_that_is_killed_leaves_the_earlier_ones_and_the_next_one_is_whole(
    tmp_path: Path,
) -> None:
    data, target = tmp_path / "data", tmp_path / "target"
    with Machine(data, 2) as machine:
        live(machine, Random(1), payloads=8)
        machine.care(NOW + 10**6)
    first = taken(data, target).manifest
    step = 0
    while True:
        with Machine(data) as machine:
            live(machine, Random(step), first_at=NOW + (step + 1) * 10**6, payloads=2)
            machine.care(NOW + (step + 2) * 10**6)
            rows = machine.rows()
        before = newest(target)
        if not killed_at(step, taken, data, target):
            break
        assert before.id in open_target(str(target)).ids()
        restored(target, tmp_path / f"restored-{step}")
        step += 4

    assert step > 10
    assert open_target(str(target)).manifest(first.id) == first
    restored(target, tmp_path / "restored")
    with Machine(tmp_path / "restored") as again:
        again.settle(NOW + 10**9)
        assert again.rows() == rows


@pytest.mark.parametrize("partitions", [2, 3])
def test_a_restore_that_is_killed_is_started_on_by_nobody_and_gone_on_with(
    tmp_path: Path, partitions: int
) -> None:
    data, target, again = tmp_path / "data", tmp_path / "target", tmp_path / "restored"
    with Machine(data, 2) as machine:
        live(machine, Random(1), payloads=8)
        machine.care(NOW + 10**6)
        before = told(machine)
    taken(data, target)
    step = 0
    while killed_at(step, partial(restored, partitions=partitions), target, again):
        if (again / "restoring").exists():
            with pytest.raises(ConfigError, match="did not come to its end; restore it again"):
                prepare_data(settings_of(again))
        elif (again / "layout.json").exists():
            break  # it was killed behind its end
        step += 3

    assert step > 10
    with Machine(again) as machine:
        machine.settle(NOW + 10**6)
        assert told(machine) == before
