"""A new generation takes over while 200 webhooks and 50 lists a second come in: nobody notices.

History is processed again, swapped and rolled back, again and again, on a platform that has some;
the longest time that one request takes is held against that of as long without any of it. In the
end every conversation shows all that was acknowledged, once and in order, and subscribers have
heard of each change once.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial

import aiohttp

from airy_ray.cluster.layout import read_layout
from airy_ray.cluster.machine import machine_spec
from airy_ray.partition.spec import PartitionSpec
from airy_ray.replay import run as runs
from benchmarks.listeners import behind, feeds, judged, listening
from benchmarks.measuring import BenchmarkError, Options, Report, main, temporary_directory
from benchmarks.system import PAGE, SETTINGS, Platform, platform
from benchmarks.writers import Answer, Writers

_WEBHOOKS_PER_S = 200
_LISTS_PER_S = 50
_PEOPLE = 100
_HISTORY_S = 20.0
_SUBSCRIBERS = 5
_STALL_MS = 200
_PHASE_S = 120.0
_LOOK_S = 0.02
_BEHIND_S = 30.0
_RESUMING = {**SETTINGS, "realtime": {"resume_events": 1_000_000}}


class Readers:
    """Clients who read the list of conversations."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.answers: list[Answer] = []
        self.failures: Counter[str] = Counter()
        self._http = http

    async def read(self) -> None:
        """Read until it is cancelled, one request beginning after the other whatever they take."""
        next_at = time.monotonic()
        async with asyncio.TaskGroup() as reading:
            while True:
                next_at += 1 / _LISTS_PER_S
                await asyncio.sleep(next_at - time.monotonic())
                reading.create_task(self._list())

    async def _list(self) -> None:
        began = time.monotonic()
        try:
            async with self._http.post("/conversations.list", json={"page_size": 20}) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.failures[f"a list: {type(error).__name__}"] += 1
            return
        if not answer.ok:
            self.failures[f"a list: {answer.status}"] += 1
        self.answers.append(Answer(time.monotonic(), time.monotonic() - began))


class Swapping:
    """Processes history again, and looks how long requests take meanwhile."""

    def __init__(
        self, report: Report, specs: list[PartitionSpec], writers: Writers, readers: Readers
    ) -> None:
        self._report = report
        self._specs = specs
        self._writers = writers
        self._readers = readers

    async def watch(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Keep how long the longest requests took while something is done."""
        began = time.monotonic()
        await work()
        ended = time.monotonic()
        self._report.add(
            what,
            seconds=ended - began,
            webhook_ms=_longest_ms(self._writers.answers, began, ended),
            list_ms=_longest_ms(self._readers.answers, began, ended),
            pause_ms=max(self._pauses(), default=0.0),
        )

    async def until(self, call: Callable[[], Awaitable[None]], phase: str) -> None:
        """Order something, and wait until all partitions have done it."""
        await call()
        deadline = time.monotonic() + _PHASE_S
        while True:
            found = await asyncio.to_thread(runs.status, self._specs)
            assert found is not None
            if found.phase == phase:
                return
            if found.phase == "failed" or time.monotonic() > deadline:
                raise BenchmarkError(f"the replay is {found.phase}, not {phase}")
            await asyncio.sleep(_LOOK_S)

    def _pauses(self) -> list[float]:
        found = runs.status(self._specs)
        return [] if found is None else [each.pause_ms for each in found.reports]


def _longest_ms(answers: list[Answer], began: float, ended: float) -> float:
    """Return how long the longest request took that was under way within some time."""
    return 1_000 * max(
        each.took_s for each in answers if each.at_s >= began and each.at_s - each.took_s <= ended
    )


async def swapped(started: Platform, options: Options, report: Report) -> None:
    """Let requests come in, and history be processed again meanwhile."""
    specs = list(machine_spec(started.settings, read_layout(started.settings.data)).partitions)
    connections = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(started.url, connector=connections, timeout=timeout) as http:
        writers, readers = Writers(http, _PEOPLE, _WEBHOOKS_PER_S), Readers(http)
        with listening(started.url, _SUBSCRIBERS, seed=1) as listeners:
            running = [asyncio.create_task(each) for each in (writers.write(), readers.read())]
            await asyncio.sleep(_HISTORY_S)
            swapping = Swapping(report, specs, writers, readers)

            async def order(path: str) -> None:
                async with http.post(path, json={}) as answer:
                    if not answer.ok:
                        raise BenchmarkError(f"{path}: {answer.status} {await answer.text()}")

            for _ in range(options.repeats):
                await swapping.watch("without", partial(asyncio.sleep, options.seconds))
                for path, phase, what in (
                    ("/replay.start", "ready", "while history is folded"),
                    ("/replay.swap", "swapped", "swap"),
                    ("/replay.rollback", "rolled back", "roll back"),
                ):
                    call = partial(order, path)
                    await swapping.watch(what, partial(swapping.until, call, phase))
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await asyncio.to_thread(started.wait_until_projected)
            late = await behind(listeners, started.settings.data, within_s=_BEHIND_S)
            verdict = judged(listeners, feeds(started.settings.data))
        wrong = await writers.wrong()
    failures = writers.failures + readers.failures
    report.facts["failures"] = dict(failures) or "none"
    report.facts["messages"] = sum(writers.acknowledged.values())
    report.facts["wrong"] = wrong[:5] or "nothing"
    report.facts["heard"] = asdict(verdict)
    report.require("requests that failed", failures.total(), at_most=0)
    report.require("conversations that are not as they must be", len(wrong), at_most=0)
    report.require("subscribers who do not know all", len(late), at_most=0)
    amiss = verdict.missing + verdict.doubled + verdict.foreign + verdict.out_of_order
    report.require("events missed, doubled or in disorder", amiss, at_most=0)


def run(options: Options) -> int:
    """Start a platform, and have its history processed again under traffic."""
    report = Report("swap", "a new generation takes over and nobody notices")
    with temporary_directory() as directory, platform(directory, _RESUMING) as started:
        started.connect("facebook", PAGE)
        asyncio.run(swapped(started, options, report))
    for what in ("swap", "roll back"):
        for name, number in (
            ("a webhook's 200", "webhook_ms"),
            ("a list", "list_ms"),
            ("the owner, by its word", "pause_ms"),
        ):
            longest = max(report.values(what, number))
            report.require(f"longest stall, {what}: {name}", longest, "ms", at_most=_STALL_MS)
    for number in ("webhook_ms", "list_ms"):
        report.facts[f"longest {number} without a swap"] = max(report.values("without", number))
    return report.finish()


if __name__ == "__main__":
    main(run, __doc__, seconds=10, repeats=3)
