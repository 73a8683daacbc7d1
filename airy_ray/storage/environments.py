"""LMDB environments, each opened once per process.

1. LMDB's locks belong to the process and the file: opening one environment twice in a process, and
   closing one of the two, silently drops the lock of the other. One table holds all that are open,
   by file: one that is moved while it is open is the same one under its new name.
2. Never opened before a fork, never with WRITEMAP, always with a map that is larger than any data
   will be: it costs address space, not memory or disk.
3. A `durable` environment is on disk when a commit returns. The others are rebuilt from what is.
4. A commit that fails for want of space has changed nothing. Any other failed commit leaves the
   environment in doubt: a failed fsync must not be tried again, it may lie the second time.
5. All tables are made by the first commit. One that is missing later was lost to damage; it must
   not be made again, for an empty table would pass for the truth.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import lmdb

from airy_ray.clock import now_millis
from airy_ray.errors import DamagedError, DiskFullError, StorageError, UnstorableError
from airy_ray.storage import pages
from airy_ray.storage.beacon import Beacon
from airy_ray.storage.files import is_no_space, reserve, sync_directory

MAP_BYTES = 1 << 38
READERS_MAX = 2_048
_LOCK_BYTES = (READERS_MAX + 1) * 64
"""What LMDB's file of locks takes: a cache line for each reader and some more."""

_DATA = "data.mdb"
_PIECE_BYTES = 1 << 19
"""How much a file is made longer at a time, while commits wait."""

_DAMAGE = (
    lmdb.BadTxnError,  # after any of the others, in the same transaction
    lmdb.CorruptedError,
    lmdb.CursorFullError,  # a tree that is deeper than any is
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.PanicError,
)

_File = tuple[int, int]

_open: dict[_File | None, Environment] = {}
_lock = threading.Lock()


class Environment:
    """One LMDB environment and its named tables.

    Attributes:
        tables: name to LMDB's handle.
    """

    def __init__(self, path: Path, tables: Sequence[str], *, durable: bool, create: bool) -> None:
        self.path = path
        if create:
            reserve(path / "lock.mdb", _LOCK_BYTES)
        self.lmdb = lmdb.open(
            str(path),
            map_size=MAP_BYTES,
            max_dbs=len(tables),
            max_readers=READERS_MAX,
            sync=durable,
            metasync=durable,
            create=create,
            readonly=not create,
            readahead=False,
            meminit=True,  # else its free space may hold records of other logs, and who was erased
            max_spare_txns=8,
        )
        self._users = 1
        self._file: _File | None = None
        try:
            self.lmdb.reader_check()
            self.tables: Mapping[str, lmdb._Database] = self._opened(tables, create=create)
        except lmdb.Error:
            self.lmdb.close()
            raise

    def _opened(self, tables: Sequence[str], *, create: bool) -> dict[str, lmdb._Database]:
        if create and self.transaction_id == 0:
            with self.lmdb.begin(write=True) as transaction:
                for name in tables:
                    self.lmdb.open_db(name.encode(), txn=transaction)
        return {name: self.lmdb.open_db(name.encode(), create=False) for name in tables}

    @contextmanager
    def read(self) -> Iterator[lmdb.Transaction[bytes]]:
        """Run one read transaction: a consistent view, for a moment.

        Raises:
            DamagedError: its pages are not what was written.
            StorageError: it cannot be read for another reason.
        """
        try:
            with self.lmdb.begin() as transaction:
                yield transaction
        except _DAMAGE as error:
            raise DamagedError(str(self.path), str(error)) from error
        except lmdb.Error as error:
            raise StorageError(str(error)) from error

    @contextmanager
    def write(self, beacon: Beacon | None = None) -> Iterator[lmdb.Transaction[bytes]]:
        """Run one write transaction; at most one runs at a time among all processes.

        `beacon` shows the others who holds them up.

        Raises:
            DiskFullError: nothing was written; try again when there is space.
            UnstorableError: a key was empty or too long; nothing was written.
            DamagedError: the commit failed in another way; nothing may be concluded from it.
        """
        try:
            transaction = self.lmdb.begin(write=True)
        except lmdb.Error as error:
            raise self.explained(error) from error
        if beacon is not None:
            beacon.enter(now_millis())
        try:
            yield transaction
            transaction.commit()
        except lmdb.BadValsizeError as error:
            transaction.abort()
            raise UnstorableError(str(error)) from error
        except lmdb.Error as error:
            transaction.abort()
            raise self.explained(error) from error
        except BaseException:
            transaction.abort()
            raise
        finally:
            if beacon is not None:
                beacon.leave()

    def copy(self, directory: Path) -> None:
        """Write a compacted copy, as this moment has it, into a directory that exists.

        Raises:
            DiskFullError, DamagedError: as `write` does.
        """
        try:
            self.lmdb.copy(str(directory), compact=True)
        except lmdb.Error as error:
            raise self.explained(error) from error

    def explained(self, error: lmdb.Error) -> DiskFullError | DamagedError:
        """Return our error for one of LMDB's."""
        if isinstance(error, lmdb.MapFullError) or is_no_space(getattr(error, "code", None)):
            return DiskFullError(str(self.path))
        return DamagedError(str(self.path), str(error))

    @property
    def transaction_id(self) -> int:
        """The id of the last commit, by any process: what was read is current while it stays."""
        return int(self.lmdb.info()["last_txnid"])

    @property
    def room(self) -> int:
        """How many bytes of the file follow the last page."""
        return (self.path / _DATA).stat().st_size - self._used

    def lengthen(self) -> None:
        """Write some zeros behind the end of the file; by who is in a write transaction only.

        A commit into them costs a third less than one that makes the file longer.

        Raises:
            DiskFullError: there is no space.
            DamagedError: the disk did not take them for another reason.
        """
        file = self.path / _DATA
        try:
            with file.open("r+b", buffering=0) as opened:
                opened.seek(max(file.stat().st_size, self._used))
                opened.write(bytes(_PIECE_BYTES))
                os.fdatasync(opened.fileno())
        except OSError as error:
            if is_no_space(error.errno):
                raise DiskFullError(str(self.path)) from error
            raise DamagedError(str(self.path), str(error)) from error

    @property
    def _used(self) -> int:
        return (int(self.lmdb.info()["last_pgno"]) + 1) * pages.PAGE_BYTES

    def sync(self) -> None:
        """Bring everything committed so far to the disk.

        Raises:
            DiskFullError, DamagedError: as `write` does.
        """
        try:
            self.lmdb.sync(force=True)
        except lmdb.Error as error:
            raise self.explained(error) from error


