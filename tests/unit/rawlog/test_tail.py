"""The live tail: offsets without gaps, on disk when told, whoever appends."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import lmdb
import pytest

from airy_ray.errors import DamagedError, LogBusyError, OffsetOutOfRangeError
from airy_ray.rawlog.record import Record, opened
from airy_ray.rawlog.tail import LOG_TABLES, LogTail, Segment, create, number_in_use, write_fresh
from airy_ray.storage import pages
from tests import builders
from tests.log_builders import prepared, webhook, webhooks

PROCESSES = multiprocessing.get_context("spawn")


def names(tail: LogTail, first: int = 0) -> list[bytes]:
    """Return the bodies of all records from an offset on."""
    return [opened(value, offset).body for offset, value in tail.read(first, 100_000)]


def bodies(*texts: str) -> list[Record]:
    return [builders.record(text.encode()) for text in texts]


def test_a_new_log_begins_at_offset_0(tail: LogTail) -> None:
    assert (tail.first, tail.head, tail.read(0, 10), tail.segments()) == (0, 0, [], [])


def test_records_get_consecutive_offsets_in_their_order(tail: LogTail) -> None:
    first = tail.append(prepared(bodies("a", "b")))
    second = tail.append(prepared(bodies("c")))

    assert (first, second, tail.head) == (0, 2, 3)
    assert names(tail) == [b"a", b"b", b"c"]


def test_what_was_appended_is_there_after_the_log_was_closed(tmp_path: Path) -> None:
    with closing(LogTail(tmp_path)) as tail:
        tail.append(prepared(bodies("a")))

    with closing(LogTail(tmp_path)) as tail:
        assert (names(tail), tail.head) == ([b"a"], 1)


def test_reading_begins_at_any_offset_and_ends_at_a_limit(tail: LogTail) -> None:
    tail.append(prepared(bodies(*"abcdef")))

    assert [offset for offset, _ in tail.read(2, 3)] == [2, 3, 4]
    assert tail.read(6, 3) == []


def test_reading_ends_at_a_number_of_bytes_but_never_before_the_first_record(
    tail: LogTail,
) -> None:
    tail.append(prepared(bodies("x" * 1_000, "y" * 1_000, "z" * 1_000)))

    assert [len(tail.read(0, 9, bytes_max=limit)) for limit in (0, 1, 1_500, 9_999)] == [1, 1, 2, 3]


def test_processes_that_append_at_once_leave_no_gap_and_keep_their_own_order(
    tmp_path: Path,
) -> None:
    with PROCESSES.Pool(3) as pool:
        told = pool.map(_append_many, [(tmp_path, name) for name in "abc"])

    with closing(LogTail(tmp_path)) as tail:
        stored = [body.decode() for body in names(tail)]
    assert sorted(offset for offsets in told for offset in offsets) == list(range(300))
    for name, offsets in zip("abc", told, strict=True):
        assert [stored[offset] for offset in offsets] == [f"{name}{n}" for n in range(100)]


def test_a_process_that_is_killed_while_it_appends_leaves_a_whole_log(tmp_path: Path) -> None:
    with closing(LogTail(tmp_path)) as tail:
        for _ in range(5):
            enough = tail.head + 20
            child = PROCESSES.Process(target=_append_for_ever, args=(tmp_path,))
            child.start()
            _wait_until(tail, enough)
            os.kill(child.pid or 0, signal.SIGKILL)
            child.join()
            tail.append(prepared(bodies("mine")))

        assert len(names(tail)) == tail.head
        assert tail.beacon.writer is None or tail.beacon.writer[0] == os.getpid()


@pytest.mark.parametrize(
    ("before", "first"),
    [
        pytest.param(0, 0, id="nothing"),
        pytest.param(4, 4, id="the oldest"),
        pytest.param(10, 9, id="all but the newest"),
        pytest.param(999, 9, id="never the newest"),
    ],
)
def test_trimming_takes_the_oldest_and_never_the_newest(
    tail: LogTail, before: int, first: int
) -> None:
    tail.append(prepared(webhooks(10)))

    trimmed = tail.trim(before)

    assert (trimmed, tail.first, tail.head) == (first, first, 10)


def test_trimming_many_is_done_in_steps(tail: LogTail) -> None:
    tail.append(prepared(webhooks(1_000)))

    assert (tail.trim(900), tail.first) == (900, 900)


def test_reading_what_was_trimmed_tells_what_is_held(tail: LogTail) -> None:
    tail.append(prepared(webhooks(10)))
    tail.trim(4)

    with pytest.raises(OffsetOutOfRangeError) as caught:
        tail.read(3, 1)

    assert caught.value.held == range(4, 10)


def test_what_is_appended_goes_into_the_room_that_was_made(tail: LogTail) -> None:
    file = tail.path / "data.mdb"
    tail.append(prepared(webhooks(10)))
    tail.make_room()
    length = file.stat().st_size

    for _ in range(100):
        tail.append(prepared(webhooks(10)))

    assert (file.stat().st_size, length >> 20) == (length, 8)
    assert len(names(tail)) == 1_010


def test_making_room_writes_over_nothing_that_others_append(tmp_path: Path) -> None:
    with closing(LogTail(tmp_path)) as tail:
        other = PROCESSES.Process(target=appending_large, args=(tmp_path, 400))
        other.start()
        times = 0
        while other.is_alive():
            tail.make_room()
            times += 1

        other.join()
        assert (other.exitcode, times > 3, tail.head) == (0, True, 400)
        assert names(tail) == [large(number) for number in range(400)]
        assert pages.problems(tail.path) == []


def test_small_facts_and_the_manifest_are_kept_with_the_log(tmp_path: Path) -> None:
    segment = Segment(0, 9, "raw/file", b"digest", 100, 1)
    with closing(LogTail(tmp_path)) as tail:
        tail.put("generation", b"1")
        tail.put("generation", b"2")
        tail.add_segment(segment)

    with closing(LogTail(tmp_path)) as tail:
        assert (tail.get("generation"), tail.get("nothing")) == (b"2", None)
        assert tail.segments() == [segment]


def test_a_failed_commit_that_is_no_lack_of_space_puts_the_log_into_doubt_for_everybody(
    tail: LogTail, tmp_path: Path
) -> None:
    tail.append(prepared(bodies("a")))
    with _files_end_at(tail.path / "data.mdb"), pytest.raises(DamagedError):
        tail.append(prepared(webhooks(100)))

    assert tail.beacon.is_in_doubt
    with PROCESSES.Pool(1) as pool:
        assert pool.apply(_append_is_refused, (tmp_path,))
    for write in (lambda: tail.put("a", b""), lambda: tail.trim(1)):
        with pytest.raises(DamagedError):
            write()


def test_appends_go_on_once_the_doubt_is_settled(tail: LogTail) -> None:
    tail.distrust()
    with pytest.raises(DamagedError):
        tail.append(prepared(bodies("a")))

    tail.beacon.doubt(is_in_doubt=False)

    assert tail.append(prepared(bodies("b"))) == 0


def test_a_log_that_was_written_anew_is_taken_by_those_who_have_the_old_one_open(
    tail: LogTail, tmp_path: Path
) -> None:
    tail.append(prepared(bodies("a", "b")))
    create(tmp_path, 2, tail.read(0, 9), [], {"fact": b"kept"})
    tail.beacon.use(2)

    assert tail.append(prepared(bodies("c"))) == 2
    assert (names(tail), tail.get("fact")) == ([b"a", b"b", b"c"], b"kept")
    assert number_in_use(tmp_path) == 2


def test_a_log_written_anew_without_records_goes_on_where_it_was(tmp_path: Path) -> None:
    create(tmp_path, 2, [], [], {"base": (500).to_bytes(8, "big")})

    with closing(LogTail(tmp_path)) as tail:
        assert (tail.first, tail.head, tail.read(500, 1)) == (500, 500, [])
        with pytest.raises(OffsetOutOfRangeError):
            tail.read(499, 1)
        assert tail.append(prepared(bodies("a"))) == 500


def test_a_damaged_beacon_leads_nobody_to_another_log(tail: LogTail, tmp_path: Path) -> None:
    tail.beacon.use(7)

    assert tail.append(prepared(bodies("a"))) == 0
    assert [path.name for path in tmp_path.glob("log.*")] == ["log.1"]


def test_a_log_that_lost_its_end_takes_no_records(tail: LogTail) -> None:
    tail.append(prepared(webhooks(3)))
    with _written(tail) as (transaction, records):
        transaction.delete((2).to_bytes(8, "big"), db=records)

    with pytest.raises(DamagedError, match="end"):
        tail.append(prepared(bodies("a")))

    assert (tail.beacon.is_in_doubt, tail.head) == (True, 2)


def test_a_last_record_that_is_another_s_is_not_built_upon(tail: LogTail) -> None:
    tail.append(prepared(webhooks(3)))
    with _written(tail) as (transaction, records):
        value = transaction.get((2).to_bytes(8, "big"), db=records)
        transaction.put((1 << 60).to_bytes(8, "big"), value or b"", db=records)

    with pytest.raises(DamagedError, match="not the record"):
        tail.append(prepared(bodies("a")))


def test_reading_stops_at_a_gap_and_finds_it_next(tail: LogTail) -> None:
    tail.append(prepared(webhooks(6)))
    with _written(tail) as (transaction, records):
        transaction.delete((3).to_bytes(8, "big"), db=records)

    assert [offset for offset, _ in tail.read(0, 9)] == [0, 1, 2]
    with pytest.raises(OffsetOutOfRangeError):
        tail.read(3, 9)


@pytest.mark.parametrize("table", ["meta", "archives"])
def test_a_damaged_small_row_is_never_taken_for_the_truth(tail: LogTail, table: str) -> None:
    tail.put("fact", b"value")
    tail.add_segment(Segment(0, 9, "raw/file", b"digest", 100, 1))
    handle = tail._environment.tables[table]
    with tail._environment.lmdb.begin(write=True) as transaction:
        key, value = next(iter(transaction.cursor(handle)))
        transaction.put(key, value[:-1] + bytes([value[-1] ^ 1]), db=handle)

    with pytest.raises(DamagedError):
        tail.get("fact") if table == "meta" else tail.segments()

    assert tail.beacon.is_in_doubt, "so that its owner writes the log anew"


def test_an_append_that_waited_behind_a_repair_is_not_put_into_the_old_log(
    tail: LogTail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(tmp_path, 2, [], [], {})
    tail.beacon.use(2)
    with monkeypatch.context() as waiting:  # it looked before the repair, and has the lock after it
        waiting.setattr(tail, "follow", lambda: None)
        with pytest.raises(LogBusyError):
            tail.append(prepared(bodies("a")))

    assert (tail.append(prepared(bodies("a"))), tail.number) == (0, 2)


@contextmanager
def _written(tail: LogTail) -> Iterator[tuple[lmdb.Transaction[bytes], lmdb._Database]]:
    """Change a log behind its back."""
    environment = tail._environment
    with environment.lmdb.begin(write=True) as transaction:
        yield transaction, environment.tables[LOG_TABLES[0]]


@contextmanager
def _files_end_at(file: Path) -> Iterator[None]:
    """Let no file of this process grow beyond the length that one has now."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _append_many(task: tuple[Path, str]) -> list[int]:
    directory, name = task
    with closing(LogTail(directory)) as tail:
        return [tail.append(prepared(bodies(f"{name}{n}"))) for n in range(100)]


