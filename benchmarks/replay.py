"""History is processed again at 0.35 times the rate of a bare loop, a process for each partition.

Archives of webhooks of all sources, as the simulator makes them, are folded into fresh states by
two processes at once, as the owners of two partitions do it; how much memory they take is looked at
on the way, and live ingestion is measured beside it. The bare loop reads the same files, decodes
the same bodies with orjson where they are JSON, and makes the same reads and writes in LMDB with
the same bytes, one record after the other, in transactions of as many records; it is held against
one process that folds the same records: of all sources, and of Facebook's text messages alone,
which other benchmarks measure with. Shown beside it is a bulk load of what is left of that once the
writes of a batch are merged and sorted, as our batches do it: the least that any of it can take.
`BENCH_RECORDS=10000000` in the environment folds so many at once, and takes an hour.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice, pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from unittest.mock import patch

import pyarrow.parquet as pq

from airy_ray.clock import Micros, Millis, now_millis
from airy_ray.garbage import collect_seldom
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.partition import open_partition
from airy_ray.partition.spec import PartitionSpec, Upkeep
from airy_ray.partition.upkeep import Caretaker
from airy_ray.rawlog.record import Record, prepare
from airy_ray.replay import building
from airy_ray.storage.environments import Environment
from benchmarks import all_sources, bare_loop
from benchmarks.load import wrk
from benchmarks.measuring import (
    BenchmarkError,
    Options,
    Report,
    cpu_s,
    main,
    temporary_directory,
)
from benchmarks.system import PAGE, platform
from benchmarks.traffic import recorded, signed, text_messages

_SHARE = 0.35
_LIVE_MULTIPLE = 5.0
_CORES = 1.8
_RECORDS = int(os.environ.get("BENCH_RECORDS", "1000000"))
_COMPARED = 100_000
"""How many records the bare loop does: what it is to write is held in memory."""
_CONTACTS_SHARE = 10
_SOURCES = 9
_APPEND = 2_000
_PARTITIONS = 2
_MEMORY_GROWTH = 1.2
_LIVE_S = 10.0
_LIVE_RATE_MAX = 15_000


def run(options: Options) -> int:
    """Fold archives again, one process beside the bare loop, then two at once, then ingest live."""
    logging.disable(logging.WARNING)
    report = Report("replay", "history is processed again at the pace of its database")
    with temporary_directory() as directory:
        for what, records in (("all sources", _of_all), ("text messages", _of_text)):
            _compare(report, directory / what, what, records, options.repeats)
        specs = [
            _filled(directory / f"large-{each}", _of_all(each, _RECORDS // 2), _RECORDS // 2)
            for each in range(_PARTITIONS)
        ]
        seconds, growth, cores = _folded_at_once(specs, directory)
        rate = _RECORDS / seconds
        report.add("two processes, all sources", rate=rate, memory_growth=growth, cores=cores)
    live = _live_rate()
    report.add("live ingestion, text messages", rate=live)
    for what in ("all sources", "text messages"):
        bulk = report.ratio(f"one process, {what}", f"bulk load, {what}", "rate")
        report.require(f"of the bulk load's records/s, {what} (shown)", bulk)
        share = report.ratio(f"one process, {what}", f"bare loop, {what}", "rate")
        report.require(f"of the bare loop's records/s, {what}", share, at_least=_SHARE)
    report.require("two processes, of live ingestion", rate / live, at_least=_LIVE_MULTIPLE)
    report.require("cores used by two processes", cores, at_least=_CORES)
    report.require("memory at the end, of that at a quarter", growth, at_most=_MEMORY_GROWTH)
    return report.finish()


def _compare(
    report: Report,
    directory: Path,
    what: str,
    records: Callable[[int, int], Iterator[Record]],
    repeats: int,
) -> None:
    """Have one process fold records, and bare loops do what that does to LMDB, in turn."""
    spec = _filled(directory, records(0, _COMPARED), _COMPARED)
    merged = bare_loop.traced(lambda: _sizes(spec, directory / "merged"))
    with patch.object(building, "RECORDS_AT_ONCE", 1):
        each = bare_loop.traced(lambda: _sizes(spec, directory / "each"))
    collect_seldom()  # as in the child in which an owner folds, and for the bare loops alike
    ways: dict[str, Callable[[Environment], None]] = {
        "bare loop": lambda bare: bare_loop.replay_each(
            bare, _reading(spec), each, building.RECORDS_AT_ONCE
        ),
        "bulk load": lambda bare: bare_loop.replay(bare, _reading(spec), merged),
    }
    for number in range(repeats):
        seconds = _timed(partial(_sizes, spec, directory / f"fresh-{number}"))
        report.add(f"one process, {what}", rate=_COMPARED / seconds)
        for name, way in ways.items():
            with bare_loop.bare_state(directory / "bare") as bare:
                seconds = _timed(partial(way, bare))
            report.add(f"{name}, {what}", rate=_COMPARED / seconds)


def _of_all(seed: int, count: int) -> Iterator[Record]:
    conversations = max(1, count // _CONTACTS_SHARE // _SOURCES)
    made = all_sources.records(seed, conversations=conversations, began_at=now_millis())
    return islice(made, count)


def _of_text(seed: int, count: int) -> Iterator[Record]:
    draw = Random(seed)
    contacts = (f"u{draw.randrange(count // _CONTACTS_SHARE)}" for _ in range(count))
    for body in text_messages("p", contacts, begin_at=now_millis()):
        yield recorded(body, Micros(now_millis() * 1_000))


def _filled(directory: Path, records: Iterator[Record], count: int) -> PartitionSpec:
    """Return a partition whose log of `count` records is in the archive but for its end."""
    upkeep = Upkeep(sync_ms=0, segment_age_ms=0, tail_records=1, snapshot_records=1 << 40)
    spec = PartitionSpec(
        *(PartitionIndex(0), 1, directory / "00"),
        *(directory / "archive", directory / "answers", upkeep),
    )
    with closing(open_partition(spec, now_millis())) as partition:
        caretaker = Caretaker(partition, Millis(0))
        for end in range(_APPEND, count + _APPEND, _APPEND):
            partition.tail.append([prepare(record) for record in islice(records, _APPEND)])
            if end % 100_000 == 0 or end >= count:
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


def _folded_at_once(specs: list[PartitionSpec], directory: Path) -> tuple[float, float, float]:
    """Fold all, a process for each; return seconds, how their memory grew, and cores used."""
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
    told = [receiver.recv() for _, receiver in running]
    seconds = time.perf_counter() - began
    for process, _ in running:
        process.join()
    return seconds, max(growth for growth, _ in told), sum(used for _, used in told) / seconds


def _fold(spec: PartitionSpec, fresh: Path, sender: Connection) -> None:
    """Fold all history; send how much more memory this process has than at a quarter, and its CPU.

    The memory is its own, without the files that it maps; the CPU's time is in seconds.
    """
    collect_seldom()
    at_quarter = 0
    end = 0
    total = _RECORDS // _PARTITIONS
    for end in building.fold_on(spec, fresh, None):
        if not at_quarter and end >= total // 4:
            at_quarter = _memory()
    if end != total:
        raise BenchmarkError("not everything was folded")
    sender.send((_memory() / at_quarter, cpu_s(os.getpid())))


def _memory() -> int:
    """Return how many kB this process has that are no file's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0])


def _live_rate() -> float:
    """Return how many webhooks a platform takes and folds each second, 32 at a time."""
    count = int(_LIVE_S * _LIVE_RATE_MAX)
    contacts = (f"u{each % 1_000}" for each in range(count))
    posts = [signed(body) for body in text_messages("live", contacts, begin_at=now_millis())]
    with temporary_directory() as directory, platform(directory) as ours:
        ours.connect("facebook", PAGE)
        began = time.monotonic()
        load = wrk(f"{ours.url}/webhooks/facebook", posts, connections=32, seconds=_LIVE_S)
        ours.wait_until_projected(messages=load.requests)
        return load.requests / (time.monotonic() - began)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(run, __doc__, seconds=1, repeats=3)
