"""A small LMDB environment of one process, written in batches: rows are read as they will be.

1. What is put or deleted is seen at once and is on disk after the next `write`, all of it or none.
2. A crash takes what was not written yet: whoever keeps things here has to know them again.
3. Rows have a checksum over key and row; one that fails it is an error, never an answer.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby, islice
from pathlib import Path

import lmdb
from xxhash import xxh3_64_digest

from airy_ray.errors import RowCorruptError
from airy_ray.storage.environments import Environment, close_environment, open_environment

_CHECKSUM_BYTES = 8

_Rows = dict[bytes, bytes | None]


class Shelf:
    """Tables of rows, used in one thread; only `write` may run in another."""

    def __init__(self, path: Path, tables: Sequence[str], *, create: bool = True) -> None:
        self._environment: Environment = open_environment(path, tables, durable=True, create=create)
        self._unwritten: dict[str, _Rows] = {table: {} for table in tables}

    @property
    def is_written(self) -> bool:
        """Whether everything is on disk."""
        return not any(self._unwritten.values())

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return the row under `key`."""
        if key in self._unwritten[table]:
            return self._unwritten[table][key]
        with self._environment.read() as transaction:
            value = transaction.get(key, db=self._environment.tables[table])
        return None if value is None else _unsealed(table, key, value)

    def put(self, table: str, key: bytes, row: bytes) -> None:
        """Set the row under `key`."""
        self._unwritten[table][key] = row

    def delete(self, table: str, key: bytes) -> None:
        """Remove the row under `key`, if it is there."""
        self._unwritten[table][key] = None

    def under(
        self, table: str, prefix: bytes, limit: int, *, start: bytes = b""
    ) -> list[tuple[bytes, bytes]]:
        """Return the first rows whose keys start with `prefix`, from key `start` on."""
        unwritten = self._unwritten[table]
        first = max(prefix, start)
        newer = [key for key in unwritten if key.startswith(prefix) and key >= first]
        with self._environment.read() as transaction:
            stored = self._stored(transaction, table, prefix, first)
            fresh = ((key, unwritten[key]) for key in sorted(newer))
            both = merge(fresh, stored, key=lambda row: row[0])  # of equal keys the fresh first
            firsts = (next(rows) for _, rows in groupby(both, key=lambda row: row[0]))
            found = ((key, row) for key, row in firsts if row is not None)
            return list(islice(found, limit))

    def last_under(
        self, table: str, prefix: bytes, before: bytes, limit: int
    ) -> list[tuple[bytes, bytes]]:
        """Return rows as they are on disk, the last first, of keys less than `before`."""
        found: list[tuple[bytes, bytes]] = []
        with self._environment.read() as transaction:
            cursor = transaction.cursor(self._environment.tables[table])
            is_placed = cursor.prev() if cursor.set_range(before) else cursor.last()
            while is_placed and len(found) < limit and cursor.key().startswith(prefix):
                key, value = cursor.item()
                found.append((key, _unsealed(table, key, value)))
                is_placed = cursor.prev()
        return found

    def delete_under(self, table: str, prefix: bytes) -> None:
        """Remove all rows whose keys start with `prefix`."""
        for key in [key for key in self._unwritten[table] if key.startswith(prefix)]:
            self._unwritten[table][key] = None
        with self._environment.read() as transaction:
            for key, _ in self._stored(transaction, table, prefix, prefix):
                self._unwritten[table][key] = None

    def unwritten(self) -> dict[str, _Rows]:
        """Return a copy of what is not on disk yet, for `write`."""
        return {table: dict(rows) for table, rows in self._unwritten.items() if rows}

    def write(self, rows: dict[str, _Rows]) -> None:
        """Bring what `unwritten` returned to the disk, in one transaction; blocks.

        Raises:
            DiskFullError: nothing was written.
            DamagedError: nothing may be concluded from it.
        """
        with self._environment.write() as transaction:
            for table, changed in rows.items():
                handle = self._environment.tables[table]
                for key in sorted(changed):
                    row = changed[key]
                    if row is None:
                        transaction.delete(key, db=handle)
                    else:
                        transaction.put(key, xxh3_64_digest(key + row) + row, db=handle)

    def forget(self, written: dict[str, _Rows]) -> None:
        """Keep no longer in memory what was written and has not changed since."""
        for table, rows in written.items():
            unwritten = self._unwritten[table]
            for key, row in rows.items():
                if unwritten[key] is row:
                    del unwritten[key]

    def close(self) -> None:
        """Give the environment back; what is not written is lost."""
        close_environment(self._environment)

    def _stored(
        self, transaction: "lmdb.Transaction[bytes]", table: str, prefix: bytes, first: bytes
    ) -> Iterator[tuple[bytes, bytes | None]]:
        cursor = transaction.cursor(self._environment.tables[table])
        if not cursor.set_range(first):
            return
        for key, value in cursor:
            if not key.startswith(prefix):
                return
            yield key, _unsealed(table, key, value)


def _unsealed(table: str, key: bytes, value: bytes) -> bytes:
    row = value[_CHECKSUM_BYTES:]
    if xxh3_64_digest(key + row) != value[:_CHECKSUM_BYTES]:
        raise RowCorruptError(table, key)
    return row
