"""The live tail of a partition's log: an LMDB environment that several processes append to.

1. An append is on disk when it returns. Records that wait together are stored by one commit.
2. Any process of the machine may append and read; LMDB's lock, which survives the death of its
   holder, puts appends in order. A transaction holds prepared puts and the commit, nothing else.
3. The newest record is never trimmed, so that the next offset can always be told.
4. `meta` and `archives` are small tables in the same synced environment: which state generation is
   live, how far records were forwarded, what has been archived. Their rows carry a checksum.
5. An erasure puts a log written anew in the place of the one in use, under the lock that appends
   take: they wait for it, and go into the new one.
6. Whoever meets something that cannot be puts the log into doubt: nothing is appended to it until
   its owner has written it anew out of what is whole.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import lmdb
import msgspec

from airy_ray.errors import DamagedError, DiskFullError, LogBusyError, OffsetOutOfRangeError
from airy_ray.rawlog import facts
from airy_ray.rawlog.record import Offset, Prepared, is_at, stored
from airy_ray.storage.beacon import Beacon
from airy_ray.storage.environments import Environment, close_environment, open_environment
from airy_ray.storage.files import sync_directory

LOG_TABLES = ("records", "archives", "meta")
BEACON = "beacon"
BASE = "base"
"""The fact that says which offset comes next in a log without records."""

_DELETES_PER_COMMIT = 256
_PUTS_PER_COMMIT = 1_024
_COPY_BYTES = 16 << 20
_ROOM_BYTES = 8 << 20
"""How much is to be free behind the end: what comes in a second or two."""
_ROOM_DISK_BYTES = 1 << 30
"""Where less is free on the disk, none of it is taken before it is needed."""
_FEW = 64
"""So many records are copied while appends wait."""
_MOVES_MAX = 50
"""How often a write moves over to a newer log before it gives up."""
_READ_S_MAX = 10.0
"""After this time nobody reads any more in a log that was left; a read takes milliseconds."""
_FRESH = ".log.fresh"


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


class _Transaction(NamedTuple):
    """A transaction of one log directory, and its tables: another may be in use by now."""

    lmdb: lmdb.Transaction[bytes]
    records: lmdb._Database
    archives: lmdb._Database
    meta: lmdb._Database


class LogTail:
    """The log of one partition, as far as it is not in the archive only.

    Its files lie in `log.<number>`; a repair writes a new one and all processes move over to it,
    for the greatest number counts. Who only looks makes nothing, marks nothing, and meets a
    `FileNotFoundError` where nothing is.
    """

    def __init__(self, directory: Path, *, is_read_only: bool = False) -> None:
        self.directory = directory
        self._is_read_only = is_read_only
        self.beacon = Beacon(directory / BEACON, is_read_only=is_read_only)
        self._left: list[tuple[Environment, float]] = []
        self._moving = threading.Lock()
        self._open_in_use()

    def _open_in_use(self) -> None:
        while True:
            number = number_in_use(self.directory)
            try:
                self._open(number)
                return
            except FileNotFoundError:
                if number_in_use(self.directory) == number:  # or it was left while it was opened
                    raise

    def _open(self, number: int) -> None:
        path = path_of(self.directory, number)
        # first of all: if it fails, the log that was in use is left as such, its number with it
        self._environment: Environment = open_environment(
            path, LOG_TABLES, durable=True, create=not self._is_read_only
        )
        self.number = number
        self.path = path

    def follow(self) -> None:
        """Move over to the log directory in use, if a repair or an erasure has made a new one.

        The old environment stays open for a while: another thread may be reading in it.
        """
        if not self._left and not self._is_left():
            return
        with self._moving:
            if self._is_left():
                left = self._environment
                self._open_in_use()
                self._left.append((left, time.monotonic()))
            elif self._left and self._left[0][1] < time.monotonic() - _READ_S_MAX:
                close_environment(self._left.pop(0)[0])

    def append(self, prepared: Sequence[Prepared]) -> Offset:
        """Store records in order and return the offset of the first; durable on return. Blocks.

        Raises:
            DiskFullError: nothing was stored.
            DamagedError: the log is in doubt; nothing may be acknowledged until it was checked.
        """
        with self._write() as transaction:
            first = self._next(transaction)
            values = [
                (offset.to_bytes(8, "big"), stored(record, offset))
                for offset, record in enumerate(prepared, first)
            ]
            _, added = _cursor(transaction).putmulti(values, append=True)
            if added != len(values) or first < self.beacon.head:
                raise DamagedError(str(self.path), f"its end is not at offset {first}")
        self.beacon.reach(first + len(prepared))
        return Offset(first)

    def read(self, first: int, limit: int, bytes_max: int | None = None) -> list[tuple[int, bytes]]:
        """Return up to `limit` stored values from offset `first` on; none past the head.

        Of more than `bytes_max` bytes only the first value is returned beyond the bound. They end
        before a gap, which only damage makes.

        Raises:
            OffsetOutOfRangeError: `first` was trimmed; look in the archive.
        """
        with self._read() as transaction:
            cursor = _cursor(transaction)
            if not cursor.set_range(first.to_bytes(8, "big")):
                head = self._next(transaction)
                if first < head:  # nothing is left in the tail
                    raise OffsetOutOfRangeError(first, range(head, head))
                return []
            found: list[tuple[int, bytes]] = []
            left = bytes_max
            for key, value in cursor:
                offset = int.from_bytes(key, "big")
                if found and offset != found[-1][0] + 1:
                    break
                found.append((offset, value))
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
    def transaction_id(self) -> int:
        """Changes with everything that is written to the log, by any process, and only then."""
        self.follow()
        return self.number << 48 | self._environment.transaction_id

    @property
    def head(self) -> Offset:
        """The offset that the next record gets."""
        with self._read() as transaction:
            return Offset(self._next(transaction))

    @property
    def first(self) -> Offset:
        """The oldest offset in the tail; the head, if it holds nothing."""
        with self._read() as transaction:
            cursor = _cursor(transaction)
            if cursor.first():
                return Offset(int.from_bytes(cursor.key(), "big"))
            return Offset(self._next(transaction))

    @property
    def mean_bytes(self) -> int:
        """About how many bytes a record takes in the tail."""
        with self._read() as transaction:
            stat = transaction.lmdb.stat(transaction.records)
        pages = stat["leaf_pages"] + stat["overflow_pages"]
        return pages * stat["psize"] // max(1, stat["entries"])

    def trim(self, before: int) -> int:
        """Delete the records before offset `before`, but never the newest; return how many.

        In small steps, so that appends don't wait behind it.
        """
        before = min(before, self.head - 1)
        deleted = 0
        while True:
            with self._write() as transaction:
                cursor = _cursor(transaction)
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

    def make_room(self) -> None:
        """Have space on the disk for what will be appended next, unless the disk is soon full.

        In small steps, so that appends don't wait behind it.
        """
        with suppress(DiskFullError):  # appends will tell
            while self._environment.room < _ROOM_BYTES and not self.beacon.is_in_doubt:
                if shutil.disk_usage(self.path).free < _ROOM_DISK_BYTES:
                    return
                with self._write():
                    self._environment.lengthen()

    def segments(self) -> list[Segment]:
        """Return what has been archived, in order.

        Raises:
            DamagedError: a row is not what was stored.
        """
        with self._read() as transaction:
            return [
                msgspec.msgpack.decode(self._opened("archives", key, value), type=Segment)
                for key, value in transaction.lmdb.cursor(transaction.archives)
            ]

    def add_segment(self, segment: Segment) -> None:
        """Put a synced archive file into the manifest; durable on return."""
        with self._write() as transaction:
            transaction.lmdb.put(*_row_of(segment), db=transaction.archives)

    def get(self, name: str) -> bytes | None:
        """Return a small fact kept with the log.

        Raises:
            DamagedError: it is not what was stored.
        """
        with self._read() as transaction:
            return self._fact(transaction, name)

    def put(self, name: str, value: bytes) -> None:
        """Keep a small fact with the log; durable on return."""
        with self._write() as transaction:
            transaction.lmdb.put(*_fact_row(name, value), db=transaction.meta)

    def forget(self, name: str) -> None:
        """Keep a small fact no longer; durable on return."""
        with self._write() as transaction:
            transaction.lmdb.delete(name.encode(), db=transaction.meta)

    def replace(
        self, fresh: Path, copied: int, segments: Iterable[Segment], small: Mapping[str, bytes]
    ) -> None:
        """Put the log that `write_fresh` wrote in the place of this one; durable on return.

        What was appended since, from offset `copied` on, is added as it is, and so are the facts,
        with those in `small`. Appends wait meanwhile. A process that is killed on the way leaves
        either the one log in use or the other, as a whole.
        """
        environment = open_environment(fresh, LOG_TABLES, durable=True)
        try:
            copied = self._copy_on(environment, copied)
            with self._write() as transaction:
                _add_rest(environment, transaction, copied, segments, small)
                close_environment(environment)
                number = number_in_use(self.directory) + 1
                # who looks between these two finds the old log in use, and nobody can append to it
                self.beacon.use(number)
                fresh.rename(path_of(self.directory, number))
                sync_directory(self.directory)
        except BaseException:
            close_environment(environment)
            raise
        self.follow()

    def _copy_on(self, environment: Environment, copied: int) -> int:
        """Copy what was appended meanwhile; return the offset up to which that is done.

        Little is left for when the appends have to wait.
        """
        while len(values := self.read(copied, _PUTS_PER_COMMIT, _COPY_BYTES)) > _FEW:
            rows = [(offset.to_bytes(8, "big"), value) for offset, value in values]
            with environment.write() as transaction:
                transaction.cursor(environment.tables["records"]).putmulti(rows, append=True)
            copied = values[-1][0] + 1
        return copied

    def drop_left(self) -> None:
        """Delete the log directories before the one in use. Who has one open keeps it a while."""
        for path in self.directory.glob("log.*"):
            number = path.name.removeprefix("log.")
            if number.isdecimal() and int(number) < self.number:
                shutil.rmtree(path, ignore_errors=True)
        sync_directory(self.directory)

    def close(self) -> None:
        """Give the environment back."""
        for left, _ in self._left:
            close_environment(left)
        self._left.clear()
        close_environment(self._environment)
        self.beacon.close()

    def distrust(self) -> None:
        """Have the owner write the log anew out of what is whole, before anything is appended."""
        if not self._is_read_only:
            self.beacon.doubt(is_in_doubt=True)

    @contextmanager
    def _read(self) -> Iterator[_Transaction]:
        self.follow()
        environment = self._environment
        try:
            with environment.read() as transaction:
                yield _within(environment, transaction)
        except DamagedError:
            self.distrust()
            raise

    @contextmanager
    def _write(self) -> Iterator[_Transaction]:
        """Run one write transaction on the log in use, unless that is in doubt."""
        for _ in range(_MOVES_MAX):
            self._refuse_in_doubt()
            self.follow()
            environment = self._environment
            try:
                with environment.write(self.beacon) as transaction:
                    self._refuse_in_doubt()  # both may have come while we waited for the lock
                    if environment is not self._environment or self._is_left():
                        continue
                    yield _within(environment, transaction)
                    return
            except DamagedError:
                self.distrust()
                raise
        raise LogBusyError("the log is being replaced")

    def _is_left(self) -> bool:
        """Whether there is a newer log directory; the beacon says when it is time to look."""
        return (
            self.beacon.number not in (0, self.number)
            and number_in_use(self.directory) != self.number
        )

    def _refuse_in_doubt(self) -> None:
        if self.beacon.is_in_doubt:
            raise DamagedError(str(self.directory), "a write failed; it is being checked")

    def _next(self, transaction: _Transaction) -> int:
        """Return the offset that comes next, of a log whose last record is where it should be."""
        cursor = _cursor(transaction)
        if cursor.last():
            last = int.from_bytes(cursor.key(), "big")
            if not is_at(cursor.value(), last):
                raise DamagedError(str(self.path), f"what is last is not the record of {last}")
            return last + 1
        base = self._fact(transaction, BASE)
        return 0 if base is None else int.from_bytes(base, "big")

    def _fact(self, transaction: _Transaction, name: str) -> bytes | None:
        value = transaction.lmdb.get(name.encode(), db=transaction.meta)
        return None if value is None else self._opened("meta", name.encode(), value)

    def _opened(self, table: str, key: bytes, value: bytes) -> bytes:
        row = facts.opened(table, key, value)
        if row is None:
            raise DamagedError(str(self.path), f"row {key.hex()} of {table}")
        return row


def _within(environment: Environment, transaction: lmdb.Transaction[bytes]) -> _Transaction:
    return _Transaction(transaction, *(environment.tables[name] for name in LOG_TABLES))


def _cursor(transaction: _Transaction) -> lmdb.Cursor[bytes]:
    return transaction.lmdb.cursor(transaction.records)


def number_in_use(directory: Path) -> int:
    """Return which of a partition's log directories counts."""
    numbers = [path.name.removeprefix("log.") for path in directory.glob("log.*")]
    return max([int(number) for number in numbers if number.isdecimal()], default=1)


