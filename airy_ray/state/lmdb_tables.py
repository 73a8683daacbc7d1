"""A partition's tables in LMDB, within one transaction."""

from __future__ import annotations

from collections.abc import Callable

import lmdb

from airy_ray.errors import RowCorruptError
from airy_ray.state.tables import ROW_TYPES
from airy_ray.storage.environments import Environment

TABLES = tuple(ROW_TYPES)


class LmdbTables:
    """The stored rows as one transaction sees them."""

    def __init__(self, environment: Environment, transaction: lmdb.Transaction[bytes]) -> None:
        self._handles = environment.tables
        self._transaction = transaction

    def getter(self, table: str) -> Callable[[bytes], bytes | None]:
        """Return the function that looks a key up in `table`."""
        # through a cursor, which takes half the time of asking the transaction
        return self._transaction.cursor(self._handles[table]).get

    def under(self, table: str, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return keys that start with `prefix`, and their values, in order."""
        found = []
        with self._transaction.cursor(self._handles[table]) as cursor:
            if cursor.set_range(prefix):
                for key, value in cursor:
                    if not key.startswith(prefix):
                        break
                    found.append((key, value))
        return found

    def put_many(self, table: str, items: list[tuple[bytes, bytes]], *, append: bool) -> None:
        """Store values by ascending key; with `append`, all are greater than any stored.

        Raises:
            RowCorruptError: a stored one is greater, which only damage can make.
        """
        with self._transaction.cursor(self._handles[table]) as cursor:
            _, added = cursor.putmulti(items, append=append)
        if append and added != len(items):  # LMDB passes over a key that is not the last
            raise RowCorruptError(table, items[0][0])

    def delete(self, table: str, key: bytes) -> None:
        """Remove the value under `key`, if it is there."""
        self._transaction.delete(key, db=self._handles[table])
