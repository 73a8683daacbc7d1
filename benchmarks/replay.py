"""History is processed again at 0.35 times the rate of a bare loop, a process for each partition.

A system with two partitions is given a past: webhooks of all sources, as the simulator makes them,
in its archive. Two processes fold it into fresh states at once, as the owners do it; how much
memory they take is looked at on the way. Then the system starts and takes in what comes next of the
same traffic: that is live ingestion. A second one that is empty takes in such traffic as well,
which is shown; its state fits into the processor's caches.

The bare loop reads the same files, decodes the same bodies with orjson where they are JSON, and
makes the same reads and writes in LMDB with the same bytes, one record after the other, in
transactions of as many records; it is held against one process that folds the same records: of all
sources, and of Facebook's text messages alone, which other benchmarks measure with. Shown beside it
is a bulk load of what is left of that once the writes of a batch are merged and sorted, as our
batches do it: the least that any of it can take.

Cores are in use while anything runs on them: of a large state the kernel writes as many pages as
takes a third of one. `BENCH_RECORDS=10000000` in the environment folds so many, and takes an
hour and a half, 80 GB of disk and 20 GB of memory.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from itertools import islice, pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from unittest.mock import patch

import pyarrow.parquet as pq

from airy_ray.clock import Micros, Millis, now_millis
from airy_ray.cluster import layout
from airy_ray.garbage import collect_seldom
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.partition import open_partition
from airy_ray.partition.routing import partitions_of
from airy_ray.partition.spec import PartitionSpec, Upkeep
from airy_ray.partition.upkeep import Caretaker
from airy_ray.rawlog.record import Prepared, Record, prepare
from airy_ray.rawlog.tail import LogTail
from airy_ray.replay import building
from airy_ray.state.search.index import directory_of, distrust
from airy_ray.storage.environments import Environment
from benchmarks import all_sources, bare_loop
from benchmarks.all_sources import AllSources
from benchmarks.load import wrk
from benchmarks.measuring import (
    BenchmarkError,
    Options,
    Report,
    busy_s,
    cpu_s,
    main,
    temporary_directory,
)
from benchmarks.system import Platform, platform
from benchmarks.traffic import recorded, text_messages

_SHARE = 0.35
_LIVE_MULTIPLE = 5.0
_CORES = 1.8
_RECORDS = int(os.environ.get("BENCH_RECORDS", "1000000"))
_COMPARED = 100_000
"""How many records the bare loop does: what it is to write is held in memory."""
_CONTACTS_SHARE = 10
_SOURCES = 9
_APPEND = 2_000
_SEALED = 100_000
_PARTITIONS = 2
_UPKEEP = Upkeep(sync_ms=0, segment_age_ms=0, tail_records=1, snapshot_records=1 << 40)
_SETTINGS = {
    **all_sources.SETTINGS,
    "partitions": _PARTITIONS,
    "archive": {"segment_age_s": 1e6},
    "state": {"snapshot_records": 1 << 40, "snapshot_age_s": 1e6},
}
"""Without what is done rarely, and would be done at once with so much that is new."""
_MEMORY_GROWTH = 1.2
_LIVE_S = 10.0
_LIVE_RATE_MAX = 8_000
_QUIET_S = 3_600.0


def run(options: Options) -> int:
    """Fold archives again, one process beside the bare loop, then two at once; ingest live."""
    logging.disable(logging.WARNING)
    report = Report("replay", "history is processed again at the pace of its database")
    with temporary_directory() as directory:
        for what, records in (("all sources", _of_all), ("text messages", _of_text)):
            _compare(report, directory / what, what, records, options.repeats)
    with temporary_directory() as directory:
        traffic = _traffic(1)
        specs = _system_with_past(directory, traffic)
        seconds, growth, cores, used = _folded_at_once(specs, directory)
        rate, told = _RECORDS / seconds, {"memory_growth": growth, "cores": cores, "by_them": used}
        report.add("two processes", rate=rate, **told)
        for each in range(_PARTITIONS):
            shutil.rmtree(directory / f"fold-{each}")
        with platform(directory, _SETTINGS, folding_s=_QUIET_S) as ours:
            ours.wait_until_quiet(timeout_s=_QUIET_S)  # all is forwarded, and indexed for searches
            _ingest(report, "live ingestion", ours, traffic, options.repeats)
    with temporary_directory() as directory, platform(directory, _SETTINGS) as ours:
        traffic = _traffic(2)
        _connect(ours, traffic)
        _ingest(report, "live ingestion, empty at first", ours, traffic, options.repeats)
    for what in ("all sources", "text messages"):
        bulk = report.ratio(f"one process, {what}", f"bulk load, {what}", "rate")
        report.require(f"of the bulk load's records/s, {what} (shown)", bulk)
        share = report.ratio(f"one process, {what}", f"bare loop, {what}", "rate")
        report.require(f"of the bare loop's records/s, {what}", share, at_least=_SHARE)
    multiple = rate / report.median("live ingestion, empty at first", "rate")
    report.require("two processes, of live ingestion that was empty at first (shown)", multiple)
    multiple = rate / report.median("live ingestion", "rate")
    report.require("two processes, of live ingestion", multiple, at_least=_LIVE_MULTIPLE)
    report.require("cores in use by two processes", cores, at_least=_CORES)
    report.require("memory at the end, of that half way", growth, at_most=_MEMORY_GROWTH)
    return report.finish()


def _compare(
    report: Report,
    directory: Path,
    what: str,
    records: Callable[[int, int], Iterator[Record]],
    repeats: int,
) -> None:
    """Have one process fold records, and bare loops do what that does to LMDB, in turn."""
    own, archive, answers = (directory / name for name in ("00", "archive", "answers"))
    spec = PartitionSpec(PartitionIndex(0), 1, own, archive, answers)
    _fill([spec], records(0, _COMPARED), _COMPARED)
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
    return islice(_traffic(seed, count).records(), count)


def _traffic(seed: int, count: int = _RECORDS) -> AllSources:
    """Return what a system has taken in until now with its first `count` webhooks."""
    conversations = max(1, count // _CONTACTS_SHARE // _SOURCES)
    began_at = Millis(now_millis() - count * 1_000 // all_sources.PER_S)
    return AllSources(seed, conversations=conversations, began_at=began_at)


def _of_text(seed: int, count: int) -> Iterator[Record]:
    draw = Random(seed)
    contacts = (f"u{draw.randrange(count // _CONTACTS_SHARE)}" for _ in range(count))
    for body in text_messages("p", contacts, begin_at=now_millis()):
        yield recorded(body, Micros(now_millis() * 1_000))


def _system_with_past(directory: Path, traffic: AllSources) -> list[PartitionSpec]:
    """Make a system's data directory; return its partitions, with the records of what came in."""
    with platform(directory, _SETTINGS) as ours:
        _connect(ours, traffic)
        settings = ours.settings
    *own, _ = layout.specs(settings, layout.read_layout(settings.data))  # without the registry
    _fill(own, traffic.records(), _RECORDS)
    return own


