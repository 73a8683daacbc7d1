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
from collections.abc import Iterable

import msgspec

from airy_ray.clock import Micros, Millis
from airy_ray.errors import DamagedError, StateError
from airy_ray.model.events import RecordsLost
from airy_ray.partition import generations
from airy_ray.partition.fold import encode_event
from airy_ray.partition.generations import Generation
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog import salvage, tail
from airy_ray.rawlog.record import Prepared, Record, opened, payload_id, prepare, stored
from airy_ray.rawlog.tail import LogTail, Segment
from airy_ray.state.state import State
from airy_ray.storage.beacon import Beacon, is_alive

logger = logging.getLogger(__name__)

_WRITER_WAIT_S = 5.0
_WRITER_POLL_S = 0.01


def repair_tail(spec: PartitionSpec, applied: int, now: Millis) -> None:
    """Write a new log out of what is left of the damaged one, and make it the one in use.

    `applied` is how many records the state has seen at least: the log was as long.
    """
    from airy_ray.rawlog import archive  # loads Arrow

    beacon = Beacon(spec.directory / tail.BEACON)
    beacon.doubt(is_in_doubt=True)
    _wait_for_writer(beacon)
    number = tail.number_in_use(spec.directory)
    found = salvage.records_in(tail.path_of(spec.directory, number) / "data.mdb")
    segments = archive.found_segments(spec.archive, spec.index)
    start = segments[-1].last + 1 if segments else 0
    end = max([applied, _folded(spec), *(offset + 1 for offset in found)])
    lost = archive.runs(offset for offset in range(start, end) if offset not in found)
    values = {offset: found[offset] for offset in range(start, end) if offset in found}
    values |= _lost_values(lost, now)
    present = generations.unused_number(spec.directory, None) - 1
    facts = {}
    if present:  # readable again once it has caught up with what was found
        facts["generation"] = msgspec.msgpack.encode(Generation(present, target=end))
    fresh = tail.path_of(spec.directory, number + 1)
    tail.create(fresh, sorted(values.items()), segments, facts)
    tail.use_number(spec.directory, number + 1)
    beacon.use(number + 1)
    beacon.doubt(is_in_doubt=False)
    beacon.close()
    _report(spec, lost)


def repair_segment(spec: PartitionSpec, log: LogTail, segment: Segment, now: Millis) -> None:
    """Seal a damaged range again from what is whole in its file or still in the live tail."""
    from airy_ray.rawlog import archive  # loads Arrow

    whole = {
        offset: stored(prepare(record), offset)
        for offset, record in archive.readable(spec.archive, segment).items()
    }
    whole |= _still_in_tail(log, segment)
    lost = archive.runs(
        offset for offset in range(segment.first, segment.last + 1) if offset not in whole
    )
    values = whole | _lost_values(lost, now)
    file = spec.archive / segment.file
    if file.exists():
        file.rename(file.with_suffix(".damaged"))
    log.add_segment(archive.seal(spec.archive, spec.index, sorted(values.items())))
    _report(spec, lost)


def fill_gap(spec: PartitionSpec, log: LogTail, first: int, last: int, now: Millis) -> None:
    """Seal `lost` records for offsets, ends inclusive, that neither archive nor tail holds."""
    from airy_ray.rawlog import archive  # loads Arrow

    values = sorted(_lost_values([(first, last)], now).items())
    log.add_segment(archive.seal(spec.archive, spec.index, values))
    _report(spec, [(first, last)])


def _wait_for_writer(beacon: Beacon) -> None:
    """Wait until nobody is inside an append: whoever comes now sees the doubt and refuses."""
    waited_s = 0.0
    while (writer := beacon.writer) is not None and is_alive(writer[0]):
        if waited_s >= _WRITER_WAIT_S and writer[0] != os.getpid():
            os.kill(writer[0], signal.SIGKILL)  # frozen inside its transaction
        time.sleep(_WRITER_POLL_S)
        waited_s += _WRITER_POLL_S


def _folded(spec: PartitionSpec) -> int:
    """Return how many records the newest state holds, if it can tell."""
    number = generations.unused_number(spec.directory, None) - 1
    if number == 0:
        return 0
    try:
        state = State(generations.path_of(spec.directory, number))
    except DamagedError:
        return 0
    try:
        return state.applied
    except StateError:
        return 0
    finally:
        state.close()


def _still_in_tail(log: LogTail, segment: Segment) -> dict[int, bytes]:
    first = max(segment.first, log.first)
    if first > segment.last:
        return {}
    values = log.read(first, segment.last - first + 1)
    return {offset: value for offset, value in values if _is_whole(offset, value)}


def _is_whole(offset: int, value: bytes) -> bool:
    try:
        opened(value, offset)
    except Exception:  # whatever is wrong with it, it is not whole
        return False
    return True


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


def is_sound(log: LogTail) -> bool:
    """Whether a log that others may be writing is whole: looked at in a process that may die."""
    checked = subprocess.run(  # noqa: S603 - our own module, a path of ours
        [sys.executable, "-m", "airy_ray.rawlog.check", str(log.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode != 0:
        logger.error("the log in %s is damaged: %s", log.path, checked.stdout.strip())
    return checked.returncode == 0
