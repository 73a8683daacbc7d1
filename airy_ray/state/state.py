"""The state of a partition: one LMDB environment per generation, rebuilt when in doubt.

1. One transaction carries the rows, the change feed and the applied offset, which is read inside
   it: nothing is applied twice, whoever tries.
2. Commits are not synced: what is lost with the machine is folded again from snapshot and log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from airy_ray.errors import RowCorruptError
from airy_ray.state.batch import Batch
from airy_ray.state.lmdb_tables import TABLES, LmdbTables
from airy_ray.state.origin import Origin, decode_origin, encode_origin
from airy_ray.state.tables import PROJECTION_VERSION, sealed, unsealed
from airy_ray.storage.environments import Environment, close_environment, open_environment

_APPLIED = "applied"
_VERSION = "version"
_ORIGIN = b"origin"


class State:
    """One generation of a partition's state, as its owner writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment: Environment = open_environment(path, TABLES, durable=False)
        self._meta = self.environment.tables["meta"]
        self._batches_with: Counter[str] = Counter()
        if self._is_new():
            with self.environment.write() as transaction:
                self.set_fact(transaction, _VERSION, PROJECTION_VERSION)
                self.set_fact(transaction, _APPLIED, 0)

    @property
    def applied(self) -> int:
        """How many records of the log are folded in: the offset of the first that is not.

        Raises:
            RowCorruptError: it cannot be told.
        """
        return self._kept(_APPLIED)

    @property
    def version(self) -> int:
        """The version of the projections that wrote it.

        Raises:
            RowCorruptError: it cannot be told.
        """
        return self._kept(_VERSION)

    @property
    def origin(self) -> Origin | None:
        """Where it comes from; None if who made it did not tell.

        Raises:
            RowCorruptError: it cannot be told.
        """
        with self.environment.read() as transaction:
            value = transaction.get(_ORIGIN, db=self._meta)
        return None if value is None else decode_origin(unsealed("meta", _ORIGIN, value))

    @contextmanager
    def batch(
        self, *, is_history: bool = False, before_commit: Callable[[], object] | None = None
    ) -> Iterator[Writing]:
        """Fold records in one transaction; all of it is committed at the end, or nothing.

        What is history is told to nobody: the change feed and the outbox get nothing of it.
        `before_commit` is called when nothing is left to do but the commit.
        """
        with self.environment.write() as transaction:
            tables = LmdbTables(self.environment, transaction)
            applied = _number(_APPLIED, transaction.get(_APPLIED.encode(), db=self._meta))
            if applied is None:
                raise RowCorruptError("meta", _APPLIED.encode())
            writing = Writing(Batch(tables, is_history=is_history), applied)
            yield writing
            writing.batch.write()
            self.set_fact(transaction, _APPLIED, writing.applied)
            if before_commit is not None:
                before_commit()
        self._batches_with.update(writing.batch.written)

    def batches_with(self, table: str) -> int:
        """Return how many batches have written to a table since this process has opened it."""
        return self._batches_with[table]

    def first_keys(self, table: str, *, before: bytes, limit: int) -> list[bytes]:
        """Return up to `limit` keys of a table that are less than `before`, in order."""
        with self.environment.read() as transaction:
            cursor = transaction.cursor(self.environment.tables[table])
            found: list[bytes] = []
            for key in cursor.iternext(keys=True, values=False):
                if key >= before or len(found) == limit:
                    break
                found.append(key)
        return found

    def replace_rows(self, table: str, rows: list[tuple[bytes, bytes]]) -> None:
        """Put encoded rows in the place of what is under their keys."""
        with self.environment.write() as transaction:
            for key, row in rows:
                transaction.put(key, sealed(key, row), db=self.environment.tables[table])

    def sync(self) -> None:
        """Bring everything folded so far to the disk."""
        self.environment.sync()

    def close(self) -> None:
        """Give the environment back."""
        close_environment(self.environment)

    def fact(self, name: str) -> int:
        """Return a number kept with the state, 0 if it was never set.

        Raises:
            RowCorruptError: it cannot be told.
        """
        return self._number(name) or 0

    def set_fact(self, transaction: lmdb.Transaction[bytes], name: str, number: int) -> None:
        """Keep a number with the state, in the transaction that makes it true."""
        key = name.encode()
        transaction.put(key, sealed(key, number.to_bytes(8, "big")), db=self._meta)

    def set_origin(self, made_of: Origin) -> None:
        """Keep where it comes from."""
        with self.environment.write() as transaction:
            value = sealed(_ORIGIN, encode_origin(made_of))
            transaction.put(_ORIGIN, value, db=self._meta)

    def _is_new(self) -> bool:
        with self.environment.read() as transaction:
            return transaction.stat(self._meta)["entries"] == 0

    def _kept(self, name: str) -> int:
        """Return a number that every state keeps from its beginning."""
        number = self._number(name)
        if number is None:
            raise RowCorruptError("meta", name.encode())
        return number

    def _number(self, name: str) -> int | None:
        with self.environment.read() as transaction:
            return _number(name, transaction.get(name.encode(), db=self._meta))


class Writing:
    """A batch on its way: what is written, and up to where the log is folded with it."""

    def __init__(self, batch: Batch, applied: int) -> None:
        self.batch = batch
        self.applied = applied


def _number(name: str, value: bytes | None) -> int | None:
    if value is None:
        return None
    return int.from_bytes(unsealed("meta", name.encode(), value), "big")
