"""The live tail of a partition's log: an LMDB environment that several processes append to.

1. An append is on disk when it returns. Records that wait together are stored by one commit.
2. Any process of the machine may append and read; LMDB's lock, which survives the death of its
   holder, puts appends in order. A transaction holds prepared puts and the commit, nothing else.
3. The newest record is never trimmed, so that the next offset can always be told.
4. `meta` and `archives` are small tables in the same synced environment: which state generation is
   live, how far records were forwarded, what has been archived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import lmdb
import msgspec

from airy_ray.errors import DamagedError, LogBusyError, OffsetOutOfRangeError
from airy_ray.rawlog.record import Offset, Prepared, stored
from airy_ray.storage.beacon import Beacon
from airy_ray.storage.environments import Environment, close_environment, open_environment
from airy_ray.storage.files import write_synced

LOG_TABLES = ("records", "archives", "meta")
BEACON = "beacon"

_BASE = b"base"
_POINTER = "log.current"
_DELETES_PER_COMMIT = 256


class Segment(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A sealed range of the log in one Parquet file.

    Attributes:
        first: the first offset in it.
        last: the last offset in it, inclusive.
        file: its name below the archive.
        digest: BLAKE2b of the file's bytes, by which its content is known to be whole.
        version: of the file's schema.
    """

    first: int
    last: int
    file: str
    digest: bytes
    file_bytes: int
    version: int


class LogTail:
    """The log of one partition, as far as it is not in the archive only.

    Its files lie in `log.<number>`; a repair writes a new one and all processes move over to it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.beacon = Beacon(directory / BEACON)
        self._open(number_in_use(directory))

    def _open(self, number: int) -> None:
        self.number = number
        self.path = path_of(self.directory, number)
        self._environment: Environment = open_environment(self.path, LOG_TABLES, durable=True)
        self._records = self._environment.tables["records"]
        self._archives = self._environment.tables["archives"]
        self._meta = self._environment.tables["meta"]

    def follow(self) -> None:
        """Move over to the log directory in use, if a repair has made a new one.

        The old environment stays open: another thread of this process may be reading in it.
        """
        if self.beacon.number not in (0, self.number):
            self._open(self.beacon.number)

    def append(self, prepared: Sequence[Prepared]) -> Offset:
        """Store records in order and return the offset of the first; durable on return. Blocks.

        Raises:
            DiskFullError: nothing was stored.
            DamagedError: the log is in doubt; nothing may be acknowledged until it was checked.
        """
        self._refuse_in_doubt()
        self.follow()
        try:
            with self._environment.write(self.beacon) as transaction:
                self._refuse_in_doubt()  # both may have come while we waited for the lock
                if self.beacon.number not in (0, self.number):
                    raise LogBusyError("the log was repaired just now")
                cursor = transaction.cursor(self._records)
                first = _next(cursor, transaction, self._meta)
                cursor.putmulti(
                    [
                        (offset.to_bytes(8, "big"), stored(record, offset))
                        for offset, record in enumerate(prepared, first)
                    ],
                    append=True,
                )
        except DamagedError:
            self.beacon.doubt(is_in_doubt=True)
            raise
        return Offset(first)

    def read(self, first: int, limit: int, bytes_max: int | None = None) -> list[tuple[int, bytes]]:
        """Return up to `limit` stored values from offset `first` on; none past the head.

        Of more than `bytes_max` bytes only the first value is returned beyond the bound.

        Raises:
            OffsetOutOfRangeError: `first` was trimmed; look in the archive.
        """
        self.follow()
        with self._environment.lmdb.begin() as transaction:
            cursor = transaction.cursor(self._records)
            if not cursor.set_range(first.to_bytes(8, "big")):
                return []
            found = []
            left = bytes_max
            for key, value in cursor:
                found.append((int.from_bytes(key, "big"), value))
                if len(found) == limit:
                    break
                if left is not None:
                    left -= len(value)
                    if left <= 0:
                        break
        if found[0][0] != first:
            raise OffsetOutOfRangeError(first, range(found[0][0], self.head))
        return found

    @property
    def head(self) -> Offset:
        """The offset that the next record gets."""
        with self._environment.lmdb.begin() as transaction:
            return Offset(_next(transaction.cursor(self._records), transaction, self._meta))

    @property
    def first(self) -> Offset:
        """The oldest offset in the tail; the head, if it holds nothing."""
        with self._environment.lmdb.begin() as transaction:
            cursor = transaction.cursor(self._records)
            if cursor.first():
                return Offset(int.from_bytes(cursor.key(), "big"))
            return Offset(_next(cursor, transaction, self._meta))

    @property
    def mean_bytes(self) -> int:
        """About how many bytes a record takes in the tail."""
        with self._environment.lmdb.begin() as transaction:
            stat = transaction.stat(self._records)
        pages = stat["leaf_pages"] + stat["overflow_pages"]
        return pages * stat["psize"] // max(1, stat["entries"])

    def trim(self, before: int) -> int:
        """Delete the records before offset `before`, but never the newest; return how many.

        In small steps, so that appends don't wait behind it.
        """
        before = min(before, self.head - 1)
        deleted = 0
        while True:
            with self._environment.write(self.beacon) as transaction:
                cursor = transaction.cursor(self._records)
                step = 0
                while (
                    step < _DELETES_PER_COMMIT
                    and cursor.first()
                    and int.from_bytes(cursor.key(), "big") < before
                ):
                    cursor.delete()
                    step += 1
            deleted += step
            if step < _DELETES_PER_COMMIT:
                return deleted

    def segments(self) -> list[Segment]:
        """Return what has been archived, in order."""
        with self._environment.lmdb.begin() as transaction:
            return [
                msgspec.msgpack.decode(value, type=Segment)
                for _, value in transaction.cursor(self._archives)
            ]

    def add_segment(self, segment: Segment) -> None:
        """Put a synced archive file into the manifest; durable on return."""
        with self._environment.write(self.beacon) as transaction:
            transaction.put(*_row_of(segment), db=self._archives)

    def get(self, name: str) -> bytes | None:
        """Return a small fact kept with the log."""
        self.follow()
        with self._environment.lmdb.begin() as transaction:
            return transaction.get(name.encode(), db=self._meta)

    def put(self, name: str, value: bytes) -> None:
        """Keep a small fact with the log; durable on return."""
        with self._environment.write(self.beacon) as transaction:
            transaction.put(name.encode(), value, db=self._meta)

    def close(self) -> None:
        """Give the environment back."""
        close_environment(self._environment)
        self.beacon.close()

    def _refuse_in_doubt(self) -> None:
        if self.beacon.is_in_doubt:
            raise DamagedError(str(self.directory), "a write failed; it is being checked")


def number_in_use(directory: Path) -> int:
    """Return which of a partition's log directories counts."""
    pointer = directory / _POINTER
    return int(pointer.read_text()) if pointer.exists() else 1


