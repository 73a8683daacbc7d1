"""Whatever stops a process or the machine, and wherever: nothing acknowledged is lost or doubled.

Each seed tells a story of its own: the core without Ray, its steps interleaved, stopped at any of
them, its last writes torn, opened again, compared with what must be. See `tests.simulation`.
"""

import argparse
import gc
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context

from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from benchmarks.measuring import BenchmarkError, Report, console
from tests.simulation.world import STEPS, Outcome, SimulationError, simulate

_SEEDS = 10_000
_SEEDS_AT_ONCE = 25
_FAILURES_SHOWN = 5
_SHOWN = {
    "webhooks acknowledged": "webhooks acknowledged",
    "records folded": "records folded, again after each loss of state",
    "records forwarded": "records forwarded between partitions",
    "changes consumed": "changes that the consumer of the feed was told",
    "crash: owner": "deaths of an owner",
    "crash: process": "deaths of all processes",
    "crash: power": "power cuts",
    "logs repaired": "logs written anew after a failed sync",
    "states compared": "times that a whole state was compared",
}


@dataclass
class Told:
    """What came of some seeds: counts, and the texts of those that failed."""

    seeds: int = 0
    cpu_s: float = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, other: "Told") -> None:
        """Add what came of other seeds."""
        self.seeds += other.seeds
        self.cpu_s += other.cpu_s
        self.counts.update(other.counts)
        self.failures |= other.failures


def tell(seeds: range) -> Told:
    """Tell the stories of some seeds, whatever becomes of each."""
    told, began_s = Told(), time.process_time()
    for seed in seeds:
        told.seeds += 1
        try:
            outcome: Outcome = simulate(seed)
        except SimulationError as error:
            told.failures[seed] = str(error)
        else:
            told.counts.update(outcome.counts)
    told.cpu_s = time.process_time() - began_s
    return told


def tell_all(seeds: range, processes: int) -> Told:
    """Tell all stories, in several processes, and show how far they are.

    Raises:
        BenchmarkError: a process died, which no story may make it do.
    """
    told = Told()
    executor = ProcessPoolExecutor(processes, get_context("spawn"), initializer=gc.freeze)
    with executor, _progress() as progress:
        task = progress.add_task("seeds", total=len(seeds))
        parts = {executor.submit(tell, part): part for part in _parts(seeds)}
        for future in as_completed(parts):
            told.add(_result(future, parts[future]))
            progress.update(task, completed=told.seeds)
            if len(told.failures) >= _FAILURES_SHOWN:
                executor.shutdown(cancel_futures=True)
                return told
    return told


def _parts(seeds: range) -> Iterator[range]:
    for start in range(0, len(seeds), _SEEDS_AT_ONCE):
        yield seeds[start : start + _SEEDS_AT_ONCE]


def _result(future: Future[Told], part: range) -> Told:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise BenchmarkError(
            f"a process died, at a seed near {part.start} to {part[-1]}"
        ) from error


def _progress() -> Progress:
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)


def run(first: int, count: int, processes: int) -> Report:
    """Tell the stories of `count` seeds and judge them."""
    report = Report("simulation", "nothing acknowledged is lost or doubled, wherever it stops")
    began = time.monotonic()
    told = tell_all(range(first, first + count), processes)
    took_s = time.monotonic() - began
    for seed, failure in sorted(told.failures.items())[:_FAILURES_SHOWN]:
        console.print(f"{seed}: {failure}", style="red", markup=False, highlight=False)
    report.require("seeds that hold", told.seeds - len(told.failures), at_least=count)
    report.facts["seeds"] = f"{first} to {first + count - 1}, {STEPS} steps each"
    report.facts |= {shown: f"{told.counts[name]:,}" for name, shown in _SHOWN.items()}
    a_seed = f"{1_000 * told.cpu_s / told.seeds:.0f} ms of processor time a seed"
    report.facts["took"] = f"{took_s:,.0f} s with {processes} processes, {a_seed}"
    return report


def main() -> int:
    """Run it as a program; 1 if a seed fails."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes end too
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    arguments.add_argument("--seeds", type=int, default=_SEEDS, help="how many")
    arguments.add_argument("--first", type=int, default=0, help="the first seed")
    cores = len(os.sched_getaffinity(0))
    arguments.add_argument("--processes", type=int, default=cores, help="how many at once")
    asked = arguments.parse_args()
    try:
        report = run(asked.first, asked.seeds, min(asked.processes, asked.seeds))
    except BenchmarkError as error:
        console.print(f"cannot measure: {error}", style="red", markup=False, highlight=False)
        return 2
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
