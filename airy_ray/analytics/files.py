"""Rows become Parquet files: one of each table, or of each day of it, and more where many come.

What waits in memory is bounded, and so is how many files are open; where history has more days
than that, those that rested longest are finished, and begun anew when more rows come.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from airy_ray.analytics.destination import Destination
from airy_ray.analytics.manifest import ExportedFile
from airy_ray.analytics.rows import Row, day_of
from airy_ray.analytics.schema import DATED, SCHEMAS

_WAITING_BYTES = 64 << 20
_GROUP_BYTES = 8 << 20
"""How much makes a row group, if it is not written sooner to make room."""
_ROW_BYTES = 500
"""About what a row takes beside its long texts."""
_OPEN_MAX = 200
_FILE_ROWS = 1_000_000

Key = tuple[str, str | None]
"""A table, and the day if it has days."""


class _Growing:
    """Rows that wait for their file, and that file once some of them are in it."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.bytes = 0
        self.name = ""
        self.path = Path()
        self.writer: pq.ParquetWriter | None = None
        self.written = 0


class Files:
    """The files that a run writes for one partition."""

    def __init__(self, destination: Destination, partition: str, beginning: str) -> None:
        """Write to a destination; `beginning` is what file names begin with, different each run."""
        self._destination = destination
        self._partition = partition
        self._beginning = beginning
        self._growing: dict[Key, _Growing] = {}
        self._waiting_bytes = 0
        self._count = 0
        self._finished: list[ExportedFile] = []

    def add(self, table: str, row: Row) -> None:
        """Take a row; it is on disk when `finish` returns."""
        dated = DATED.get(table)
        key = table, None if dated is None else day_of(row[dated])
        growing = self._growing.setdefault(key, _Growing())
        size = _ROW_BYTES + sum(
            len(row.get(name) or "") for name in ("content", "metadata", "body")
        )
        growing.rows.append(row)
        growing.bytes += size
        self._waiting_bytes += size
        if growing.bytes >= _GROUP_BYTES:
            self._write(key, growing)
        elif self._waiting_bytes >= _WAITING_BYTES:
            largest = max(self._growing, key=lambda each: self._growing[each].bytes)
            self._write(largest, self._growing[largest])

    def finish(self) -> list[ExportedFile]:
        """Have all files be there; return them."""
        for key, growing in list(self._growing.items()):
            if growing.rows:
                self._write(key, growing)
            self._close(key, growing)
        return self._finished

    def _write(self, key: Key, growing: _Growing) -> None:
        """Write what waits as a row group."""
        if growing.writer is None:
            self._make_room()
            growing.writer = self._open(key, growing)
        table = pa.Table.from_pylist(growing.rows, schema=SCHEMAS[key[0]])
        growing.writer.write_table(table)
        growing.written += len(growing.rows)
        self._waiting_bytes -= growing.bytes
        growing.rows, growing.bytes = [], 0
        self._growing[key] = self._growing.pop(key)  # last of those that rest
        if growing.written >= _FILE_ROWS:
            self._close(key, growing)

    def _open(self, key: Key, growing: _Growing) -> pq.ParquetWriter:
        table, day = key
        directory = table if day is None else f"{table}/date={day}"
        growing.name = f"{directory}/{self._beginning}-{self._count:04}.parquet"
        growing.path = self._destination.scratch(growing.name)
        self._count += 1
        return pq.ParquetWriter(
            growing.path, SCHEMAS[table], compression="zstd", write_page_checksum=True
        )

    def _make_room(self) -> None:
        opened = [key for key, each in self._growing.items() if each.writer is not None]
        if len(opened) >= _OPEN_MAX:
            self._close(opened[0], self._growing[opened[0]])

    def _close(self, key: Key, growing: _Growing) -> None:
        """Finish a file, if there is one; rows that wait for it go into the next."""
        if growing.writer is None:
            return
        growing.writer.close()
        self._destination.keep(growing.name, growing.path)
        self._finished.append(ExportedFile(growing.name, key[0], self._partition, growing.written))
        growing.writer, growing.written = None, 0
        if not growing.rows:
            del self._growing[key]
