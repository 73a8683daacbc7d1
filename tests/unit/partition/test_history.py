"""The whole log in batches: live tail and archive as one, up to what is damaged."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airy_ray.errors import RecordCorruptError
from airy_ray.partition.history import History
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Record
from tests.log_builders import BUSY, NOW, append, care, owned, project, spec, webhooks

RECORDS = webhooks(310)
ARCHIVED = 299
MUCH = 1 << 30


@pytest.fixture
def own(tmp_path: Path) -> PartitionSpec:
    """300 records of which only the newest is in the tail, and ten more there."""
    made = spec(tmp_path, upkeep=BUSY)
    project(made, RECORDS[:300])
    with owned(made) as partition:
        for _ in range(20):
            care(partition, NOW + 10_000)
        assert partition.tail.first == ARCHIVED
    append(made.directory, RECORDS[300:])
    return made


@contextmanager
def history(own: PartitionSpec) -> Iterator[History]:
    with owned(own) as partition:
        yield partition.history


def joined(batches: list[list[tuple[int, Record]]]) -> list[tuple[int, Record]]:
    return [each for batch in batches for each in batch]


@pytest.mark.parametrize(("first", "end"), [(0, 310), (17, 305), (290, 299), (300, 310), (5, 5)])
def test_batches_are_the_whole_of_it_in_order(own: PartitionSpec, first: int, end: int) -> None:
    with history(own) as log:
        batches = list(log.batches(first, end, 64, MUCH))

        assert joined(batches) == list(enumerate(RECORDS))[first:end]
        assert all(0 < len(batch) <= 64 for batch in batches)


def test_batches_hold_no_more_bytes_than_wanted_but_for_one_record(own: PartitionSpec) -> None:
    wanted = 3 * len(RECORDS[0].body)
    with history(own) as log:
        batches = list(log.batches(0, ARCHIVED, 64, wanted))

        assert joined(batches) == list(enumerate(RECORDS))[:ARCHIVED]
        assert all(sum(len(each.body) for _, each in batch[:-1]) < wanted for batch in batches)
        assert all(len(batch) < 64 for batch in batches)


def test_what_is_whole_before_damage_comes_first(own: PartitionSpec) -> None:
    with history(own) as log:
        segment = log.segment_of(100)
        assert segment is not None
        file = own.archive / segment.file
        table = pq.read_table(file)
        column = table.schema.get_field_index("crc")
        damaged = [
            crc ^ 1 if offset == 100 else crc
            for offset, crc in zip(
                table.column("offset").to_pylist(), table.column("crc").to_pylist(), strict=True
            )
        ]
        pq.write_table(table.set_column(column, "crc", pa.array(damaged, pa.uint32())), file)
        found: list[tuple[int, Record]] = []

        with pytest.raises(RecordCorruptError) as caught:
            found += chain.from_iterable(log.batches(0, 310, 64, MUCH))

        assert caught.value.offset == 100
        assert found == list(enumerate(RECORDS))[:100]
