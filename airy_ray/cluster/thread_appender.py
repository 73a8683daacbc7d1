"""Appends of a process that appends seldom: on a thread of its own, without a writer process.

What waits while a commit is under way is stored with the next one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from airy_ray.cluster.doorbell import Ringer, owner_bell
from airy_ray.errors import AiryError, LogBusyError
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Offset, Prepared, Record, prepare
from airy_ray.rawlog.tail import LogTail

_Waiting = tuple[Prepared, "asyncio.Future[Offset]"]


class ThreadAppender:
    """Appends records to the logs of this machine's partitions; used in one event loop.

    Attributes:
        tails: for reading, in the event loop.
    """

    def __init__(self, specs: Sequence[PartitionSpec], run_directory: Path) -> None:
        self.tails = {spec.index: LogTail(spec.directory) for spec in specs}
        self._written = {spec.index: LogTail(spec.directory) for spec in specs}
        self._bells = {spec.index: owner_bell(spec.name) for spec in specs}
        self._ringer = Ringer(run_directory)
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "append")
        self._waiting: dict[PartitionIndex, list[_Waiting]] = defaultdict(list)
        self._storing: asyncio.Task[None] | None = None

    def append(self, partition: PartitionIndex, record: Record) -> "asyncio.Future[Offset]":
        """Have a record stored; the future is done once it is on disk.

        It fails with `DiskFullError`, `DamagedError` or `LogBusyError`; unless the disk is full it
        may have happened.
        """
        future: asyncio.Future[Offset] = self._loop.create_future()
        self._waiting[partition].append((prepare(record), future))
        if self._storing is None:
            self._storing = self._loop.create_task(self._store())
        return future

    def close(self) -> None:
        """Give everything back; nothing may wait any more."""
        self._thread.shutdown()
        self._ringer.close()
        for tail in (*self.tails.values(), *self._written.values()):
            tail.close()

    async def _store(self) -> None:
        while self._waiting:
            partition, group = self._waiting.popitem()
            records = [record for record, _ in group]
            tail = self._written[partition]
            try:
                first = await self._loop.run_in_executor(self._thread, tail.append, records)
            except Exception as error:  # these records fail, but those to come may not
                cause = error if isinstance(error, AiryError) else LogBusyError(str(error))
                _settle(group, cause)
            else:
                _settle(group, first)
                self._ringer.ring(self._bells[partition])
        self._storing = None


def _settle(group: list[_Waiting], outcome: Offset | AiryError) -> None:
    for at, (_, future) in enumerate(group):
        with suppress(asyncio.InvalidStateError):  # nobody waits for it any more
            if isinstance(outcome, AiryError):
                future.set_exception(outcome)
            else:
                future.set_result(Offset(outcome + at))
