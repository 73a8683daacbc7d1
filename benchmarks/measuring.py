"""What every benchmark shares: options, repeats and medians, claims, the machine.

1. A baseline is measured in the same run as what is compared with it, repeat by repeat in turn, and
   a ratio is the median of the repeats' ratios: what else the machine does meets both.
2. A run that failed in part is no run: errors of the load, or a platform that does not start, end
   the benchmark with exit code 2; a requirement that is missed with 1.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform as host
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"

console = Console()


class BenchmarkError(Exception):
    """Something could not be measured; the text says why, and what to do."""


# --- the run --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """How long and how often to measure.

    Attributes:
        seconds: of load for each figure.
        repeats: of everything, in turn.
    """

    seconds: float
    repeats: int


def main(
    run: Callable[[Options], int], description: str | None, *, seconds: float = 5, repeats: int = 3
) -> NoReturn:
    """Run a benchmark as a program: read its options, end with its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--seconds", type=float, default=seconds, help="of load for each figure")
    arguments.add_argument("--repeats", type=int, default=repeats, help="of everything, in turn")
    asked = arguments.parse_args()
    try:
        sys.exit(run(Options(asked.seconds, asked.repeats)))
    except BenchmarkError as error:
        console.print(f"cannot measure: {error}", style="red", markup=False, highlight=False)
        sys.exit(2)


@contextlib.contextmanager
def kept_running(tasks: Sequence[asyncio.Task[None]]) -> Iterator[None]:
    """Have tasks run until the block ends; one that ends before raises what ended it."""
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()  # it was not to end
    finally:
        for task in tasks:
            task.cancel()


class Claim(NamedTuple):
    """A figure and what is required of it."""

    what: str
    figure: float
    unit: str
    requirement: str
    is_met: bool


class Report:
    """Collects what each repeat measured, judges the claims, prints and keeps both."""

    def __init__(self, name: str, claim: str) -> None:
        self.name = name
        self.claim = claim
        self.facts: dict[str, Any] = {}
        self.claims: list[Claim] = []
        self.repeats: dict[str, list[dict[str, float]]] = defaultdict(list)
        """What each repeat measured."""
        self._load_before = load_average()

    def add(self, what: str, **numbers: float) -> None:
        """Keep what one repeat measured of `what`, and show it."""
        self.repeats[what].append({**numbers, "load_average": load_average()})
        told = "  ".join(f"{key} {_short(number)}" for key, number in numbers.items())
        console.print(f"  {what}: {told}", style="dim", markup=False, highlight=False)

    def values(self, what: str, number: str) -> list[float]:
        """Return a number of `what`, one for each repeat."""
        return [repeat[number] for repeat in self.repeats[what]]

    def median(self, what: str, number: str) -> float:
        """Return the median of a number over the repeats."""
        return statistics.median(self.values(what, number))

    def ratio(self, what: str, baseline: str, number: str) -> float:
        """Return what `what` is to `baseline`: the median of the ratios within each repeat."""
        pairs = zip(self.values(what, number), self.values(baseline, number), strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)

    def require(
        self,
        what: str,
        figure: float,
        unit: str = "",
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Judge a figure by its bounds, which themselves are good enough."""
        bounds = [(">=", at_least), ("<=", at_most)]
        told = " and ".join(f"{sign} {_short(at)}" for sign, at in bounds if at is not None)
        is_met = (at_least is None or figure >= at_least) and (at_most is None or figure <= at_most)
        self.claims.append(Claim(what, figure, unit, told, is_met))

    def finish(self) -> int:
        """Print the table, write the JSON; return the exit code: 1 if a requirement is missed."""
        after = load_average()
        RESULTS.mkdir(exist_ok=True)
        kept = {
            "benchmark": self.name,
            "claim": self.claim,
            "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "commit": _commit(),
            "machine": machine(),
            "load_average": {"before": self._load_before, "after": after},
            "claims": [claim._asdict() for claim in self.claims],
            "medians": {
                what: {number: self.median(what, number) for number in repeats[0]}
                for what, repeats in self.repeats.items()
            },
            "repeats": self.repeats,
            "facts": self.facts,
        }
        (RESULTS / f"{self.name}.json").write_text(json.dumps(kept, indent=1) + "\n")
        self._print(after)
        return 0 if all(claim.is_met for claim in self.claims) else 1

    def _print(self, load_after: float) -> None:
        table = Table(title=f"{self.name}: {self.claim}", title_justify="left", min_width=80)
        table.add_column("measured")
        for column in ("figure", "required", "verdict"):
            table.add_column(column, justify="right", no_wrap=True)
        for claim in self.claims:
            verdict = "[green]met[/]" if claim.is_met else "[bold red]missed[/]"
            figure = f"{_short(claim.figure)} {claim.unit}".rstrip()
            table.add_row(claim.what, figure, claim.requirement, verdict)
        console.print(table)
        for key, fact in self.facts.items():
            console.print(f"{key}: {fact}", markup=False, highlight=False)
        told = ", ".join(f"{key} {value}" for key, value in machine().items())
        console.print(f"machine: {told}", style="dim", markup=False, highlight=False)
        console.print(
            f"load average: {self._load_before} before, {load_after} after",
            style="dim",
            highlight=False,
        )


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1_000 else f"{number:.4g}"


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    )
    return told.stdout.strip()


# --- the machine ----------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """Return what the figures were measured on."""
    temporary = Path(tempfile.gettempdir())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 2**30:.0f} GiB",
        "kernel": host.release(),
        "disk": f"{_filesystem(temporary)} ({temporary})",
        "python": host.python_version(),
        "ray": version("ray"),
    }


def load_average() -> float:
    """Return how many processes wanted to run during the last minute, our own among them."""
    return round(os.getloadavg()[0], 2)


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it, itself first."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parent = stat.read_text().rpartition(")")[2].split()[1]
            children[int(parent)].append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children[each]
    return found


def pss_mib(pid: int, kind: str = "Pss") -> float:
    """Return the memory of one process, of what it shares with others its part of it.

    The `kind` of `Pss_Anon` leaves out files that are mapped into memory.
    """
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it ended while we were counting
    lines = [line.split() for line in rollup.splitlines()]
    return next((int(words[1]) / 1_024 for words in lines if words[0] == f"{kind}:"), 0.0)


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def busy_s() -> float:
    """Return how long the machine's cores have been busy, with whatever it is."""
    words = Path("/proc/stat").read_text().split(maxsplit=8)[1:8]
    user, nice, system, _, _, interrupts, soft_interrupts = map(int, words)
    ticks = user + nice + system + interrupts + soft_interrupts
    return ticks / os.sysconf("SC_CLK_TCK")


def raise_open_files() -> None:
    """Let this process, and those that it starts, have as many open files as they may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def temporary_directory() -> Iterator[Path]:
    """Make a directory with a short name, for Unix sockets' sake, that goes with the block."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return host.machine()


def _filesystem(path: Path) -> str:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    fitting = [words for words in mounts if path.resolve().is_relative_to(words[1])]
    return max(fitting, key=lambda words: len(words[1]))[2]
