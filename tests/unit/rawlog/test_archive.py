"""The archive: sealed ranges that any tool can read, whose damage is found."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airy_ray.clock import Micros
from airy_ray.errors import DamagedError, RecordCorruptError
from airy_ray.model.ids import PartitionIndex
from airy_ray.rawlog import archive
from airy_ray.rawlog.record import Offset, Record, payload_id, prepare, stored
from airy_ray.rawlog.tail import Segment
from tests import builders
from tests.log_builders import webhooks

THREE = PartitionIndex(3)


def values(records: list[Record], first: int = 0) -> list[tuple[int, bytes]]:
    return [(offset, stored(prepare(each), offset)) for offset, each in enumerate(records, first)]


def everything() -> list[Record]:
    """Return a record with all there can be in one, and one with nothing."""
    body = bytes(range(256))
    whole = Record(
        Micros(1_763_712_000_123_456),
        "webhook",
        "facebook",
        body,
        payload_id(body),
        (builders.route("ada"), builders.route("bob", refused="no such channel")),
        {"content-type": "text/plain"},
        (PartitionIndex(2), Offset(1 << 40)),
    )
    return [whole, builders.record(b"", kind="swap", source="")]


def test_a_sealed_range_is_read_as_it_was(tmp_path: Path) -> None:
    segment = archive.seal(tmp_path, THREE, values(everything(), 7))

    assert list(archive.read(tmp_path, segment, 7)) == list(enumerate(everything(), 7))


def test_a_file_is_named_after_date_partition_and_range(tmp_path: Path) -> None:
    segment = archive.seal(tmp_path, THREE, values(everything(), 7))

    assert (segment.first, segment.last) == (7, 8)
    assert segment.file == f"raw/date=2025-11-21/p03-{7:020}-{8:020}.parquet"
    assert segment.file_bytes == (tmp_path / segment.file).stat().st_size
    assert [path.name for path in tmp_path.rglob("*.parquet")] == [Path(segment.file).name]


def test_plain_pyarrow_reads_a_file(tmp_path: Path) -> None:
    segment = archive.seal(tmp_path, THREE, values(everything(), 7))

    table = pq.read_table(tmp_path / segment.file, schema=archive.SCHEMA)

    row = table.to_pylist()[0]
    assert (row["partition"], row["offset"], row["kind"], row["source"]) == (
        *(3, 7),
        *("webhook", "facebook"),
    )
    assert row["received_at"] == datetime(2025, 11, 21, 8, 0, 0, 123_456, UTC)
    assert row["body"] == bytes(range(256))
    assert row["of"] == {"partition": 2, "offset": 1 << 40}
    assert [route["refused"] for route in row["routes"]] == [None, "no such channel"]


def test_a_partitioned_dataset_of_all_files_is_one_table(tmp_path: Path) -> None:
    records = webhooks(30)
    for first in (0, 10, 20):
        archive.seal(tmp_path, THREE, values(records[first : first + 10], first))

    table = pq.read_table(tmp_path / "raw", schema=archive.SCHEMA)

    assert sorted(table.column("offset").to_pylist()) == list(range(30))
    assert pa.types.is_large_binary(table.schema.field("body").type)


def test_reading_begins_at_any_offset_of_any_row_group(tmp_path: Path) -> None:
    records = webhooks(2_500)
    segment = archive.seal(tmp_path, THREE, values(records))

    assert [offset for offset, _ in archive.read(tmp_path, segment, 2_040)] == [
        *range(2_040, 2_500)
    ]


def test_a_damaged_value_is_not_sealed(tmp_path: Path) -> None:
    broken = values(webhooks(3))
    broken[1] = (1, broken[1][1][:-1])

    with pytest.raises(RecordCorruptError):
        archive.seal(tmp_path, THREE, broken)

    assert not list(tmp_path.rglob("*.parquet"))


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    segment = archive.seal(tmp_path, THREE, values(webhooks(3)))

    assert archive.digest_of(tmp_path / segment.file) == segment.digest
    assert archive.problems(tmp_path, segment) == []


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        pytest.param(lambda content: content[:-1], "its bytes are not", id="cut"),
        pytest.param(lambda content: b"", "its bytes are not", id="empty"),
        pytest.param(lambda content: b"XXXX" + content[4:], "its bytes are not", id="beginning"),
        pytest.param(lambda content: content[:-9] + b"X" + content[-8:], "its bytes", id="footer"),
        pytest.param(None, "missing", id="gone"),
    ],
)
def test_a_file_that_is_not_what_was_sealed_is_found(
    tmp_path: Path, edit: Callable[[bytes], bytes] | None, problem: str
) -> None:
    segment = archive.seal(tmp_path, THREE, values(webhooks(3)))
    _edit(tmp_path / segment.file, edit)

    assert problem in archive.problems(tmp_path, segment)[0]


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda content: content[:-1], id="cut"),
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: bytes(len(content)), id="zeros"),
        pytest.param(None, id="gone"),
    ],
)
def test_a_file_that_cannot_be_read_is_damaged(
    tmp_path: Path, edit: Callable[[bytes], bytes] | None
) -> None:
    segment = archive.seal(tmp_path, THREE, values(webhooks(3)))
    _edit(tmp_path / segment.file, edit)

    with pytest.raises(DamagedError):
        list(archive.read(tmp_path, segment, 0))
    assert archive.readable(tmp_path, segment) == {}


def test_what_is_whole_in_a_damaged_file_is_read_and_the_rest_is_named(tmp_path: Path) -> None:
    segment = archive.seal(tmp_path, THREE, values(webhooks(2_048)))
    file = tmp_path / segment.file
    second = pq.ParquetFile(file).metadata.row_group(1).column(9)
    _flip(file, second.data_page_offset + second.total_compressed_size // 2)

    assert list(archive.readable(tmp_path, segment)) == list(range(1_024))
    assert "offsets 1024 to 2047 are lost" in archive.problems(tmp_path, segment)[1]


def test_reading_goes_up_to_the_damage_and_says_where_it_is(tmp_path: Path) -> None:
    segment = archive.seal(tmp_path, THREE, values(webhooks(2_048)))
    file = tmp_path / segment.file
    second = pq.ParquetFile(file).metadata.row_group(1).column(9)
    _flip(file, second.data_page_offset + second.total_compressed_size // 2)

    read: list[int] = []
    with pytest.raises(RecordCorruptError) as caught:
        read += (offset for offset, _ in archive.read(tmp_path, segment, 1_000))

    assert caught.value.offset == 1_024


def test_rows_that_are_not_there_are_noticed(tmp_path: Path) -> None:
    segment = archive.seal(tmp_path, THREE, values(webhooks(10)))
    table = pq.read_table(tmp_path / segment.file)
    pq.write_table(pa.concat_tables([table[:4], table[6:]]), tmp_path / segment.file)

    with pytest.raises(RecordCorruptError) as caught:
        list(archive.read(tmp_path, segment, 0))

    assert caught.value.offset == 4


def test_an_end_that_is_not_there_is_noticed(tmp_path: Path) -> None:
    segment = archive.seal(tmp_path, THREE, values(webhooks(10)))
    table = pq.read_table(tmp_path / segment.file)
    pq.write_table(table[:7], tmp_path / segment.file)

    with pytest.raises(RecordCorruptError) as caught:
        list(archive.read(tmp_path, segment, 9))

    assert caught.value.offset == 9


def test_a_changed_row_in_a_file_that_is_whole_is_noticed(tmp_path: Path) -> None:
    segment = archive.seal(tmp_path, THREE, values(webhooks(3)))
    table = pq.read_table(tmp_path / segment.file)
    forged = pa.array([b"a", b"b", b"c"], pa.large_binary())
    index = table.schema.get_field_index("body")
    pq.write_table(table.set_column(index, "body", forged), tmp_path / segment.file)

    assert archive.readable(tmp_path, segment) == {}


def test_files_are_found_by_their_names_with_what_is_known_of_them(tmp_path: Path) -> None:
    first = archive.seal(tmp_path, THREE, values(webhooks(3)))
    second = archive.seal(tmp_path, THREE, values(webhooks(3), 3))
    archive.seal(tmp_path, PartitionIndex(4), values(webhooks(3)))
    known = Segment(0, 2, first.file, b"as it was sealed", first.file_bytes, 1)

    found = archive.found_segments(tmp_path, THREE, [known])

    assert found == [known, second]


@pytest.mark.parametrize(
    ("offsets", "ranges"),
    [
        pytest.param([], [], id="none"),
        pytest.param([5], [(5, 5)], id="one"),
        pytest.param([1, 2, 3, 7, 9, 10], [(1, 3), (7, 7), (9, 10)], id="several"),
    ],
)
def test_offsets_are_told_as_ranges(offsets: list[int], ranges: list[tuple[int, int]]) -> None:
    assert archive.runs(offsets) == ranges


def _edit(file: Path, edit: Callable[[bytes], bytes] | None) -> None:
    if edit is None:
        file.unlink()
    else:
        file.write_bytes(edit(file.read_bytes()))


def _flip(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