def _append_for_ever(directory: Path) -> None:
    tail = LogTail(directory)
    while True:
        tail.append(prepared([webhook("a"), webhook("b"), webhook("c")]))


def _append_is_refused(directory: Path) -> bool:
    with closing(LogTail(directory)) as tail, pytest.raises(DamagedError):
        tail.append(prepared(bodies("a")))
    return True


def _wait_until(tail: LogTail, head: int, deadline_s: float = 20) -> None:
    deadline = time.monotonic() + deadline_s
    while tail.head < head:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def appending(directory: Path, count: int) -> None:
    """Append records one by one; any refusal ends the process with an error."""
    with closing(LogTail(directory)) as tail:
        for number in range(count):
            tail.append(prepared(bodies(f"other {number}")))


def large(number: int) -> bytes:
    return f"{number:04}".encode() * 2_000


def appending_large(directory: Path, count: int) -> None:
    """Append records of some pages each."""
    with closing(LogTail(directory)) as tail:
        for number in range(count):
            tail.append(prepared([builders.record(large(number))]))


def replaced(tail: LogTail, fresh: Path, *, segments: list[Segment] | None = None) -> None:
    """Put a copy of a log, read as a child would, in the place of the log."""
    head = tail.head
    write_fresh(fresh, tail.read(0, head) if head else [])
    tail.replace(fresh, head, segments or [], {"told": b"now"})


