"""The archive: sealed ranges of the log as Parquet files that any tool can read (design: §3).

`<archive>/raw/date=YYYY-MM-DD/p03-<first>-<last>.parquet`, in offset order, zstd, with page
checksums; the date is that of the first record. The manifest in the log says which files count.

Importing this module loads Arrow, which costs 50 MB: only sealing and reading history do.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from airy_ray.errors import DamagedError, RecordCorruptError
from airy_ray.model.ids import PartitionIndex
from airy_ray.rawlog.record import (
    Offset,
    Record,
    Route,
    checksum_at,
    checksum_of,
    opened,
    prepare,
)
from airy_ray.rawlog.tail import Segment
from airy_ray.storage.files import remove_synced, sync_directory, sync_file

T = TypeVar("T")

SCHEMA_VERSION = 1

_ROUTE = pa.struct(
    [
        ("source", pa.string()),
        ("channel", pa.string()),
        ("conversation", pa.string()),
        ("channel_id", pa.binary(16)),
        ("conversation_id", pa.binary(16)),
        ("refused", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("partition", pa.uint16()),
        ("offset", pa.uint64()),
        ("received_at", pa.timestamp("us", "UTC")),
        ("kind", pa.dictionary(pa.int8(), pa.string())),
        ("source", pa.dictionary(pa.int16(), pa.string())),
        ("routes", pa.list_(_ROUTE)),
        ("of", pa.struct([("partition", pa.uint16()), ("offset", pa.uint64())])),
        ("payload_id", pa.binary(16)),
        ("headers", pa.map_(pa.string(), pa.string())),
        ("body", pa.large_binary()),
        ("crc", pa.uint32()),
    ]
)
"""The columns of log, archive and replay."""

_ROWS_PER_GROUP = 1_024
_BESIDE = ".erased"


def seal(archive: Path, partition: PartitionIndex, values: Sequence[tuple[int, bytes]]) -> Segment:
    """Write stored values, contiguous and in order, to one file; on disk when this returns.

    Raises:
        RecordCorruptError: one of them is damaged; nothing is sealed.
    """
    name, fresh = _written(archive, partition, values)
    segment = _segment(values, name, fresh)
    _put_in_place(archive, fresh, name)
    return segment


def seal_beside(
    archive: Path, partition: PartitionIndex, values: Sequence[tuple[int, bytes]], run: str
) -> Segment:
    """Write what is to take the place of a file beside it; `take_over` puts it there.

    `run` tells it from what others may have begun to write beside the same file.
    """
    name, fresh = _written(archive, partition, values, f".{run}")
    beside = (archive / name).with_name(f".{Path(name).name}.{run}{_BESIDE}")
    fresh.replace(beside)
    sync_directory(beside.parent)
    return _segment(values, name, beside)


def take_over(archive: Path, partition: PartitionIndex, segments: Iterable[Segment]) -> None:
    """Put files that `seal_beside` wrote in place if the manifest counts on them; delete others."""
    digests = {segment.file: segment.digest for segment in segments}
    for beside in sorted((archive / "raw").glob(f"date=*/.{_prefix(partition)}-*{_BESIDE}")):
        file = beside.with_name(beside.name.removeprefix(".").partition(".parquet")[0] + ".parquet")
        name = str(file.relative_to(archive))
        if digests.get(name) == digest_of(beside):
            _put_in_place(archive, beside, name)
        else:
            remove_synced(beside)


def written(archive: Path, segment: Segment) -> Iterator[Path]:
    """Yield where the bytes of a sealed range may be: beside their place too, until put there.

    Their digest tells whether it is they.
    """
    file = archive / segment.file
    yield file
    yield from file.parent.glob(f".{file.name}.*{_BESIDE}")


def drop_unnamed(archive: Path, partition: PartitionIndex, segments: Iterable[Segment]) -> None:
    """Delete files that the manifest does not name: who wrote them was killed before it did.

    Their records are in the live tail still.
    """
    named = {segment.file for segment in segments}
    for file in (archive / "raw").glob(f"date=*/{_prefix(partition)}-*.parquet"):
        if str(file.relative_to(archive)) not in named:
            remove_synced(file)


def drop_damaged(archive: Path, partition: PartitionIndex) -> None:
    """Delete what repairs left of damaged files, and files that were never finished."""
    for pattern in (f"{_prefix(partition)}-*.damaged", f".{_prefix(partition)}-*"):
        for path in (archive / "raw").glob(f"date=*/{pattern}"):
            remove_synced(path)


def _written(
    archive: Path, partition: PartitionIndex, values: Sequence[tuple[int, bytes]], run: str = ""
) -> tuple[str, Path]:
    """Write stored values to a file that nobody looks at yet; return its name to be, and it."""
    assert [offset for offset, _ in values] == list(range(values[0][0], values[0][0] + len(values)))
    first, last = values[0][0], values[-1][0]
    records = [(offset, opened(value, offset), checksum_of(value)) for offset, value in values]
    table = pa.Table.from_pylist([_row(partition, *record) for record in records], schema=SCHEMA)
    name = _name(partition, first, last, records[0][1])
    file = archive / name
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}{run}")
    pq.write_table(
        table,
        fresh,
        compression="zstd",
        row_group_size=_ROWS_PER_GROUP,
        write_page_checksum=True,
    )
    sync_file(fresh)
    return name, fresh


def _segment(values: Sequence[tuple[int, bytes]], name: str, file: Path) -> Segment:
    size = file.stat().st_size
    return Segment(values[0][0], values[-1][0], name, digest_of(file), size, SCHEMA_VERSION)


def _put_in_place(archive: Path, fresh: Path, name: str) -> None:
    file = archive / name
    fresh.replace(file)
    for directory in (file.parent, file.parent.parent, archive):  # each may have been made just now
        sync_directory(directory)


def read(archive: Path, segment: Segment, first: int) -> Iterator[tuple[int, Record]]:
    """Yield the records of a sealed range from offset `first` on, without gaps.

    Raises:
        DamagedError: the file is gone, cut or cannot be read at all.
        RecordCorruptError: the record that comes next is damaged.
    """
    expected = first
    for highest, rows in _groups(archive, segment):
        if highest < first:
            continue
        for row in _rows_at(rows, expected):
            if row[0] < first:
                continue
            if row[0] != expected:
                raise RecordCorruptError(expected, f"it is not in {segment.file}")
            yield expected, _checked(row)
            expected += 1
    if expected <= segment.last:
        raise RecordCorruptError(expected, f"it is not in {segment.file}")


def readable(archive: Path, segment: Segment) -> dict[int, Record]:
    """Return every record of a sealed range that is whole, however damaged its file is."""
    whole: dict[int, Record] = {}
    try:
        for _, rows in _groups(archive, segment):
            with suppress(RecordCorruptError):
                for row in _rows_at(rows, segment.first):
                    with suppress(RecordCorruptError):
                        whole[row[0]] = _checked(row)
    except DamagedError:
        return whole
    return {offset: whole[offset] for offset in whole if segment.first <= offset <= segment.last}


def problems(archive: Path, segment: Segment) -> list[str]:
    """Return what is wrong with a sealed range: its file, and the offsets that it lost."""
    file = archive / segment.file
    if not file.exists():
        return [f"{segment.file}: missing, it held offsets {segment.first} to {segment.last}"]
    found = []
    if digest_of(file) != segment.digest:
        found.append(f"{segment.file}: its bytes are not those that were sealed")
    whole = readable(archive, segment)
    lost = [offset for offset in range(segment.first, segment.last + 1) if offset not in whole]
    found += [f"{segment.file}: offsets {first} to {last} are lost" for first, last in runs(lost)]
    return found


def runs(offsets: Iterable[int]) -> list[tuple[int, int]]:
    """Return ascending offsets as ranges, ends inclusive."""
    ranges: list[tuple[int, int]] = []
    for offset in offsets:
        if ranges and ranges[-1][1] == offset - 1:
            ranges[-1] = (ranges[-1][0], offset)
        else:
            ranges.append((offset, offset))
    return ranges


def found_segments(
    archive: Path, partition: PartitionIndex, known: Iterable[Segment] = ()
) -> list[Segment]:
    """Return the files of a partition as their names tell, for when the manifest is lost.

    Those that `known` tells of are taken from it, so that their digests stay what they were.
    """
    told = {(segment.file, segment.file_bytes): segment for segment in known}
    found = []
    for file in sorted((archive / "raw").glob(f"date=*/{_prefix(partition)}-*.parquet")):
        name = str(file.relative_to(archive))
        found.append(told.get((name, file.stat().st_size)) or _found_segment(file, name))
    return sorted(found, key=lambda segment: segment.first)


def digest_of(file: Path) -> bytes:
    """Return the digest of a file's bytes."""
    digest = blake2b(digest_size=32)
    with file.open("rb") as opened_file:
        while block := opened_file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def _found_segment(file: Path, name: str) -> Segment:
    _, first, last = file.stem.split("-")
    size = file.stat().st_size
    return Segment(int(first), int(last), name, digest_of(file), size, SCHEMA_VERSION)


