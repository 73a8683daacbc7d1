"""Appends of a process: grouped, answered once they are on disk, never kept waiting for ever."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TypeVar

from airy_ray.cluster.appender import Appender
from airy_ray.cluster.doorbell import APPENDED, Bell, owner_bell
from airy_ray.errors import AiryError, DamagedError, LogBusyError
from airy_ray.model.ids import PartitionIndex
from airy_ray.rawlog.record import Offset, opened
from airy_ray.rawlog.tail import LogTail
from tests import builders
from tests.log_builders import spec

T = TypeVar("T")
ZERO, ONE = PartitionIndex(0), PartitionIndex(1)
PROCESSES = multiprocessing.get_context("spawn")


@asynccontextmanager
async def appending(
    directory: Path, *, wait_s: float = 20, queue: int = 10_000
) -> AsyncIterator[Appender]:
    specs = [spec(directory, index=index, count=2) for index in (0, 1)]
    appender = Appender(specs, directory, wait_s=wait_s, queue_records=queue)
    try:
        yield appender
    finally:
        appender.close()


def run(main: Callable[[], Awaitable[T]]) -> T:
    async def bounded() -> T:
        return await asyncio.wait_for(main(), 60)

    return asyncio.run(bounded())


def bodies(directory: Path, index: int = 0) -> list[bytes]:
    with closing(LogTail(spec(directory, index=index, count=2).directory)) as tail:
        return [opened(value, offset).body for offset, value in tail.read(0, 100_000)]


def test_an_awaited_append_is_stored_at_its_offset(tmp_path: Path) -> None:
    async def main() -> list[int]:
        async with appending(tmp_path) as appender:
            return [await appender.append(ZERO, builders.record(b"%d" % n)) for n in range(3)]

    assert run(main) == [0, 1, 2]
    assert bodies(tmp_path) == [b"0", b"1", b"2"]


def test_appends_that_wait_together_keep_their_order_and_share_commits(tmp_path: Path) -> None:
    async def main() -> tuple[list[Offset], int]:
        async with appending(tmp_path) as appender:
            before = appender.tails[ZERO]._environment.transaction_id
            waiting = [appender.append(ZERO, builders.record(b"%d" % n)) for n in range(3_000)]
            offsets = await asyncio.gather(*waiting)
            return offsets, appender.tails[ZERO]._environment.transaction_id - before

    offsets, commits = run(main)
    assert offsets == list(range(3_000))
    assert commits < 100
    assert bodies(tmp_path) == [b"%d" % n for n in range(3_000)]


def test_each_partition_has_its_own_log_and_its_owner_is_woken(tmp_path: Path) -> None:
    bells = [Bell(tmp_path, owner_bell(name)) for name in ("00", "01")]

    async def main() -> list[int]:
        async with appending(tmp_path) as appender:
            return [await appender.append(index, builders.record()) for index in (ZERO, ONE, ONE)]

    assert run(main) == [0, 0, 1]
    assert [set(bell.drain()) for bell in bells] == [{APPENDED}, {APPENDED}]
    for bell in bells:
        bell.close()


def test_processes_that_append_at_once_share_a_log_without_a_gap(tmp_path: Path) -> None:
    with PROCESSES.Pool(3) as pool:
        told = pool.map(_append_many, [(tmp_path, name) for name in "abc"])

    stored = bodies(tmp_path)
    assert sorted(offset for offsets in told for offset in offsets) == list(range(600))
    for name, offsets in zip("abc", told, strict=True):
        assert [stored[o].decode() for o in offsets] == [f"{name}{n}" for n in range(200)]


def test_a_log_in_doubt_refuses_its_own_records_only(tmp_path: Path) -> None:
    async def main() -> tuple[object, object]:
        async with appending(tmp_path) as appender:
            appender.tails[ZERO].distrust()
            waiting = [appender.append(index, builders.record()) for index in (ZERO, ONE)]
            refused, stored = await asyncio.gather(*waiting, return_exceptions=True)
            return refused, stored

    refused, stored = run(main)
    assert isinstance(refused, DamagedError)
    assert stored == 0


def test_an_append_behind_a_process_that_does_not_move_fails_in_time_and_works_again(
    tmp_path: Path,
) -> None:
    async def main() -> tuple[AiryError | None, int]:
        async with appending(tmp_path, wait_s=1) as appender:
            await appender.append(ZERO, builders.record(b"before"))
            frozen = appender.tails[ZERO]._environment.lmdb.begin(write=True)
            waiting = appender.append(ZERO, builders.record(b"late"))
            error = await _error_of(waiting)
            frozen.abort()
            return error, await appender.append(ZERO, builders.record(b"after"))

    error, offset = run(main)
    assert isinstance(error, LogBusyError)
    assert offset == 2, "what was given up is stored all the same: it may be repeated"
    assert bodies(tmp_path) == [b"before", b"late", b"after"]


def test_a_full_queue_refuses_at_once(tmp_path: Path) -> None:
    async def main() -> list[object]:
        async with appending(tmp_path, queue=5) as appender:
            held = appender.tails[ZERO]._environment.lmdb.begin(write=True)
            waiting = [appender.append(ZERO, builders.record()) for _ in range(50)]
            refused = [each for each in waiting if each.done()]
            held.abort()
            await asyncio.gather(*waiting, return_exceptions=True)
            return [each.exception() for each in refused]

    errors = run(main)
    assert len(errors) >= 40
    assert {type(error) for error in errors} == {LogBusyError}


def test_closing_answers_what_waits(tmp_path: Path) -> None:
    async def main() -> list[object]:
        async with appending(tmp_path) as appender:
            waiting = [appender.append(ZERO, builders.record()) for _ in range(500)]
        return await asyncio.gather(*waiting, return_exceptions=True)

    answers = run(main)
    stored = [answer for answer in answers if isinstance(answer, int)]
    assert {type(answer) for answer in answers} <= {int, LogBusyError}
    assert len(stored) <= len(bodies(tmp_path))


def test_a_writer_that_is_killed_is_replaced_and_what_it_had_is_said_to_be_busy(
    tmp_path: Path,
) -> None:
    async def main() -> tuple[Sequence[object], int]:
        async with appending(tmp_path) as appender:
            await appender.append(ZERO, builders.record())
            waiting = [appender.append(ZERO, builders.record()) for _ in range(3)]
            await asyncio.sleep(0)  # the round is on its way
            os.kill(appender.writer_pid or 0, signal.SIGKILL)
            answers = await asyncio.gather(*waiting, return_exceptions=True)
            return answers, await appender.append(ZERO, builders.record(b"last"))

    answers, last = run(main)
    assert {type(answer) for answer in answers} <= {int, LogBusyError}
    assert bodies(tmp_path)[last] == b"last"


def test_a_caller_that_went_away_disturbs_nobody(tmp_path: Path) -> None:
    async def main() -> int:
        async with appending(tmp_path) as appender:
            appender.append(ZERO, builders.record()).cancel()
            return await appender.append(ZERO, builders.record())

    assert run(main) == 1


async def _error_of(waiting: Awaitable[object]) -> AiryError | None:
    try:
        await waiting
    except AiryError as error:
        return error
    return None


def _append_many(task: tuple[Path, str]) -> list[int]:
    directory, name = task

    async def main() -> list[int]:
        async with appending(directory) as appender:
            waiting = [
                appender.append(ZERO, builders.record(f"{name}{n}".encode())) for n in range(200)
            ]
            return list(await asyncio.gather(*waiting))

    return run(main)
