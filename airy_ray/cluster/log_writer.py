"""The process that stores what one serving process takes in, and how the two speak.

A process of its own, because LMDB's binding gives the interpreter away for every put and commit,
and a thread waits for a busy event loop each time that it wants it back. It is started by its
serving process, ends with it, and acts on nothing but what comes through their socket.

```
to the writer:  length (4 bytes), then MessagePack: first a SETUP, then ROUNDs
SETUP  = [run directory, [[partition, log's directory, owner's bell], …]]
ROUND  = [[partition, [record, …]], …]
from it, for each partition of a round once its records are on disk:
REPLY  = partition (2 bytes), outcome (1 byte), offset of the first record (8 bytes)
```

Each partition's requests are answered while the next one's are stored, so that neither process
waits for the other. A partition whose log is held up holds up those after it in its round.
"""

import contextlib
import gc
import logging
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from airy_ray.cluster.child_process import ChildProcess
from airy_ray.cluster.doorbell import Ringer, owner_bell
from airy_ray.cluster.logs import log_to_stderr
from airy_ray.errors import AiryError, DamagedError, DiskFullError, LogBusyError
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import prepared
from airy_ray.rawlog.tail import LogTail

logger = logging.getLogger(__name__)

Group = tuple[PartitionIndex, list[bytes]]

_LENGTH = struct.Struct(">I")
_REPLY = struct.Struct(">HBQ")
REPLY_BYTES = _REPLY.size


class Outcome(IntEnum):
    """What became of a partition's records."""

    STORED = 0
    DISK_FULL = 1
    DAMAGED = 2
    BUSY = 3


class Reply(NamedTuple):
    """What became of a partition's records of a round, and the offset of the first."""

    partition: PartitionIndex
    outcome: Outcome
    first: int


class _Setup(msgspec.Struct, array_like=True):
    run_directory: str
    logs: list[tuple[PartitionIndex, str, str]]


class WriterProcess(ChildProcess):
    """A writer as its serving process holds it. Our end of its socket does not block."""

    def __init__(self, specs: Sequence[PartitionSpec], run_directory: Path) -> None:
        super().__init__(__name__)
        logs = [(spec.index, str(spec.directory), owner_bell(spec.name)) for spec in specs]
        self.socket.sendall(_framed(_Setup(str(run_directory), logs)))
        self.socket.setblocking(False)


def encode_round(groups: Sequence[Group]) -> bytes:
    """Return a round as it is sent to the writer."""
    return _framed(groups)


def decode_reply(received: bytes | bytearray, at: int) -> Reply:
    """Return the reply that begins at `at` of what was received."""
    partition, outcome, first = _REPLY.unpack_from(received, at)
    return Reply(partition, Outcome(outcome), first)


class _Writer:
    def __init__(self, setup: _Setup) -> None:
        self._tails = {index: LogTail(Path(directory)) for index, directory, _ in setup.logs}
        self._bells = {index: bell for index, _, bell in setup.logs}
        self._ringer = Ringer(Path(setup.run_directory))

    def store(self, partition: PartitionIndex, records: list[bytes]) -> Reply:
        try:
            first = self._tails[partition].append([prepared(record) for record in records])
        except AiryError as error:
            logger.warning("partition %d takes no records: %s", partition, error)
            return Reply(partition, _outcome(error), 0)
        except Exception:  # these requests fail, but those to come may not
            logger.exception("partition %d takes no records", partition)
            return Reply(partition, Outcome.BUSY, 0)
        return Reply(partition, Outcome.STORED, first)

    def wake_owner(self, partition: PartitionIndex) -> None:
        self._ringer.ring(self._bells[partition])


def _outcome(error: AiryError) -> Outcome:
    match error:
        case DiskFullError():
            return Outcome.DISK_FULL
        case DamagedError():
            return Outcome.DAMAGED
        case _:
            return Outcome.BUSY


def failure(outcome: Outcome) -> AiryError:
    """Return the error that an outcome stands for."""
    match outcome:
        case Outcome.DISK_FULL:
            return DiskFullError("the log")
        case Outcome.DAMAGED:
            return DamagedError("the log", "it is being checked")
        case _:
            return LogBusyError("the record was not stored")


def _framed(message: object) -> bytes:
    encoded = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(encoded)) + encoded


def _read(frames: BinaryIO) -> bytes | None:
    """Return the next message, or None once the serving process is gone."""
    head = frames.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    message = frames.read(length)
    return message if len(message) == length else None


_decode_round = msgspec.msgpack.Decoder(list[Group]).decode


def main(descriptor: int) -> None:
    """Store round after round until the serving process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    log_to_stderr()
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as frames:
        opening = _read(frames)
        if opening is None:
            return
        writer = _Writer(msgspec.msgpack.decode(opening, type=_Setup))
        gc.freeze()
        while (message := _read(frames)) is not None:
            groups = _decode_round(message)
            for group in groups:
                reply = _REPLY.pack(*writer.store(*group))
                with contextlib.suppress(OSError):  # nobody may wait for it any more
                    connection.sendall(reply)
            for partition, _ in groups:  # after all replies: an owner would take their processor
                writer.wake_owner(partition)


if __name__ == "__main__":
    main(int(sys.argv[1]))