def use_number(directory: Path, number: int) -> None:
    """Make one of a partition's log directories the one that counts; durable on return."""
    write_synced(directory / _POINTER, str(number).encode())


def path_of(directory: Path, number: int) -> Path:
    """Return where a log directory is."""
    return directory / f"log.{number}"


def _next(
    cursor: lmdb.Cursor[bytes], transaction: lmdb.Transaction[bytes], meta: lmdb._Database
) -> int:
    if cursor.last():
        return int.from_bytes(cursor.key(), "big") + 1
    base = transaction.get(_BASE, db=meta)
    return 0 if base is None else int.from_bytes(base, "big")


def create(
    path: Path,
    values: Iterable[tuple[int, bytes]],
    segments: Iterable[Segment],
    facts: Mapping[str, bytes],
) -> None:
    """Make a log of stored values, by ascending offset; durable on return."""
    environment = open_environment(path, LOG_TABLES, durable=True)
    try:
        with environment.write() as transaction:
            cursor = transaction.cursor(environment.tables["records"])
            cursor.putmulti([(o.to_bytes(8, "big"), value) for o, value in values], append=True)
            for segment in segments:
                transaction.put(*_row_of(segment), db=environment.tables["archives"])
            for name, fact in facts.items():
                transaction.put(name.encode(), fact, db=environment.tables["meta"])
    finally:
        close_environment(environment)


def _row_of(segment: Segment) -> tuple[bytes, bytes]:
    return segment.first.to_bytes(8, "big"), msgspec.msgpack.encode(segment)
