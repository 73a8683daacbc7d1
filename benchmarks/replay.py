"""History is processed again at 0.35 times the rate of a bare loop, a process for each partition.

Archives of one log of messages of all sources are folded into fresh states by two processes at
once, as the owners of two partitions do it; how much memory they take is looked at on the way. The
bare loop reads the same files, decodes the same bodies with orjson, and makes the same reads and
writes in LMDB with the same bytes; it is held against one process that folds the same records.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import pyarrow.parquet as pq

from airy_ray.clock import Micros, Millis, now_millis
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.partition import open_partition
from airy_ray.partition.spec import PartitionSpec, Upkeep
from airy_ray.partition.upkeep import Caretaker
from airy_ray.rawlog.record import prepare
from airy_ray.replay import building
from benchmarks import bare_loop
from benchmarks.measuring import BenchmarkError, Options, Report, main, temporary_directory
from benchmarks.traffic import recorded, text_messages

_SHARE = 0.35
_RECORDS = int(os.environ.get("BENCH_RECORDS", "1000000"))
_COMPARED = 100_000
"""How many records the bare loop does: what it is to write is held in memory."""
_CONTACTS_SHARE = 10
_APPEND = 2_000
_PARTITIONS = 2
_MEMORY_GROWTH = 1.2


def run(options: Options) -> int:
    """Fold archives again, one process beside the bare loop, then two at once."""
    logging.disable(logging.WARNING)
    report = Report("replay", "history is processed again at the pace of its database")
    with temporary_directory() as directory:
        small = _filled(directory / "small", 0, _COMPARED)
        traces = bare_loop.traced(lambda: _sizes(small, directory / "traced"))
        for number in range(options.repeats):
            seconds = _timed(partial(_sizes, small, directory / f"fresh-{number}"))
            report.add("one process", rate=_COMPARED / seconds)
            with bare_loop.bare_state(directory / "bare") as bare:
                seconds = _timed(partial(bare_loop.replay, bare, _reading(small), traces))
            report.add("bare loop", rate=_COMPARED / seconds)
        traces.clear()
        specs = [_filled(directory / "large", each, _RECORDS // _PARTITIONS) for each in range(2)]
        seconds, growth = _folded_at_once(specs, directory)
        report.add("two processes", rate=_RECORDS / seconds, memory_growth=growth)
    share = report.ratio("one process", "bare loop", "rate")
    report.require("of the bare loop's records/s", share, at_least=_SHARE)
    report.require("memory at the end, of that at a quarter", growth, at_most=_MEMORY_GROWTH)
    return report.finish()


def _filled(directory: Path, index: int, count: int) -> PartitionSpec:
    """Return a partition whose log is in the archive but for its end."""
    upkeep = Upkeep(sync_ms=0, segment_age_ms=0, tail_records=1, snapshot_records=1 << 40)
    spec = PartitionSpec(
        *(PartitionIndex(index), 1, directory / f"{index:02}"),
        *(directory / "archive", directory / "answers", upkeep),
    )
    draw = Random(index)
    contacts = (f"u{draw.randrange(count // _CONTACTS_SHARE)}" for _ in range(count))
    bodies = text_messages("p", contacts, begin_at=now_millis())
    with closing(open_partition(spec, now_millis())) as partition:
        caretaker = Caretaker(partition, Millis(0))
        batch = []
        for number, body in enumerate(bodies, 1):
            batch.append(prepare(recorded(body, Micros(now_millis() * 1_000))))
            if len(batch) == _APPEND or number == count:
                partition.tail.append(batch)
                batch = []
            if number % 100_000 == 0 or number == count:
                while partition.project_batch(now_millis()):
                    pass
                caretaker.sync(now_millis())
                caretaker.seal(Millis(now_millis() + 1))
                caretaker.trim()
        if partition.tail.first < count - 100_001:
            raise BenchmarkError("the log is not in the archive")
    return spec


def _sizes(spec: PartitionSpec, fresh: Path) -> list[int]:
    """Fold all history; return the sizes of the batches."""
    ends = [0, *building.fold_on(spec, fresh, None)]
    return [end - begin for begin, end in pairwise(ends)]


def _reading(spec: PartitionSpec) -> Callable[[int, int], Iterable[bytes]]:
    """Return what reads the bodies out of the archive, in order."""
    bodies = _bodies(spec.archive)

    def read(_: int, size: int) -> list[bytes]:
        return [body for _, body in zip(range(size), bodies, strict=False)]

    return read


def _bodies(archive: Path) -> Iterator[bytes]:
    for file in sorted((archive / "raw").glob("date=*/*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches():
            yield from batch.column("body").to_pylist()


def _folded_at_once(specs: list[PartitionSpec], directory: Path) -> tuple[float, float]:
    """Return how long it takes to fold all, a process for each, and how their memory grew."""
    context = multiprocessing.get_context("spawn")
    began = time.perf_counter()
    running = []
    for number, spec in enumerate(specs):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=_fold, args=(spec, directory / f"fold-{number}", sender), daemon=True
        )
        process.start()
        running.append((process, receiver))
    growths = [receiver.recv() for _, receiver in running]
    seconds = time.perf_counter() - began
    for process, _ in running:
        process.join()
    return seconds, max(growths)


def _fold(spec: PartitionSpec, fresh: Path, sender: Connection) -> None:
    """Fold all history; send how much more memory of its own this process has than at a quarter."""
    at_quarter = 0
    end = 0
    total = _RECORDS // _PARTITIONS
    for end in building.fold_on(spec, fresh, None):
        if not at_quarter and end >= total // 4:
            at_quarter = _memory()
    if end != total:
        raise BenchmarkError("not everything was folded")
    sender.send(_memory() / at_quarter)


def _memory() -> int:
    """Return how many kB this process has that are no file's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0])


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(run, __doc__, seconds=1, repeats=3)
