"""Reading where the state lies: the live generation, or why there is none."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airy_ray.errors import DamagedError, RebuildingError
from airy_ray.partition.partition import Partition
from airy_ray.partition.reader import PartitionReader
from airy_ray.rawlog.tail import LogTail
from tests import builders
from tests.log_builders import append, owned, settle, spec, webhook


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    own = spec(tmp_path)
    append(own.directory, [webhook("a")])
    with owned(own) as opened:
        settle(opened)
        yield opened


@pytest.fixture
def reader(partition: Partition) -> Iterator[PartitionReader]:
    with closing(PartitionReader(partition.tail)) as opened:
        yield opened


def test_before_there_was_an_owner_there_is_nothing_to_read(tmp_path: Path) -> None:
    with (
        closing(LogTail(tmp_path)) as tail,
        closing(PartitionReader(tail)) as reader,
        pytest.raises(RebuildingError),
        reader.read(),
    ):
        pass


def test_what_was_folded_is_read_at_once(partition: Partition, reader: PartitionReader) -> None:
    with reader.read() as view:
        assert view.message(builders.message_id("b")) is None
    append(partition.spec.directory, [webhook("b")])
    settle(partition)

    with reader.read() as view:
        assert view.message(builders.message_id("b")) is not None


def test_a_new_generation_is_taken_by_readers_that_have_the_old_one_open(
    partition: Partition, reader: PartitionReader
) -> None:
    with reader.read():
        pass
    partition.rebuild()
    with pytest.raises(RebuildingError), reader.read():
        pass
    settle(partition)

    with reader.read() as view:
        assert view.applied() == 1
        assert [path.name for path in partition.spec.directory.glob("state.*")] == ["state.g2"]


def test_the_version_changes_with_every_commit_and_only_then(
    partition: Partition, reader: PartitionReader
) -> None:
    first = [reader.transaction_id, reader.transaction_id]
    append(partition.spec.directory, [webhook("b")])
    unfolded = reader.transaction_id
    settle(partition)
    folded = reader.transaction_id
    partition.rebuild()
    settle(partition)

    assert first == [unfolded, unfolded]
    assert len({unfolded, folded, reader.transaction_id}) == 3


def test_a_state_without_its_end_is_damaged_to_its_readers(tmp_path: Path) -> None:
    own = spec(tmp_path)
    append(own.directory, [webhook("a")])
    with owned(own) as partition:
        settle(partition)
    file = own.directory / "state.g1" / "data.mdb"
    file.write_bytes(file.read_bytes()[:-4_096])

    with (
        closing(LogTail(own.directory)) as tail,
        closing(PartitionReader(tail)) as reader,
        pytest.raises(DamagedError),
        reader.read(),
    ):
        pass