_Row = tuple[int, Record, int]
"""A row as it is in a file, right or not: its offset, the record, and the record's checksum."""


def _groups(archive: Path, segment: Segment) -> Iterator[tuple[int, Callable[[], list[_Row]]]]:
    """Yield the row groups of a file: last offset, and how to read the rows.

    Raises:
        DamagedError: there is no readable file.
    """
    file = archive / segment.file
    try:
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
        metadata = parquet.metadata
        column = SCHEMA.get_field_index("offset")
        last = [
            metadata.row_group(index).column(column).statistics.max
            for index in range(metadata.num_row_groups)
        ]
    except Exception as error:  # whatever a damaged footer makes of itself
        raise DamagedError(str(file), str(error)) from error
    for index, highest in enumerate(last):
        yield highest, partial(_rows, parquet, index)


def _rows_at(rows: Callable[[], list[_Row]], offset: int) -> list[_Row]:
    """Return rows that begin at, or before, an offset.

    Raises:
        RecordCorruptError: they cannot be read.
    """
    try:
        return rows()
    except Exception as error:  # whatever a damaged page makes of itself
        raise RecordCorruptError(offset, f"its archive: {error}") from error


def _rows(parquet: pq.ParquetFile, index: int) -> list[_Row]:
    """Return rows, column by column: Arrow takes five times as long for a row at a time."""
    table = parquet.read_row_group(index)
    column = {name: table.column(name).combine_chunks() for name in SCHEMA.names}
    records = map(
        Record,
        _integers(column["received_at"], "q"),
        _words(column["kind"]),
        _words(column["source"]),
        column["body"].to_pylist(),
        column["payload_id"].to_pylist(),
        _routes(column["routes"]),
        _given(column["headers"], dict),
        _given(column["of"], _place),
    )
    offsets, checksums = _integers(column["offset"], "Q"), _integers(column["crc"], "I")
    return list(zip(offsets, records, checksums, strict=True))


