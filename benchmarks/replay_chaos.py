"""A replay, its swap and its roll back are killed at any moment, and what is served stays whole.

1. `airy-ray up` runs on a data directory of its own (`installation`); people write to a page all
   the while, and history is processed again, swapped and rolled back, one replay after the other.
2. Killed are children that process history, owners of partitions, the registry's among them, and
   everything, at random moments and as soon as an owner tells of a phase, each in turn.
3. After every kill each conversation must show what its writer has posted, all at least that was
   acknowledged: whichever generation serves it, old or new, it is whole.
4. Nobody helps: the replay that was killed goes on until it is done, and none of them may fail.
"""

import argparse
import asyncio
import contextlib
import itertools
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import aiohttp

from airy_ray.cluster.layout import read_layout
from airy_ray.cluster.machine import machine_spec
from airy_ray.config import load
from airy_ray.partition.spec import PartitionSpec
from airy_ray.replay import run as runs
from airy_ray.replay.order import Phase, read_report
from airy_ray.simulator.graph_api import GraphApi, GraphServer
from benchmarks.installation import APP_ID, PARTITIONS, SECRETS, Installation, kill_process, within
from benchmarks.measuring import BenchmarkError, Report, console, family, kept_running
from benchmarks.system import PAGE, connect_channel, finished
from benchmarks.writers import Writers

_PEOPLE = 40
_RATE = 40.0
_HISTORY_S = 10.0
_BACK_S = 120.0
_TARGET_S = 20.0
"""So long something to be killed is waited for; then something else is killed."""
_PAUSE_S_MAX = 2.0
_LOOK_S = 0.002
_AGAIN_S = 0.2
_PHASES: tuple[Phase, ...] = (
    "folding", "comparing", "ready", "preparing", "swapping", "swapped", "rolling back",
    "rolled back",
)  # fmt: skip
_ORDERS: tuple[tuple[str, set[str | None], str], ...] = (
    ("/replay.start", {None, "waiting", "rolled back", "failed"}, "ready"),
    ("/replay.swap", {"ready"}, "swapped"),
    ("/replay.rollback", {"swapped"}, "rolled back"),
)
"""What is ordered, in which phases, until which comes: again where who took it may be dead."""
_EVERYTHING_EACH = 20
"""Of so many kills one is that of everything, which takes the longest to come back from."""


class Replays:
    """Has history processed again, swapped and rolled back, one replay after the other."""

    def __init__(self, http: aiohttp.ClientSession, specs: list[PartitionSpec]) -> None:
        self.done = 0
        self.failed: list[str] = []
        self._http = http
        self._specs = specs

    async def run(self) -> None:
        """Do so until it is cancelled."""
        while True:
            for path, before, after in _ORDERS:
                if not await self._done(path, before, after):
                    break
            else:
                self.done += 1

    async def _done(self, path: str, before: set[str | None], after: str) -> bool:
        """Order something as often as it takes, and wait for it; return whether it did not fail."""
        while True:
            found = await asyncio.to_thread(runs.status, self._specs)
            phase = None if found is None else found.phase
            if phase == after:
                return True
            if phase == "failed" and path != "/replay.start":
                assert found is not None
                self.failed.append(str([each.error for each in found.reports if each.error]))
                return False
            if phase in before:
                await self._order(path)
            await asyncio.sleep(_AGAIN_S)

    async def _order(self, path: str) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # it is asked for again
            async with self._http.post(path, json={}) as answer:
                await answer.read()


