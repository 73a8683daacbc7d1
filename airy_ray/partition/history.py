"""The whole log of a partition as one: its live tail, and before that its archive."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from airy_ray.errors import DamagedError, OffsetOutOfRangeError, RecordCorruptError
from airy_ray.rawlog.record import Record, opened
from airy_ray.rawlog.tail import LogTail, Segment

_RECORDS_AT_ONCE = 2_048


class History:
    """Records by offset, wherever they are kept."""

    def __init__(self, tail: LogTail, archive: Path) -> None:
        self.tail = tail
        self._archive = archive

    def read(self, first: int, limit: int, bytes_max: int) -> list[tuple[int, Record]]:
        """Return the records from offset `first` on: at least one, unless it is the head.

        Raises:
            RecordCorruptError: the record at `first` is damaged.
            DamagedError: neither tail nor archive has it.
        """
        try:
            values = self.tail.read(first, limit, bytes_max)
        except OffsetOutOfRangeError:
            return self._archived(first, limit)
        records: list[tuple[int, Record]] = []
        for offset, value in values:
            try:
                records.append((offset, opened(value, offset)))
            except RecordCorruptError:
                if not records:
                    raise
                break  # what is whole before it goes first
        return records

    def records(self, first: int, end: int, bytes_max: int) -> Iterator[tuple[int, Record]]:
        """Yield the records from offset `first` on before `end`, read `bytes_max` at a time.

        Raises:
            RecordCorruptError, DamagedError: what comes next cannot be read.
        """
        while first < end:
            records = self.read(first, min(_RECORDS_AT_ONCE, end - first), bytes_max)
            yield from records
            first = records[-1][0] + 1

    def batches(
        self, first: int, end: int, limit: int, bytes_max: int
    ) -> Iterator[list[tuple[int, Record]]]:
        """Yield the records from offset `first` on before `end`, `limit` at a time or fewer.

        An archive file is read once, from its beginning to its end. Of more than `bytes_max` bytes
        only one record is in a batch beyond the bound.

        Raises:
            RecordCorruptError, DamagedError: what comes next cannot be read.
        """
        while first < end:
            if first < self.tail.first:
                for batch in self._archived_batches(first, end, limit, bytes_max):
                    yield batch
                    first = batch[-1][0] + 1
            else:
                batch = self.read(first, min(limit, end - first), bytes_max)
                yield batch
                first = batch[-1][0] + 1

    def _archived_batches(
        self, first: int, end: int, limit: int, bytes_max: int
    ) -> Iterator[list[tuple[int, Record]]]:
        """Yield what follows in the archive file that holds an offset, up to what is damaged."""
        from airy_ray.rawlog import archive  # loads Arrow

        batch: list[tuple[int, Record]] = []
        left = bytes_max
        try:
            records = archive.read(self._archive, self._segment_with(first), first)
            for offset, record in islice(records, end - first):
                batch.append((offset, record))
                left -= len(record.body)
                if len(batch) == limit or left <= 0:
                    yield batch
                    batch, left = [], bytes_max
        except RecordCorruptError:
            if not batch:
                raise
        if batch:
            yield batch

    def at(self, offset: int) -> Record:
        """Return the record at one offset."""
        records = self.read(offset, 1, 0)
        if not records:
            raise OffsetOutOfRangeError(offset, range(self.tail.head))
        return records[0][1]

    def segment_of(self, offset: int) -> Segment | None:
        """Return the sealed range that holds an offset, if it is archived."""
        for segment in self.tail.segments():
            if segment.first <= offset <= segment.last:
                return segment
        return None

    def _archived(self, first: int, limit: int) -> list[tuple[int, Record]]:
        from airy_ray.rawlog import archive  # loads Arrow, which most processes never need

        segment = self._segment_with(first)
        records: list[tuple[int, Record]] = []
        try:
            for offset, record in archive.read(self._archive, segment, first):
                records.append((offset, record))
                if len(records) == limit:
                    break
        except RecordCorruptError:
            if not records:
                raise
        return records

    def _segment_with(self, offset: int) -> Segment:
        segment = self.segment_of(offset)
        if segment is None:
            raise DamagedError(str(self.tail.path), f"offset {offset} is in no archive file")
        return segment


class Onward:
    """Reads a log on from where it was read last, many records at once.

    As long as it does go on from there, an archive file is read once.
    """

    def __init__(self, history: History, limit: int, bytes_max: int) -> None:
        self._history = history
        self._bounds = limit, bytes_max
        self._batches: Iterator[list[tuple[int, Record]]] = iter(())
        self._next: int | None = None

    def read(self, first: int, end: int) -> list[tuple[int, Record]]:
        """Return the records from offset `first` on before `end`, as `History.batches` has them.

        Raises:
            RecordCorruptError, DamagedError: what comes next cannot be read.
        """
        if first != self._next:
            self._batches = self._history.batches(first, end, *self._bounds)
        self._next = None  # what fails begins anew
        records = next(self._batches, [])
        if records:
            self._next = records[-1][0] + 1
        return records
