"""Damage to log, archive and state: found, mended from where it is whole, or said to be lost."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from airy_ray.errors import DamagedError
from airy_ray.partition import forwarding
from airy_ray.partition.partition import Partition
from airy_ray.partition.repair import is_sound, what_is_left
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog import archive, salvage
from airy_ray.rawlog.record import Record
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.queries import reading
from tests.log_builders import (
    BUSY,
    NOW,
    append,
    care,
    kept_rows,
    owned,
    prepared,
    project,
    rows,
    settle,
    spec,
    webhooks,
)

RECORDS = webhooks(300)


@pytest.fixture
def own(tmp_path: Path) -> PartitionSpec:
    """300 records, all folded, none archived."""
    made = spec(tmp_path)
    project(made, RECORDS)
    return made


@pytest.fixture
def archived(tmp_path: Path) -> PartitionSpec:
    """300 records, all folded and archived but the newest."""
    made = spec(tmp_path, upkeep=BUSY)
    project(made, RECORDS)
    with owned(made) as partition:
        for _ in range(20):
            care(partition, NOW + 10_000)
        assert partition.tail.first == 299
    return made


def log_file(own: PartitionSpec) -> Path:
    return own.directory / "log.1" / "data.mdb"


def edit(file: Path, change: Callable[[bytes], bytes]) -> None:
    file.write_bytes(change(file.read_bytes()))


def flip(file: Path, what: bytes) -> None:
    """Turn a bit over in the last place where a file says something."""
    edit(file, lambda all_: (what[:-1] + bytes([what[-1] ^ 1])).join(all_.rsplit(what, 1)))


def history(partition: Partition) -> list[Record]:
    found: list[Record] = []
    while page := partition.history.read(len(found), 1_000, 1 << 30):
        found += (record for _, record in page)
    return found


def lost(partition: Partition) -> list[int]:
    return [offset for offset, record in enumerate(history(partition)) if record.kind == "lost"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda all_: bytes(8_192) + all_[8_192:], id="headers"),
        pytest.param(lambda all_: b"\0" * 40 + all_[40:], id="one header"),
        pytest.param(lambda all_: all_.replace(b"records", b"recordz"), id="name of a table"),
        pytest.param(lambda all_: all_[:-1], id="last byte"),
    ],
)
def test_a_log_that_cannot_be_opened_is_written_anew_and_nothing_is_lost(
    own: PartitionSpec, damage: Callable[[bytes], bytes]
) -> None:
    edit(log_file(own), damage)

    with owned(own) as partition:
        settle(partition)
        assert (partition.tail.number, partition.tail.head) == (2, 300)
        assert history(partition) == RECORDS


def test_what_is_whole_nowhere_becomes_lost_records_that_name_it(own: PartitionSpec) -> None:
    for name in (b'text of 40"', b'text of 41"', b'text of 200"'):
        flip(log_file(own), name)

    with owned(own) as partition:
        settle(partition)
        assert lost(partition) == [40, 41, 200]
        assert [r for r in history(partition) if r.kind != "lost"] == [
            record for offset, record in enumerate(RECORDS) if offset not in (40, 41, 200)
        ]


def test_the_feed_tells_what_is_lost_once_it_is_folded(own: PartitionSpec) -> None:
    append(own.directory, webhooks(10, first=300))
    for name in (b'text of 303"', b'text of 304"'):
        flip(log_file(own), name)

    with owned(own) as partition:
        settle(partition)
        with reading(partition.state.environment) as view:
            told = [c.event for _, c in view.changes(300 << 16, 99) if c.kind == "records.lost"]
            assert b'"first_offset":303,"last_offset":304' in told[0]
            assert (view.counts()["messages"], view.applied()) == (308, 310)


def test_the_missing_end_of_a_log_is_named(own: PartitionSpec) -> None:
    edit(log_file(own), lambda all_: all_[: len(all_) // 2])

    with owned(own) as partition:
        settle(partition)
        missing = lost(partition)
        assert partition.tail.head == 300
        assert missing[-1] == 299
        assert append(own.directory, webhooks(1)) == 300


def test_records_that_a_damaged_header_hides_are_found_though_no_state_had_seen_them(
    own: PartitionSpec,
) -> None:
    """An older header is whole in itself: only the beacon knows that the log was longer."""
    append(own.directory, webhooks(1, first=300))
    _forget_last_commit(log_file(own))

    with owned(own) as partition:
        settle(partition)
        assert history(partition) == webhooks(301)


def test_offsets_go_on_where_they_were_though_all_records_are_in_the_archive(
    archived: PartitionSpec,
) -> None:
    edit(log_file(archived), lambda all_: bytes(len(all_)))

    with owned(archived) as partition:
        settle(partition)
        assert (partition.tail.first, lost(partition)) == (300, [])
        assert append(archived.directory, webhooks(1)) == 300


def test_a_lost_log_directory_is_made_up_from_the_archive(archived: PartitionSpec) -> None:
    shutil.rmtree(archived.directory / "log.1")

    with owned(archived) as partition:
        settle(partition)
        partition.rebuild()
        settle(partition)
        assert history(partition)[:299] == RECORDS[:299]
        assert partition.tail.head == 300


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.unlink(), id="missing"),
        pytest.param(lambda file: edit(file, lambda all_: all_[:-9]), id="cut"),
        pytest.param(lambda file: edit(file, lambda all_: bytes(len(all_))), id="zeros"),
    ],
)
def test_an_archive_file_is_sealed_again_from_what_the_tail_still_has(
    own: PartitionSpec, damage: Callable[[Path], None]
) -> None:
    with owned(own) as partition:
        values = partition.tail.read(0, 100)
        segment = archive.seal(own.archive, own.index, values)
        partition.tail.add_segment(segment)
        partition.tail.trim(100)
        damage(own.archive / segment.file)

        partition.rebuild()
        settle(partition)

        assert history(partition) == RECORDS
        assert archive.problems(own.archive, partition.tail.segments()[0]) == []


def test_what_neither_archive_nor_tail_holds_is_sealed_as_lost(archived: PartitionSpec) -> None:
    with owned(archived) as partition:
        segment = partition.tail.segments()[1]
        (archived.archive / segment.file).unlink()
        _overwrite_free_pages(partition)  # which still hold what was trimmed

        partition.rebuild()
        settle(partition)

        found = history(partition)
        gone = [offset for offset, record in enumerate(found) if record.kind == "lost"]
        assert gone
        assert gone == list(range(gone[0], gone[-1] + 1))
        assert segment.first <= gone[0] <= gone[-1] <= segment.last


def test_a_damaged_manifest_is_made_up_from_the_files(archived: PartitionSpec) -> None:
    with owned(archived) as partition:
        before = partition.tail.segments()
    flip(log_file(archived), before[2].file.encode())

    with owned(archived) as partition:
        settle(partition)
        assert [(s.first, s.last, s.digest) for s in partition.tail.segments()] == [
            (s.first, s.last, s.digest) for s in before
        ]


def test_how_far_records_were_forwarded_is_not_forgotten(own: PartitionSpec) -> None:
    with owned(own) as partition:
        forwarding.mark_forwarded(partition, 5)
        forwarding.mark_forwarded(partition, 77)
    edit(log_file(own), lambda all_: bytes(8_192) + all_[8_192:])

    with owned(own) as partition:
        assert forwarding.forwarded_until(partition) == 78


def test_a_log_in_doubt_is_written_anew_before_anything_is_appended(own: PartitionSpec) -> None:
    with owned(own) as partition, closing(LogTail(own.directory)) as other:
        partition.tail.distrust()
        with pytest.raises(DamagedError):
            other.append(prepared(webhooks(1)))

        assert partition.settle_doubt(NOW)
        assert not partition.settle_doubt(NOW)

        assert other.append(prepared(webhooks(1))) == 300
        assert other.number == partition.tail.number == 2


def test_a_repair_changes_nothing_of_the_state(own: PartitionSpec) -> None:
    with owned(own) as partition:
        before = rows(partition.state)
        partition.tail.distrust()
        partition.settle_doubt(NOW)
        settle(partition)

        assert (rows(partition.state), partition.generation.number) == (before, 1)


def test_a_damaged_record_that_is_folded_already_is_found_when_it_is_sealed(
    tmp_path: Path,
) -> None:
    own = spec(tmp_path, upkeep=BUSY)
    with owned(own) as partition:
        append(own.directory, RECORDS)
        settle(partition)
        handle = partition.tail._environment.tables["records"]
        with partition.tail._environment.write() as transaction:
            transaction.put((7).to_bytes(8, "big"), b"AR damaged", db=handle)

        care(partition, NOW + 10_000)
        assert partition.tail.beacon.is_in_doubt
        settle(partition)

        assert lost(partition) in ([], [7]), "its old bytes may still be in a free page"
        assert is_sound(partition.tail.path)


def test_a_log_shorter_than_what_the_state_holds_has_lost_its_end(own: PartitionSpec) -> None:
    with owned(own) as partition:
        handle = partition.tail._environment.tables["records"]
        with partition.tail._environment.write() as transaction:
            for offset in range(290, 300):
                transaction.delete(offset.to_bytes(8, "big"), db=handle)

        settle(partition)

        assert partition.tail.head == 300
        assert append(own.directory, webhooks(1)) == 300


def test_a_gap_is_never_folded_over(tmp_path: Path) -> None:
    own = spec(tmp_path)
    append(own.directory, RECORDS)
    with owned(own) as partition:
        handle = partition.tail._environment.tables["records"]
        with partition.tail._environment.write() as transaction:
            for offset in range(100, 110):
                transaction.delete(offset.to_bytes(8, "big"), db=handle)

        settle(partition)

        assert len(history(partition)) == 300
        with reading(partition.state.environment) as view:
            assert view.counts()["messages"] == 300 - len(lost(partition))


def test_a_second_repair_has_nothing_to_do(own: PartitionSpec) -> None:
    edit(log_file(own), lambda all_: bytes(8_192) + all_[8_192:])
    for _ in range(3):
        with owned(own) as partition:
            settle(partition)
            assert partition.tail.number == 2
            assert kept_rows(partition.state)["messages"]


def test_a_log_is_sound_while_others_append_to_it(own: PartitionSpec) -> None:
    with closing(LogTail(own.directory)) as tail:
        tail.append(prepared(webhooks(50)))

        assert is_sound(tail.path)


def _forget_last_commit(file: Path) -> None:
    """Make the newer of the two headers the older one, as one wrong bit in its number would."""
    content = bytearray(file.read_bytes())
    at = 16 + 24 + 2 * 48 + 8
    numbers = [int.from_bytes(content[p * 4_096 + at :][:8], "little") for p in (0, 1)]
    newer = numbers.index(max(numbers))
    start = newer * 4_096 + at
    content[start : start + 8] = bytes(8)
    file.write_bytes(content)


def _overwrite_free_pages(partition: Partition) -> None:
    for number in range(200):
        partition.tail.put(f"filler {number}", bytes(3_000))


@pytest.mark.parametrize(
    ("is_head_known", "end", "lost"), [(True, 4, []), (False, 6, [(4, 4)])], ids=["known", "not"]
)
def test_a_record_beyond_what_was_acknowledged_does_not_make_one_before_it_lost(
    own: PartitionSpec,
    monkeypatch: pytest.MonkeyPatch,
    is_head_known: bool,
    end: int,
    lost: list[tuple[int, int]],
) -> None:
    """Two records that were not stored in the end: of the second the bytes are there."""
    values = dict.fromkeys((0, 1, 2, 3, 5), b"whole")
    monkeypatch.setattr(salvage, "records_in", lambda _: values)
    monkeypatch.setattr(salvage, "facts_in", lambda _: [])
    left = what_is_left(own, 1, at_least=3, is_head_known=is_head_known)

    assert (left.end, left.lost) == (end, lost)
    assert sorted(left.values) == [each for each in values if each < end]