def path_of(directory: Path, number: int) -> Path:
    """Return where a log directory is."""
    return directory / f"log.{number}"


def create(
    directory: Path,
    number: int,
    values: Iterable[tuple[int, bytes]],
    segments: Iterable[Segment],
    small: Mapping[str, bytes],
) -> None:
    """Make a log of stored values, by ascending offset, the one in use; durable on return."""
    fresh = directory / _FRESH
    shutil.rmtree(fresh, ignore_errors=True)
    environment = open_environment(fresh, LOG_TABLES, durable=True)
    try:
        with environment.write() as transaction:
            cursor = transaction.cursor(environment.tables["records"])
            cursor.putmulti([(o.to_bytes(8, "big"), value) for o, value in values], append=True)
            _put_small(environment, transaction, segments, small)
    finally:
        close_environment(environment)
    fresh.rename(path_of(directory, number))
    sync_directory(directory)


def _add_rest(
    environment: Environment,
    transaction: _Transaction,
    copied: int,
    segments: Iterable[Segment],
    small: Mapping[str, bytes],
) -> None:
    """Add to a fresh log what the one in use has beyond the records before offset `copied`."""
    tables = environment.tables
    with environment.write() as writing:
        cursor = _cursor(transaction)
        if cursor.set_range(copied.to_bytes(8, "big")):
            writing.cursor(tables["records"]).putmulti(list(cursor), append=True)
        for key, value in transaction.lmdb.cursor(transaction.meta):
            writing.put(key, value, db=tables["meta"])
        _put_small(environment, writing, segments, small)


