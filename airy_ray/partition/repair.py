"""Repair of a damaged log: what is whole somewhere is kept, what is not is said to be lost.

1. Records are found in the bytes of the damaged file, without LMDB; see `rawlog.salvage`.
2. Offsets that neither the file nor the archive holds become `lost` records, so that offsets have
   no gaps and nobody takes the log for whole.
3. Appends are refused until the new log is in use; the damaged one is left where it is.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from airy_ray.clock import Micros, Millis
from airy_ray.model.events import RecordsLost
from airy_ray.partition import generations
from airy_ray.partition.fold import encode_event
from airy_ray.partition.generations import Generation
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog import salvage, tail
from airy_ray.rawlog.facts import Fact
from airy_ray.rawlog.record import Prepared, Record, payload_id, prepare, stored
from airy_ray.rawlog.tail import LogTail, Segment
from airy_ray.storage.beacon import Beacon
from airy_ray.storage.environments import close_environment, open_environment

logger = logging.getLogger(__name__)

Ranges = list[tuple[int, int]]

FORWARDED = "forwarded"
"""The fact that says how far the outbox was forwarded."""

LOST = "lost"
"""The fact that says which offsets were ever lost: ranges, ends inclusive."""

ERASING = "erasing"
"""The fact that says before which offset erasures have begun."""

ERASED_LOG = "erased in log"
"""The fact that says before which offset all erasures are carried out in log and archive; a repair,
which may go by files that were to be replaced, forgets it."""

ERASED = "erased"
"""The fact that says the same of everything: state, snapshots and what was left beside them."""

_WRITER_WAIT_S = 5.0
_WRITER_POLL_S = 0.01
_UNCHECKED = 2


def repair_tail(
    spec: PartitionSpec, applied: int, now: Millis, *, is_head_known: bool = False
) -> None:
    """Write a new log out of what is left of the damaged one, and make it the one in use.

    `applied` is how many records the state has seen at least: the log was as long.
    """
    beacon = Beacon(spec.directory / tail.BEACON)
    beacon.doubt(is_in_doubt=True)
    _wait_for_writer(beacon)
    number = tail.number_in_use(spec.directory)
    known = max(applied, beacon.head)
    left = what_is_left(spec, number, at_least=known, is_head_known=is_head_known)
    path = tail.path_of(spec.directory, number)
    values = left.values | _led_to(path, left.values) | _lost_values(left.lost, now)
    small = _small_facts(spec, left.facts, left.end) | _lost_fact(left.facts, left.lost)
    tail.create(spec.directory, number + 1, sorted(values.items()), left.segments, small)
    beacon.reach(left.end)
    beacon.use(number + 1)
    beacon.doubt(is_in_doubt=False)
    beacon.close()
    _report(spec, left.lost)


class Left(NamedTuple):
    """What a damaged log can be written anew from.

    Attributes:
        values: whole records that are not archived, by offset.
        end: the offset that comes next.
        lost: offsets before it that are neither archived nor whole.
    """

    values: dict[int, bytes]
    facts: list[Fact]
    segments: list[Segment]
    end: int
    lost: Ranges


def what_is_left(
    spec: PartitionSpec, number: int, *, at_least: int, is_head_known: bool = False
) -> Left:
    """Return what is whole of a log of which it is known that it was `at_least` so long.

    With `is_head_known` nothing beyond that was acknowledged: of a commit that did not come to its
    end there may be a record and not the one before it, which is not lost, for it never was.
    """
    from airy_ray.rawlog import archive  # loads Arrow

    file = tail.path_of(spec.directory, number) / "data.mdb"
    found = salvage.records_in(file)
    facts = salvage.facts_in(file)
    segments = archive.found_segments(spec.archive, spec.index, _sealed(facts))
    start = segments[-1].last + 1 if segments else 0
    end = max(start, at_least)
    if is_head_known:
        while end in found:
            end += 1
    else:
        end = max([end, *(offset + 1 for offset in found)])
    lost = archive.runs(offset for offset in range(start, end) if offset not in found)
    values = {offset: found[offset] for offset in range(start, end) if offset in found}
    return Left(values, facts, segments, end, lost)


def repair_segment(spec: PartitionSpec, log: LogTail, segment: Segment, now: Millis) -> None:
    """Seal a damaged range again from what is whole in its file or in the bytes of the live tail.

    Those hold records for a while after they were trimmed.
    """
    from airy_ray.rawlog import archive  # loads Arrow

    whole = {
        offset: stored(prepare(record), offset)
        for offset, record in archive.readable(spec.archive, segment).items()
    }
    in_tail = salvage.records_in(log.path / "data.mdb")
    missing = [each for each in range(segment.first, segment.last + 1) if each not in whole]
    whole |= {offset: in_tail[offset] for offset in missing if offset in in_tail}
    lost = archive.runs(offset for offset in missing if offset not in whole)
    values = whole | _lost_values(lost, now)
    file = spec.archive / segment.file
    if file.exists():
        file.rename(file.with_suffix(".damaged"))
    log.add_segment(archive.seal(spec.archive, spec.index, sorted(values.items())))
    _remember(log, lost)
    _report(spec, lost)


def fill_gap(spec: PartitionSpec, log: LogTail, first: int, last: int, now: Millis) -> None:
    """Seal `lost` records for offsets, ends inclusive, that neither archive nor tail holds."""
    from airy_ray.rawlog import archive  # loads Arrow

    values = sorted(_lost_values([(first, last)], now).items())
    log.add_segment(archive.seal(spec.archive, spec.index, values))
    _remember(log, [(first, last)])
    _report(spec, [(first, last)])


def lost_ranges(log: LogTail) -> Ranges:
    """Return which offsets of a log were ever lost, in order."""
    return _ranges(log.get(LOST))


def is_erasing(log: LogTail) -> bool:
    """Whether an erasure has begun that is not done."""
    return erased_before(log, ERASING) > erased_before(log, ERASED)


def erased_before(log: LogTail, fact: str) -> int:
    """Return the offset before which erasures are done, as far as one of the facts says."""
    row = log.get(fact)
    return 0 if row is None else int.from_bytes(row, "big")


def _wait_for_writer(beacon: Beacon) -> None:
    """Wait until nobody is inside an append: whoever comes now sees the doubt and refuses."""
    waited_s = 0.0
    while (writer := beacon.writer) is not None:
        if waited_s >= _WRITER_WAIT_S and writer[0] != os.getpid():
            os.kill(writer[0], signal.SIGKILL)  # frozen inside its transaction
        time.sleep(_WRITER_POLL_S)
        waited_s += _WRITER_POLL_S


def _led_to(log: Path, found: Mapping[int, bytes]) -> dict[int, bytes]:
    """Return those of the records found that a sound tree leads to: of two, the committed one."""
    if not found or not is_sound(log):
        return {}
    environment = open_environment(log, tail.LOG_TABLES, durable=True)
    try:
        with environment.read() as transaction:
            held = transaction.cursor(environment.tables["records"])
            committed = {int.from_bytes(key, "big"): value for key, value in held}
    finally:
        close_environment(environment)
    return {offset: committed[offset] for offset in found if offset in committed}


def _sealed(facts: list[Fact]) -> list[Segment]:
    """Return the rows of the manifest among what was found."""
    return [
        msgspec.msgpack.decode(fact.row, type=Segment) for fact in facts if fact.table == "archives"
    ]


def _small_facts(spec: PartitionSpec, facts: list[Fact], end: int) -> dict[str, bytes]:
    """Return what the new log has to keep beside its records; `end` is its head."""
    small = {tail.BASE: end.to_bytes(8, "big")}
    for name in (FORWARDED, ERASING, ERASED):
        found = [fact.row for fact in facts if fact.key == name.encode()]
        if found:  # they only grow
            small[name] = max(found)
    present = generations.unused_number(spec.directory, None) - 1
    if present:  # readable again once it has caught up with what was found
        descent = _descent(facts, default=present)
        small[generations.ROW] = msgspec.msgpack.encode(Generation(present, end, descent))
    return small


def _descent(facts: list[Fact], default: int) -> int:
    """Return of which descent the live generation was; the rows of a log tell it, and it grows."""
    rows = [fact.row for fact in facts if fact.key == generations.ROW.encode()]
    found = [msgspec.msgpack.decode(row, type=Generation).descent for row in rows]
    return max(found, default=default)


def _lost_fact(facts: list[Fact], lost: Ranges) -> dict[str, bytes]:
    """Return the fact that tells what was lost, with what older versions of it tell."""
    known = [each for fact in facts if fact.key == LOST.encode() for each in _ranges(fact.row)]
    ranges = sorted({*known, *lost})
    return {LOST: msgspec.msgpack.encode(ranges)} if ranges else {}


def _remember(log: LogTail, lost: Ranges) -> None:
    if lost:
        log.put(LOST, msgspec.msgpack.encode(sorted({*lost_ranges(log), *lost})))


def _ranges(row: bytes | None) -> Ranges:
    return [] if row is None else msgspec.msgpack.decode(row, type=Ranges)


def _lost_values(ranges: Iterable[tuple[int, int]], now: Millis) -> dict[int, bytes]:
    return {
        offset: stored(_lost(first, last, now), offset)
        for first, last in ranges
        for offset in range(first, last + 1)
    }


def _lost(first: int, last: int, now: Millis) -> Prepared:
    body = encode_event(RecordsLost(first, last))
    return prepare(Record(Micros(now * 1_000), "lost", "", body, payload_id(body)))


def _report(spec: PartitionSpec, lost: list[tuple[int, int]]) -> None:
    if not lost:
        logger.warning("partition %s: the log was repaired, nothing is lost", spec.name)
    for first, last in lost:
        logger.error("partition %s: offsets %d to %d are lost", spec.name, first, last)


def is_sound(log: Path) -> bool:
    """Whether a log that others may be writing is whole: looked at in a process that may die.

    One that cannot be looked at for want of space is taken for whole, as is one not begun yet.
    """
    if not (log / "data.mdb").exists():
        return True
    checked = subprocess.run(  # noqa: S603 - our own module, a path of ours
        [sys.executable, "-m", "airy_ray.rawlog.check", str(log)],
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode == _UNCHECKED:
        logger.warning("the log in %s was not checked: the disk is full", log)
        return True
    if checked.returncode != 0:
        logger.error("the log in %s is damaged: %s", log, checked.stdout.strip())
    return checked.returncode == 0