class Killer:
    """Kills, and looks at what is served after each."""

    def __init__(
        self,
        installation: Installation,
        specs: list[PartitionSpec],
        writers: Writers,
        report: Report,
        random: Random,
    ) -> None:
        self.wrong: list[str] = []
        self._installation = installation
        self._specs = specs
        self._writers = writers
        self._report = report
        self._random = random
        self._phases = itertools.cycle(_PHASES)

    async def run(self, kills: int) -> None:
        """Kill one after the other, and wait each time until all can be read."""
        for number in range(1, kills + 1):
            if number % _EVERYTHING_EACH == 0:
                await self._everything()
            elif number % 2:
                await asyncio.sleep(self._random.uniform(0, _PAUSE_S_MAX))
                await self._one(self._random.choice(["child", "child", "partition", "registry"]))
            else:
                await self._at(next(self._phases))

    async def _everything(self) -> None:
        self._installation.kill_everything()
        began = time.monotonic()
        await self._installation.start()
        await self._look("everything", began)

    async def _one(self, kind: str) -> None:
        """Kill an owner, or the child of one, at this moment."""
        partition = self._random.randrange(PARTITIONS)
        find = self._children if kind == "child" else self._owner_of(kind, partition)
        await within(_TARGET_S, lambda: bool(find()))
        pids = find() or self._owner_of("partition", partition)()
        if pids:
            kill_process(self._random.choice(pids))
        await self._look(kind, time.monotonic())

    async def _at(self, phase: Phase) -> None:
        """Kill the owner of a partition as soon as it tells of a phase."""
        names = [spec for spec in self._specs if self._phase(spec) != phase]
        deadline = time.monotonic() + _TARGET_S
        reached: PartitionSpec | None = None
        while reached is None and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_S)
            reached = next((spec for spec in names if self._phase(spec) == phase), None)
        spec = reached or self._random.choice(self._specs)
        kind = "registry" if spec.name == "registry" else "partition"
        for pid in self._owner_of(kind, spec.index)():
            kill_process(pid)
        await self._look(phase if reached else "partition", time.monotonic())

    def _phase(self, spec: PartitionSpec) -> Phase | None:
        report = read_report(spec.directory)
        return None if report is None else report.phase

    def _owner_of(self, kind: str, partition: int) -> Callable[[], list[int]]:
        return lambda: self._installation.targets(kind, partition)

    def _children(self) -> list[int]:
        """Return the children of owners that work for them: forks of their fork servers."""
        found = []
        for index in range(PARTITIONS):
            for owner in self._installation.targets("partition", index):
                found += [pid for pid in family(owner)[2:] if _is_fork(pid)]
        return found

    async def _look(self, what: str, killed_at: float) -> None:
        """Wait until everything can be read, and note what is not as it must be."""
        deadline = time.monotonic() + _BACK_S
        while True:
            try:
                wrong = await self._writers.wrong()
            except (aiohttp.ClientError, TimeoutError):
                wrong = ["it cannot be read"]
            if not wrong or time.monotonic() > deadline:
                break
            await asyncio.sleep(_AGAIN_S)
        self.wrong += [f"after {what}: {each}" for each in wrong[:3]]
        self._report.add(what, back_s=time.monotonic() - killed_at, wrong=len(wrong))


def _is_fork(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


async def torment(directory: Path, kills: int, seed: int) -> Report:
    """Run the whole: start, traffic, replays, kills, stop."""
    report = Report("replay_chaos", "a replay that is killed leaves the old or the new, whole")
    graph = GraphApi([PAGE], app_id=APP_ID, app_secret=SECRETS.app_secret)
    with GraphServer(graph, 0) as server:
        installation = Installation(directory, server.port)
        try:
            await installation.start()
            settings = load({}, file=directory / "airy.yaml")
            await connect_channel(settings, "facebook", PAGE)
            specs = list(machine_spec(settings, read_layout(settings.data)).partitions)
            timeout = aiohttp.ClientTimeout(total=10)
            async with aiohttp.ClientSession(installation.url, timeout=timeout) as http:
                writers = Writers(http, _PEOPLE, _RATE, secret=SECRETS.app_secret)
                replays = Replays(http, specs)
                killer = Killer(installation, specs, writers, report, Random(seed))
                working = [asyncio.create_task(each) for each in (writers.write(), replays.run())]
                with kept_running(working):
                    await asyncio.sleep(_HISTORY_S)
                    await killer.run(kills)
                    done = replays.done
                    await within(_BACK_S, lambda: replays.done > done)
                wrong = await writers.wrong()
            is_clean_stop = await installation.stop()
        finally:
            installation.clean_up()
    _judge(report, killer, replays, wrong, seed)
    report.require("replays that are done after the last kill", replays.done - done, at_least=1)
    report.require("stops in order at the end", is_clean_stop, at_least=1)
    report.facts["messages"] = sum(writers.acknowledged.values())
    return report


def _judge(report: Report, killer: Killer, replays: Replays, wrong: list[str], seed: int) -> None:
    kinds = Counter({what: len(each) for what, each in report.repeats.items()})
    report.require("kills", kinds.total(), at_least=1)
    report.require("conversations that were not whole", len(killer.wrong), at_most=0)
    report.require("that are not whole in the end", len(wrong), at_most=0)
    report.require("replays that failed", len(replays.failed), at_most=0)
    times = [each["back_s"] for kind in report.repeats.values() for each in kind]
    report.facts["all can be read again, median"] = f"{statistics.median(times):.2f} s"
    report.facts["kills"] = dict(kinds)
    report.facts["replays done"] = replays.done
    report.facts["wrong"] = (killer.wrong + wrong + replays.failed)[:5] or "nothing"
    report.facts["seed"] = seed


def main() -> int:
    """Run it as a program; 1 if a requirement is missed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.replay_chaos")
    arguments.add_argument("--kills", type=int, default=100)
    arguments.add_argument("--seed", type=int, default=1)
    asked = arguments.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        report = asyncio.run(torment(directory, asked.kills, asked.seed))
    except BenchmarkError as error:
        console.print(f"failed: {error}; see {directory}", style="red", markup=False)
        return 1
    return finished(report, directory)


if __name__ == "__main__":
    sys.exit(main())
