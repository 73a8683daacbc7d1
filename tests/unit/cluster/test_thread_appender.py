"""Appends of a process that appends seldom: in order, grouped, told what came of them."""

import asyncio
from pathlib import Path

import pytest

from airy_ray.cluster.doorbell import Bell, owner_bell
from airy_ray.cluster.thread_appender import ThreadAppender
from airy_ray.errors import DiskFullError, LogBusyError
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Offset
from airy_ray.rawlog.tail import LogTail
from tests import builders
from tests.log_builders import spec


@pytest.fixture
def owns(tmp_path: Path) -> list[PartitionSpec]:
    found = [spec(tmp_path, index=index, count=2) for index in (0, 1)]
    for each in found:
        each.directory.mkdir(parents=True)
    return found


def test_records_are_stored_in_order_and_their_owner_is_woken(owns: list[PartitionSpec]) -> None:
    async def main() -> None:
        run_directory = owns[0].directory.parent
        bell = Bell(run_directory, owner_bell(owns[1].name))
        appender = ThreadAppender(owns, run_directory)
        records = [builders.record(b"%d" % number) for number in range(50)]
        first = appender.append(owns[1].index, records[0])
        await asyncio.sleep(0)
        offsets = await asyncio.gather(
            first, *(appender.append(owns[1].index, each) for each in records[1:])
        )
        assert offsets == list(range(50))
        assert await appender.append(owns[0].index, records[0]) == 0
        assert appender.tails[owns[1].index].head == 50
        assert 1 <= len(bell.drain()) < 50
        appender.close()
        bell.close()

    asyncio.run(main())


@pytest.mark.parametrize("error", [DiskFullError("the log"), ValueError("odd")])
def test_what_is_not_stored_is_told_and_others_are(
    owns: list[PartitionSpec], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    append = LogTail.append

    def refuse_once(tail: LogTail, records: object) -> Offset:
        monkeypatch.setattr(LogTail, "append", append)
        raise error

    async def main() -> None:
        appender = ThreadAppender(owns, owns[0].directory.parent)
        monkeypatch.setattr(LogTail, "append", refuse_once)
        with pytest.raises((DiskFullError, LogBusyError)):
            await appender.append(owns[0].index, builders.record())
        assert await appender.append(owns[0].index, builders.record()) == 0
        appender.close()

    asyncio.run(main())
