"""A partition that catches up folds 8,000 records a second, at 0.35 times the rate of a bare loop.

The bare loop decodes the same bodies with orjson and makes the same reads and writes in LMDB, with
the same bytes: what was noted down while a partition folded the log. It knows nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

from airy_ray.clock import Micros, now_millis
from airy_ray.garbage import collect_seldom
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.partition import Partition, open_partition
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import prepare
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.queries import reading
from airy_ray.storage.environments import Environment
from benchmarks import bare_loop
from benchmarks.measuring import BenchmarkError, Options, Report, main, temporary_directory
from benchmarks.traffic import recorded, text_messages

_SHARE = 0.35
_RATE = 8_000

_CONTACTS = 1_000
_RECORDS_PER_S = 20_000
"""About what is folded, so that `--seconds` comes out."""
_APPEND = 1_000
_APPLIED = b"applied"
_OTHER_SIZES = (10, 256, 1_024)
"""Other lengths of a batch: what an owner saves by letting records gather, and when no more."""


def run(options: Options) -> int:
    """Fold one log again and again, in turn with the bare loop."""
    logging.disable(logging.WARNING)  # that it folds again is what we want
    report = Report("projection", "a partition catches up at the pace of its database")
    count = int(options.seconds * _RECORDS_PER_S)
    with temporary_directory() as directory:
        own, archive, answers = (directory / each for each in ("partition", "archive", "answers"))
        spec = _in_batches(PartitionSpec(PartitionIndex(0), 1, own, archive, answers))
        bodies = _fill(spec, count)
        partition = open_partition(spec, now_millis())
        traces = bare_loop.traced(lambda: _catch_up(partition, count))
        collect_seldom()  # as an owner does, and what was noted down it never looks at
        for _ in range(options.repeats):
            partition.rebuild()
            report.add("partition", rate=count / _timed(lambda: _catch_up(partition, count)))
            for size in _OTHER_SIZES:
                partition.spec = _in_batches(replace(spec, batch_records=size))
                partition.rebuild()
                seconds = _timed(lambda: _catch_up(partition, count))
                report.add(f"in batches of {size}", rate=count / seconds)
            partition.spec = spec
            with (
                bare_loop.bare_state(directory / "bare") as bare,
                bare_loop.opened_log(partition.tail) as log,
            ):
                read = _reading(log, bodies)
                seconds = _timed(partial(bare_loop.replay, bare, read, traces))
            report.add("bare loop", rate=count / seconds)
        partition.close()
    report.require("records/s", report.median("partition", "rate"), at_least=_RATE)
    share = report.ratio("partition", "bare loop", "rate")
    report.require("of the bare loop's records/s", share, at_least=_SHARE)
    return report.finish()


def _in_batches(spec: PartitionSpec) -> PartitionSpec:
    """Have a state that is made anew folded in such batches as one that catches up."""
    return replace(spec, rebuilt_records=spec.batch_records, rebuilt_bytes=spec.batch_bytes)


def _fill(spec: PartitionSpec, count: int) -> list[bytes]:
    """Write a log of `count` messages; return their bodies."""
    now = now_millis()
    draw = Random(count)
    contacts = (f"u{draw.randrange(_CONTACTS)}" for _ in range(count))
    bodies = list(text_messages("p", contacts, begin_at=now))
    tail = LogTail(spec.directory)
    for first in range(0, count, _APPEND):
        at = Micros(now * 1_000)
        tail.append([prepare(recorded(body, at)) for body in bodies[first : first + _APPEND]])
    tail.close()
    return bodies


def _catch_up(partition: Partition, count: int) -> list[int]:
    """Fold the whole log as an owner does; return the sizes of its batches."""
    sizes = []
    while size := partition.project_batch(now_millis()):
        sizes.append(size)
    with reading(partition.state.environment) as view:
        if view.applied() != count or view.counts()["messages"] != count:
            raise BenchmarkError("the partition has not folded every message")
    return sizes


def _reading(log: Environment, bodies: list[bytes]) -> Callable[[int, int], list[bytes]]:
    """Return what reads the log, and gives the bodies that are in it."""

    def read(first: int, size: int) -> list[bytes]:
        bare_loop.read_log(log, first, size)
        return bodies[first : first + size]

    return read


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(run, __doc__, seconds=2, repeats=7)
