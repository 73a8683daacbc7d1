"""Appends of one process, grouped: all requests that wait share one synced commit per partition.

One thread does the commits, so the event loop never waits for the disk, and hands results back once
per round: each hop between threads costs more than the append itself.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airy_ray.cluster.doorbell import Ringer, owner_bell
from airy_ray.errors import AiryError, LogBusyError, StorageError
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Offset, Prepared, Record, prepare
from airy_ray.rawlog.tail import LogTail

logger = logging.getLogger(__name__)

_ROUND_MAX = 1_024
_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class _Waiting:
    partition: PartitionIndex
    prepared: Prepared
    since: float
    future: asyncio.Future[Offset]


_Outcome = tuple[asyncio.Future[Offset], Offset | AiryError]


class Appender:
    """Appends records to the logs of this machine's partitions."""

    def __init__(
        self,
        specs: Sequence[PartitionSpec],
        run_directory: Path,
        *,
        wait_s: float,
        queue_records: int,
    ) -> None:
        self.tails = {spec.index: LogTail(spec.directory) for spec in specs}
        self._bells = {spec.index: owner_bell(spec.name) for spec in specs}
        self._ringer = Ringer(run_directory)
        self._wait_s = wait_s
        self._queue_records = queue_records
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Waiting] = deque()
        self._round: list[_Waiting] = []
        self._wanted = threading.Semaphore(0)
        self._is_idle = True
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="appender", daemon=True)
        self._thread.start()
        self._watch = self._loop.call_later(_LOOK_S, self._look)

    def append(self, partition: PartitionIndex, record: Record) -> asyncio.Future[Offset]:
        """Have a record stored; the future is done once it is on disk.

        It fails with `LogBusyError` if that took too long, and then it may still happen; with
        `DiskFullError` or `DamagedError` if it did not happen.
        """
        future: asyncio.Future[Offset] = self._loop.create_future()
        if len(self._queue) >= self._queue_records:
            future.set_exception(LogBusyError("too many records wait to be stored"))
            return future
        self._queue.append(_Waiting(partition, prepare(record), self._loop.time(), future))
        if self._is_idle:
            self._is_idle = False
            self._wanted.release()
        return future

    def close(self) -> None:
        """Store what waits, then stop."""
        self._watch.cancel()
        self._is_closed = True
        self._wanted.release()
        self._thread.join()
        for tail in self.tails.values():
            tail.close()
        self._ringer.close()

    def _work(self) -> None:
        """Store what waits, round after round, on the appender's own thread."""
        while not (self._is_closed and not self._queue):
            self._wanted.acquire()
            while self._queue:
                self._round = [
                    self._queue.popleft() for _ in range(min(len(self._queue), _ROUND_MAX))
                ]
                outcomes = self._store(self._round)
                self._loop.call_soon_threadsafe(_settle, outcomes)
            self._round = []
            self._is_idle = True
            if self._queue:  # it came after the last look and before the mark
                self._is_idle = False
                self._wanted.release()

    def _store(self, waiting: list[_Waiting]) -> list[_Outcome]:
        groups: dict[PartitionIndex, list[_Waiting]] = {}
        for each in waiting:
            groups.setdefault(each.partition, []).append(each)
        outcomes: list[_Outcome] = []
        for partition, group in groups.items():
            outcomes += self._store_group(partition, group)
        return outcomes

    def _store_group(self, partition: PartitionIndex, group: list[_Waiting]) -> list[_Outcome]:
        try:
            first = self.tails[partition].append([each.prepared for each in group])
        except AiryError as error:
            logger.warning("partition %d takes no records: %s", partition, error)
            return [(each.future, error) for each in group]
        except Exception:  # these requests fail, but the thread must live for those to come
            logger.exception("partition %d takes no records", partition)
            failed = StorageError("the record was not stored")
            return [(each.future, failed) for each in group]
        self._ringer.ring(self._bells[partition])
        return [(each.future, Offset(first + index)) for index, each in enumerate(group)]

    def _look(self) -> None:
        """Give up on what has waited too long: the log is held by a process that does not move."""
        before = self._loop.time() - self._wait_s
        for each in (*self._round, *self._queue):
            if each.since < before and not each.future.done():
                each.future.set_exception(LogBusyError("storing the record takes too long"))
        self._watch = self._loop.call_later(_LOOK_S, self._look)


def _settle(outcomes: list[_Outcome]) -> None:
    for future, outcome in outcomes:
        if future.done():
            continue
        if isinstance(outcome, AiryError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