def _integers(column: pa.Array, form: str) -> list[int]:
    """Return numbers out of the memory where they lie; what is null there is any number."""
    numbers: memoryview[int] = memoryview(column.buffers()[1]).cast("B").cast(form)  # type: ignore[call-overload]
    return numbers[column.offset : column.offset + len(column)].tolist()


def _words(column: pa.DictionaryArray) -> list[str]:
    words = column.dictionary.to_pylist()
    return [words[each] for each in column.indices.to_pylist()]


def _routes(column: pa.ListArray) -> list[tuple[Route, ...]]:
    fields = [column.values.field(each).to_pylist() for each in Route.__struct_fields__]
    routes = [Route(*each) for each in zip(*fields, strict=True)]
    return [tuple(routes[first:end]) for first, end in pairwise(column.offsets.to_pylist())]


def _given(column: pa.Array, read: Callable[[Any], T]) -> list[T | None]:
    """Return what few rows have."""
    if column.null_count == len(column):
        return [None] * len(column)
    return [None if each is None else read(each) for each in column.to_pylist()]


def _place(of: dict[str, int]) -> tuple[PartitionIndex, Offset]:
    return PartitionIndex(of["partition"]), Offset(of["offset"])


def _name(partition: PartitionIndex, first: int, last: int, record: Record) -> str:
    date = datetime.fromtimestamp(record.received_at / 1e6, UTC).date().isoformat()
    return f"raw/date={date}/{_prefix(partition)}-{first:020}-{last:020}.parquet"


def _prefix(partition: PartitionIndex) -> str:
    return f"p{partition:02}"


def _row(partition: PartitionIndex, offset: int, record: Record, checksum: int) -> dict[str, Any]:
    of = None if record.of is None else {"partition": record.of[0], "offset": record.of[1]}
    return {
        "partition": partition,
        "offset": offset,
        "received_at": record.received_at,
        "kind": record.kind,
        "source": record.source,
        "routes": [msgspec.structs.asdict(route) for route in record.routes],
        "of": of,
        "payload_id": record.payload_id,
        "headers": None if record.headers is None else list(record.headers.items()),
        "body": record.body,
        "crc": checksum,
    }


def _checked(row: _Row) -> Record:
    """Return the record in a row, once its checksum says that it is the one that was sealed."""
    offset, record, sealed = row
    try:
        checksum = checksum_at(offset, prepare(record))
    except Exception as error:  # whatever a damaged page made of its values
        raise RecordCorruptError(offset, "its archived row makes no sense") from error
    if checksum != sealed:
        raise RecordCorruptError(offset, "its checksum is wrong in the archive")
    return record
