"""A loop that does what folding does to LMDB, with the same bytes, and knows nothing else.

What was read and written while a log was folded is noted down, and done again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from unittest.mock import patch

import lmdb
import orjson

from airy_ray.rawlog.tail import LOG_TABLES, LogTail
from airy_ray.state import state
from airy_ray.state.lmdb_tables import TABLES, LmdbTables
from airy_ray.storage.environments import Environment, close_environment, open_environment

_APPLIED = b"applied"


@dataclass(frozen=True)
class Trace:
    """What one batch read and wrote, by table, in order."""

    gets: list[tuple[str, bytes]] = field(default_factory=list)
    scans: list[tuple[str, bytes]] = field(default_factory=list)
    deletes: list[tuple[str, bytes]] = field(default_factory=list)
    puts: list[tuple[str, list[tuple[bytes, bytes]], bool]] = field(default_factory=list)


def traced(fold: Callable[[], Sequence[int]]) -> list[tuple[int, Trace]]:
    """Fold a log; return the size of each batch, and what it read and wrote."""
    traces: list[Trace] = []

    class Tracing(LmdbTables):
        def __init__(self, environment: Environment, transaction: lmdb.Transaction[bytes]) -> None:
            super().__init__(environment, transaction)
            self._trace = Trace()
            traces.append(self._trace)

        def getter(self, table: str) -> Callable[[bytes], bytes | None]:
            get = super().getter(table)

            def noted(key: bytes) -> bytes | None:
                self._trace.gets.append((table, key))
                return get(key)

            return noted

        def under(self, table: str, prefix: bytes) -> list[tuple[bytes, bytes]]:
            self._trace.scans.append((table, prefix))
            return super().under(table, prefix)

        def put_many(self, table: str, items: list[tuple[bytes, bytes]], *, append: bool) -> None:
            self._trace.puts.append((table, items, append))
            super().put_many(table, items, append=append)

        def delete(self, table: str, key: bytes) -> None:
            self._trace.deletes.append((table, key))
            super().delete(table, key)

    with patch.object(state, "LmdbTables", Tracing):
        sizes = fold()
    return list(zip(sizes, traces, strict=True))


def replay(
    bare: Environment,
    read: Callable[[int, int], Iterable[bytes]],
    traces: Sequence[tuple[int, Trace]],
) -> None:
    """Do what `traces` say, and nothing else; `read` returns so many bodies from an offset on."""
    done = 0
    for size, trace in traces:
        for body in read(done, size):
            _decode(body)
        done += size
        with _writing(bare, done) as transaction:
            _replay_batch(bare, transaction, trace)


def replay_each(
    bare: Environment,
    read: Callable[[int, int], Iterable[bytes]],
    traces: Sequence[tuple[int, Trace]],
    at_once: int,
) -> None:
    """Do what the `traces` of single records say, one record after the other.

    A transaction has as many as a batch has; nothing merges what they write, nor sorts it.
    """
    tables = bare.tables
    for first in range(0, len(traces), at_once):
        batch = traces[first : first + at_once]
        with _writing(bare, first + len(batch)) as transaction:
            for body, (_, trace) in zip(read(first, len(batch)), batch, strict=True):
                _decode(body)
                _replay_reads(bare, transaction, trace)
                for table, items, _ in trace.puts:
                    for key, value in items:
                        transaction.put(key, value, db=tables[table])
                for table, key in trace.deletes:
                    transaction.delete(key, db=tables[table])


def read_log(log: Environment, first: int, size: int) -> None:
    """Read records of a log, and leave them."""
    with log.lmdb.begin() as transaction:
        cursor = transaction.cursor(log.tables["records"])
        cursor.set_range(first.to_bytes(8, "big"))
        list(islice(cursor, size))


def _decode(body: bytes) -> None:
    if body[:1] in b"{[":  # Twilio posts forms
        orjson.loads(body)


@contextmanager
def _writing(bare: Environment, done: int) -> Iterator[lmdb.Transaction[bytes]]:
    with bare.lmdb.begin(write=True) as transaction:
        transaction.get(_APPLIED, db=bare.tables["meta"])
        yield transaction
        transaction.put(_APPLIED, done.to_bytes(12, "big"), db=bare.tables["meta"])


def _replay_batch(bare: Environment, transaction: lmdb.Transaction[bytes], trace: Trace) -> None:
    _replay_reads(bare, transaction, trace)
    for table, items, append in trace.puts:
        transaction.cursor(bare.tables[table]).putmulti(items, append=append)
    for table, key in trace.deletes:
        transaction.delete(key, db=bare.tables[table])


def _replay_reads(bare: Environment, transaction: lmdb.Transaction[bytes], trace: Trace) -> None:
    for table, key in trace.gets:
        transaction.get(key, db=bare.tables[table])
    for table, prefix in trace.scans:
        cursor = transaction.cursor(bare.tables[table])
        is_placed = cursor.set_range(prefix)
        while is_placed and cursor.key().startswith(prefix):
            cursor.value()
            is_placed = cursor.next()


@contextmanager
def bare_state(path: Path) -> Iterator[Environment]:
    """Open an empty state, for as long as it takes."""
    environment = open_environment(path, TABLES, durable=False)
    try:
        yield environment
    finally:
        close_environment(environment)
        shutil.rmtree(path)


@contextmanager
def opened_log(tail: LogTail) -> Iterator[Environment]:
    """Open the file of a log."""
    environment = open_environment(tail.path, LOG_TABLES, durable=True)
    try:
        yield environment
    finally:
        close_environment(environment)