def _put_small(
    environment: Environment,
    transaction: lmdb.Transaction[bytes],
    segments: Iterable[Segment],
    small: Mapping[str, bytes],
) -> None:
    """Put segments and facts into a fresh log."""
    for segment in segments:
        transaction.put(*_row_of(segment), db=environment.tables["archives"])
    for name, fact in small.items():
        transaction.put(*_fact_row(name, fact), db=environment.tables["meta"])


def write_fresh(fresh: Path, values: Iterable[tuple[int, bytes]]) -> None:
    """Write the records of a log, by ascending offset, that `LogTail.replace` puts in use."""
    environment = open_environment(fresh, LOG_TABLES, durable=True)
    rows = ((offset.to_bytes(8, "big"), value) for offset, value in values)
    try:
        while some := list(islice(rows, _PUTS_PER_COMMIT)):
            with environment.write() as transaction:
                transaction.cursor(environment.tables["records"]).putmulti(some, append=True)
    finally:
        close_environment(environment)


def _row_of(segment: Segment) -> tuple[bytes, bytes]:
    key = segment.first.to_bytes(8, "big")
    return key, facts.stored("archives", key, msgspec.msgpack.encode(segment))


def _fact_row(name: str, value: bytes) -> tuple[bytes, bytes]:
    key = name.encode()
    return key, facts.stored("meta", key, value)