def test_appends_of_others_are_neither_refused_nor_lost_while_a_log_is_replaced(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "partition"
    with closing(LogTail(directory)) as tail:
        other = PROCESSES.Process(target=appending, args=(directory, 400))
        other.start()
        times = 0
        while other.is_alive():
            replaced(tail, tmp_path / f"fresh {times}")
            tail.drop_left()
            times += 1
            other.join(0.01)

        assert (other.exitcode, times > 3, tail.number) == (0, True, times + 1)
        assert names(tail) == [f"other {number}".encode() for number in range(400)]


def test_a_replaced_log_keeps_its_facts_and_gets_new_ones(tail: LogTail, tmp_path: Path) -> None:
    segment = Segment(0, 1, "a file", b"digest", 7, 1)
    tail.append(prepared(bodies("a", "b")))
    tail.put("kept", b"1")
    replaced(tail, tmp_path / "fresh", segments=[segment])

    assert (tail.get("kept"), tail.get("told"), tail.segments()) == (b"1", b"now", [segment])


def test_an_empty_log_is_replaced_too(tail: LogTail, tmp_path: Path) -> None:
    replaced(tail, tmp_path / "fresh")

    assert (tail.head, tail.append(prepared(bodies("a")))) == (0, 0)


def test_nothing_is_left_of_the_logs_before(tail: LogTail, tmp_path: Path) -> None:
    tail.append(prepared(bodies("a")))
    replaced(tail, tmp_path / "fresh")
    tail.drop_left()

    assert [path.name for path in tail.directory.glob("log.*")] == ["log.2"]


def test_a_log_in_doubt_is_not_replaced(tail: LogTail, tmp_path: Path) -> None:
    tail.append(prepared(bodies("a")))
    tail.distrust()
    with pytest.raises(DamagedError):
        replaced(tail, tmp_path / "fresh")

    assert number_in_use(tail.directory) == 1