def open_environment(
    path: Path, tables: Sequence[str], *, durable: bool, create: bool = True
) -> Environment:
    """Return the environment at `path`, opening it if this process has not yet.

    Without `create` it is opened for reading, and must exist with all its tables.

    Raises:
        DamagedError: its files are not an LMDB environment, or shorter than they say.
    """
    with _lock:
        present = _open.get(_file_at(path))
        if present is not None:
            present._users += 1
            return present
        if create:
            path.mkdir(parents=True, exist_ok=True)
        _check_length(path)
        try:
            opened = Environment(path, tables, durable=durable, create=create)
        except lmdb.NotFoundError as error:
            if create:
                raise DamagedError(str(path), "it has lost a table") from error
            raise FileNotFoundError(str(path)) from error
        except lmdb.Error as error:
            if error.code == errno.ENOENT or not (path / _DATA).exists():  # made a moment later
                raise FileNotFoundError(str(path)) from error
            raise DamagedError(str(path), str(error)) from error
        try:
            if durable and create:
                _sync_names(path)
        except BaseException:
            opened.lmdb.close()  # or nobody could open it again in this process
            raise
        opened._file = _file_at(path)
        _open[opened._file] = opened
        return opened


def close_environment(environment: Environment) -> None:
    """Give an environment back; the last user's return closes it."""
    with _lock:
        environment._users -= 1
        if environment._users == 0:
            _open.pop(environment._file, None)
            environment.lmdb.close()


def _file_at(path: Path) -> _File | None:
    try:
        found = (path / _DATA).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _sync_names(path: Path) -> None:
    """Bring to the disk that there is such a file: its sync alone promises only what is in it.

    The directories of a partition are made by whoever comes first, and who that was may be dead.
    """
    for directory in (path, *path.parents[:3]):
        sync_directory(directory)


def _check_length(path: Path) -> None:
    """Refuse a file that ends before its last page: reading there would kill the process."""
    file = path / _DATA
    if not file.exists() or file.stat().st_size == 0:
        return
    pages.check_length(file)