def _connect(ours: Platform, traffic: AllSources) -> None:
    for source, channel in traffic.channels():
        ours.connect(source, channel)


def _fill(specs: list[PartitionSpec], records: Iterator[Record], count: int) -> None:
    """Fold records into partitions whose logs are then in the archive, but for their ends."""
    with ExitStack() as stack:
        partitions = []
        for spec in specs:
            opened = open_partition(replace(spec, upkeep=_UPKEEP), now_millis())
            partitions.append(stack.enter_context(closing(opened)))
        caretakers = [Caretaker(each, Millis(0)) for each in partitions]
        for end in range(_APPEND, count + _APPEND, _APPEND):
            own: list[list[Prepared]] = [[] for _ in specs]
            for record in islice(records, min(_APPEND, count + _APPEND - end)):
                prepared = prepare(record)
                for index in partitions_of(record, len(specs)):
                    own[index].append(prepared)
            for partition, several in zip(partitions, own, strict=True):
                partition.tail.append(several)
            if end % _SEALED == 0 or end >= count:
                for partition, caretaker in zip(partitions, caretakers, strict=True):
                    while partition.project_batch(now_millis()):
                        pass
                    caretaker.sync(now_millis())
                    caretaker.seal(Millis(now_millis() + 1))
                    caretaker.trim()
        if any(each.tail.head - each.tail.first > _SEALED + 1 for each in partitions):
            raise BenchmarkError("the log is not in the archive")
        for partition in partitions:  # out of rows it is made sooner than change by change
            distrust(directory_of(partition.state.path))


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


def _folded_at_once(
    specs: list[PartitionSpec], directory: Path
) -> tuple[float, float, float, float]:
    """Fold all, a process for each.

    Returns how many seconds it took, how their memory grew, how many cores were in use meanwhile,
    and how many of them by these processes.
    """
    context = multiprocessing.get_context("spawn")
    began, busy = time.perf_counter(), busy_s()
    running = []
    for number, spec in enumerate(specs):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=_fold, args=(spec, directory / f"fold-{number}", sender), daemon=True
        )
        process.start()
        running.append((process, receiver))
    told = [receiver.recv() for _, receiver in running]
    seconds, busy = time.perf_counter() - began, busy_s() - busy
    for process, _ in running:
        process.join()
    used = sum(used for _, used in told)
    return seconds, max(growth for growth, _ in told), busy / seconds, used / seconds


def _fold(spec: PartitionSpec, fresh: Path, sender: Connection) -> None:
    """Fold all history; send how much more memory this process has than half way, and its CPU.

    The memory is its own, without the files that it maps: more than half of it is LMDB's, which
    keeps as many pages as a transaction has ever written, 512 MB at most. The CPU's time is in
    seconds.
    """
    collect_seldom()
    at_half = 0
    with closing(LogTail(spec.directory, is_read_only=True)) as tail:
        end, total = 0, tail.head
    for end in building.fold_on(spec, fresh, None):
        if not at_half and end >= total // 2:
            at_half = _memory()
    if end != total:
        raise BenchmarkError("not everything was folded")
    sender.send((_memory() / at_half, cpu_s(os.getpid())))


def _memory() -> int:
    """Return how many kB this process has that are no file's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0])


def _ingest(report: Report, what: str, ours: Platform, traffic: AllSources, repeats: int) -> None:
    """Measure how many webhooks a platform takes and folds each second, 32 at a time."""
    for _ in range(repeats):
        posts = list(islice(traffic.posts(), int(_LIVE_S * _LIVE_RATE_MAX)))
        began = time.monotonic()
        load = wrk(ours.url, posts, connections=32, seconds=_LIVE_S)
        ours.wait_until_projected(timeout_s=_QUIET_S)
        report.add(what, rate=load.requests / (time.monotonic() - began))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(run, __doc__, seconds=1, repeats=3)
