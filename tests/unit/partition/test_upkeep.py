"""Upkeep: nothing leaves the tail before it is safe twice; each thing is done when it is due."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airy_ray.clock import Millis
from airy_ray.errors import DamagedError, RowCorruptError
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import Retention, Upkeep
from airy_ray.partition.upkeep import Caretaker
from airy_ray.rawlog import archive
from airy_ray.state.queries import reading
from tests.log_builders import NOW, append, owned, settle, spec, webhooks

COUNT = 300
NEVER = 10**15
IDLE = Upkeep(
    sync_ms=NEVER,
    segment_bytes=NEVER,
    segment_age_ms=NEVER,
    tail_records=1,
    snapshot_records=NEVER,
    snapshot_age_ms=NEVER,
)


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    own = spec(tmp_path, upkeep=IDLE)
    with owned(own) as opened:
        append(own.directory, webhooks(COUNT))
        settle(opened)
        yield opened


def with_upkeep(partition: Partition, **fields: int) -> None:
    partition.spec = replace(partition.spec, upkeep=replace(IDLE, **fields))


def work(partition: Partition, times: int = 1, now: int = NOW + 1_000) -> None:
    caretaker = Caretaker(partition, Millis(NOW))
    for _ in range(times):
        caretaker.work(Millis(now))


def test_what_is_not_due_is_not_done(partition: Partition) -> None:
    work(partition, times=3)

    assert (partition.tail.segments(), partition.tail.first) == ([], 0)
    assert not (partition.spec.directory / "snapshots").exists()


@pytest.mark.parametrize(
    ("due", "is_sealed"),
    [
        pytest.param({"segment_bytes": 1 << 15}, True, id="many bytes"),
        pytest.param({"segment_bytes": 1 << 30}, False, id="few bytes"),
        pytest.param({"segment_age_ms": 1_000}, True, id="old"),
        pytest.param({"segment_age_ms": 1_001}, False, id="young"),
    ],
)
def test_records_are_sealed_once_they_are_many_or_old(
    partition: Partition, due: dict[str, int], is_sealed: bool
) -> None:
    with_upkeep(partition, **due)
    work(partition)

    assert bool(partition.tail.segments()) is is_sealed


def test_sealed_ranges_follow_one_another_and_hold_what_was_folded(partition: Partition) -> None:
    append(partition.spec.directory, webhooks(5, first=COUNT))
    with_upkeep(partition, segment_age_ms=0, segment_bytes=1 << 15)
    work(partition, times=10)

    segments = partition.tail.segments()
    assert [segment.first for segment in segments] == [
        0,
        *(segment.last + 1 for segment in segments[:-1]),
    ]
    assert segments[-1].last == COUNT - 1, "not what the state has not seen"
    assert all(archive.problems(partition.spec.archive, each) == [] for each in segments)


def test_a_file_whose_owner_was_killed_before_it_was_named_is_not_left(
    partition: Partition,
) -> None:
    own = partition.spec
    archive.seal(own.archive, own.index, partition.tail.read(0, 3))
    with_upkeep(partition, segment_age_ms=0)
    work(partition)

    named = {segment.file for segment in partition.tail.segments()}
    files = {str(file.relative_to(own.archive)) for file in own.archive.rglob("*.parquet")}
    assert named
    assert files == named


def test_nothing_is_trimmed_that_is_not_archived(partition: Partition) -> None:
    with_upkeep(partition, sync_ms=0)
    work(partition, times=3)

    assert partition.tail.first == 0


def test_nothing_is_trimmed_that_is_not_in_the_synced_state(partition: Partition) -> None:
    with_upkeep(partition, segment_age_ms=0)
    work(partition, times=3)

    assert partition.tail.segments()[-1].last == COUNT - 1
    assert partition.tail.first == 0


def test_nothing_is_trimmed_before_a_state_that_was_folded_again_is_synced(
    partition: Partition,
) -> None:
    with_upkeep(partition, sync_ms=0)
    caretaker = Caretaker(partition, Millis(0))
    caretaker.work(Millis(NOW))
    with_upkeep(partition, segment_age_ms=0)
    partition.rebuild()
    settle(partition)

    caretaker.work(Millis(NOW + 1_000))

    assert partition.tail.segments()[-1].last == COUNT - 1
    assert partition.tail.first == 0


def test_nothing_is_trimmed_while_the_state_is_folded_again(partition: Partition) -> None:
    with_upkeep(partition, sync_ms=0)
    caretaker = Caretaker(partition, Millis(0))
    caretaker.work(Millis(NOW))
    partition.rebuild()
    with_upkeep(partition, segment_age_ms=0)

    for _ in range(3):
        caretaker.seal(Millis(NOW + 1_000))
        caretaker.trim()

    assert partition.tail.first == 0


@pytest.mark.parametrize(("kept", "first"), [(1, COUNT - 1), (100, COUNT - 100), (10_000, 0)])
def test_what_is_archived_and_synced_is_trimmed_but_for_what_is_to_stay(
    partition: Partition, kept: int, first: int
) -> None:
    with_upkeep(partition, segment_age_ms=0, sync_ms=0, tail_records=kept)
    work(partition, times=3)

    assert (partition.tail.first, partition.tail.head) == (first, COUNT)


@pytest.mark.parametrize(
    ("due", "is_taken"),
    [
        pytest.param({"snapshot_records": 20}, True, id="many records"),
        pytest.param({"snapshot_records": 21}, False, id="few records"),
        pytest.param({"snapshot_age_ms": 1_000}, True, id="old"),
        pytest.param({"snapshot_age_ms": 1_001}, False, id="young"),
    ],
)
def test_a_snapshot_is_taken_after_many_records_or_a_long_time(
    partition: Partition, due: dict[str, int], is_taken: bool
) -> None:
    with_upkeep(partition, **due)
    caretaker = Caretaker(partition, Millis(NOW))
    append(partition.spec.directory, webhooks(20, first=COUNT))
    settle(partition)
    caretaker.work(Millis(NOW + 1_000))

    assert (partition.spec.directory / "snapshots" / f"{COUNT + 20:020}").exists() is is_taken


def test_no_snapshot_is_taken_when_nothing_came_in(partition: Partition) -> None:
    with_upkeep(partition, snapshot_age_ms=0)
    work(partition)

    assert not (partition.spec.directory / "snapshots").exists()


def test_rows_are_deleted_once_they_have_served_their_time(partition: Partition) -> None:
    partition.spec = replace(partition.spec, retention=Retention(changes_ms=60_000))
    late = NOW + 60_000 + 200
    work(partition, now=late)

    with reading(partition.state.environment) as view:
        assert view.changes(-1, 1)[0][0] >> 16 == 200
        assert view.counts()["ledger"] == COUNT


def test_a_state_found_damaged_is_reported_so_that_it_is_rebuilt(partition: Partition) -> None:
    handle = partition.state.environment.tables["contacts"]
    with partition.state.environment.write() as transaction:
        key, value = next(iter(transaction.cursor(handle)))
        transaction.put(key, value[:-1], db=handle)
    with_upkeep(partition, snapshot_age_ms=0)
    caretaker = Caretaker(partition, Millis(NOW))
    caretaker._copied = 0

    with pytest.raises((DamagedError, RowCorruptError)):
        caretaker.work(Millis(NOW))


def test_a_damaged_record_is_not_archived_and_puts_the_log_into_doubt(
    partition: Partition,
) -> None:
    handle = partition.tail._environment.tables["records"]
    with partition.tail._environment.write() as transaction:
        transaction.put((7).to_bytes(8, "big"), b"AR damaged", db=handle)
    with_upkeep(partition, segment_age_ms=0)
    work(partition)

    assert (partition.tail.segments(), partition.tail.beacon.is_in_doubt) == ([], True)
