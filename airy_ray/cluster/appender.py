"""Appends of one process, grouped: all requests that wait share one synced commit per partition.

A writer process does the commits, round after round; the event loop gathers meanwhile. A writer
that dies is started again; what it was doing may have happened or not, and is said to be busy.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from airy_ray.cluster import log_writer
from airy_ray.cluster.log_writer import REPLY_BYTES, Outcome, Reply, WriterProcess
from airy_ray.errors import AiryError, LogBusyError
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Offset, Record, encode
from airy_ray.rawlog.tail import LogTail

logger = logging.getLogger(__name__)

_ROUND_RECORDS = 1_024
_ROUND_BYTES = 16 << 20
_LOOK_S = 0.25
_RESTART_S = 0.5
_RECEIVED_BYTES = 1 << 16


class _Waiting(msgspec.Struct, gc=False):
    partition: PartitionIndex
    record: bytes
    since: float
    future: asyncio.Future[Offset]


class Appender:
    """Appends records to the logs of this machine's partitions; used in one event loop."""

    def __init__(
        self,
        specs: Sequence[PartitionSpec],
        run_directory: Path,
        *,
        wait_s: float,
        queue_records: int,
    ) -> None:
        self.tails = {spec.index: LogTail(spec.directory) for spec in specs}
        self._specs = specs
        self._run_directory = run_directory
        self._wait_s = wait_s
        self._queue_records = queue_records
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Waiting] = deque()
        self._round: dict[PartitionIndex, list[_Waiting]] = {}
        self._is_sending = False
        self._unsent = memoryview(b"")
        self._received = bytearray()
        self._writer: WriterProcess | None = None
        self._start_writer()
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
        self._queue.append(_Waiting(partition, encode(record), self._loop.time(), future))
        if not self._is_sending and not self._round:
            self._is_sending = True
            self._loop.call_soon(self._send_round)  # with all else that comes in this turn
        return future

    @property
    def writer_pid(self) -> int | None:
        """The process that does the commits, while there is one."""
        return None if self._writer is None else self._writer.pid

    def close(self) -> None:
        """Have the writer end after what it is doing; what still waits is told that it is busy."""
        self._watch.cancel()
        if self._writer is not None:
            self._give_up(self._writer, "the process ends")
        _fail(self._queue, LogBusyError("the process ends"))
        for tail in self.tails.values():
            tail.close()

    def _start_writer(self) -> None:
        self._writer = WriterProcess(self._specs, self._run_directory)
        self._loop.add_reader(self._writer.socket, self._hear, self._writer)
        self._send_round()

    def _send_round(self) -> None:
        """Send what waits to the writer, unless it still has a round."""
        self._is_sending = False
        if self._writer is None or self._round or not self._queue:
            return
        left = _ROUND_BYTES
        for _ in range(min(len(self._queue), _ROUND_RECORDS)):
            each = self._queue.popleft()
            self._round.setdefault(each.partition, []).append(each)
            left -= len(each.record)
            if left <= 0:
                break
        groups = [
            (partition, [each.record for each in group]) for partition, group in self._round.items()
        ]
        self._unsent = memoryview(log_writer.encode_round(groups))
        self._send(self._writer)

    def _send(self, writer: WriterProcess) -> None:
        try:
            self._unsent = self._unsent[writer.socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            return  # it died, of which the reader learns too
        if self._unsent:
            self._loop.add_writer(writer.socket, self._send_rest, writer)

    def _send_rest(self, writer: WriterProcess) -> None:
        self._loop.remove_writer(writer.socket)
        self._send(writer)

    def _hear(self, writer: WriterProcess) -> None:
        """Settle what the writer has stored, and give it the next round."""
        try:
            received = writer.socket.recv(_RECEIVED_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._replace(writer)
            return
        self._received += received
        whole = len(self._received) - len(self._received) % REPLY_BYTES
        for at in range(0, whole, REPLY_BYTES):
            self._settle(log_writer.decode_reply(self._received, at))
        del self._received[:whole]
        if not self._round:
            self._send_round()

    def _settle(self, reply: Reply) -> None:
        group = self._round.pop(reply.partition)
        if reply.outcome is not Outcome.STORED:
            _fail(group, log_writer.failure(reply.outcome))
            return
        for offset, each in enumerate(group, reply.first):
            if not each.future.done():
                each.future.set_result(Offset(offset))

    def _replace(self, writer: WriterProcess) -> None:
        logger.error("the log writer, process %d, died; starting another", writer.pid)
        self._give_up(writer, "the log writer died")
        self._loop.call_later(_RESTART_S, self._restart_writer)

    def _restart_writer(self) -> None:
        if self._watch.cancelled():
            return  # closed meanwhile
        try:
            self._start_writer()
        except OSError:  # no memory, no process left: later there may be
            logger.exception("the log writer does not start")
            self._loop.call_later(_RESTART_S, self._restart_writer)

    def _give_up(self, writer: WriterProcess, reason: str) -> None:
        self._loop.remove_reader(writer.socket)
        self._loop.remove_writer(writer.socket)
        writer.end()
        self._writer = None
        self._received.clear()
        for group in self._round.values():
            _fail(group, LogBusyError(reason))
        self._round.clear()

    def _look(self) -> None:
        """Give up on what has waited too long: the log is held by a process that does not move."""
        before = self._loop.time() - self._wait_s
        while self._queue and self._queue[0].since < before:
            _fail([self._queue.popleft()], LogBusyError("storing the record takes too long"))
        for group in self._round.values():
            late = [each for each in group if each.since < before]
            _fail(late, LogBusyError("storing the record takes too long"))
        self._watch = self._loop.call_later(_LOOK_S, self._look)


def _fail(group: Iterable[_Waiting], error: AiryError) -> None:
    for each in group:
        if not each.future.done():
            each.future.set_exception(error)
