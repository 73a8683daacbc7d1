"""Webhooks whose endpoints fail, hang and are killed, and what is to be said of them in the end.

1. Each hears of one source's messages. Two are never well (`receivers`).
2. Their process is killed and started again all the while.
3. What failed twice would wait for minutes: somebody has it told again (`webhooks.replay`).
4. In the end what each of the others took is compared with the change feeds.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

from airy_ray.clock import Millis
from airy_ray.cluster.layout import read_layout
from airy_ray.model.ids import format_id
from airy_ray.publishing.events import event_id, events_of
from airy_ray.serve.ports import free_port
from airy_ray.simulator.inbox import ApiError, Inbox
from benchmarks.measuring import BenchmarkError
from benchmarks.receivers import NEVER_WELL, Taken, taken_in
from benchmarks.store import stored_changes
from benchmarks.system import answers_on, wait_until

_KIND = "message.created"
_SOURCES = ("facebook", "google", "chatplugin")
_LIVES_S_MAX = 6.0
_DOWN_S_MAX = 2.0
_READY_S = 30.0
_LOOK_S = 3.0


class Happened(NamedTuple):
    """A message that came in, as the change feed has it; `place` orders those of a conversation."""

    source: str
    conversation: str
    message: str
    place: int


Feed = Mapping[str, Happened]
"""What happened, by the id that its event has."""


@dataclass
class Verdict:
    """How what was taken differs from the feeds, over all endpoints that can be well.

    Attributes:
        repeated: calls with what was taken already, under the same id.
        missing: what was never taken.
        foreign: what never happened, or not so, or not for this endpoint.
        renamed: messages that came under a second id.
        out_of_order: what was first taken after something later of its conversation.
    """

    taken: int = 0
    repeated: int = 0
    missing: int = 0
    foreign: int = 0
    renamed: int = 0
    out_of_order: int = 0


def judged(taken: Iterable[Taken], sources: Mapping[str, str], feed: Feed) -> Verdict:
    """Compare what endpoints took, in order, with what happened at the source that each hears."""
    by_endpoint: dict[str, list[Taken]] = {endpoint: [] for endpoint in sources}
    for each in taken:
        by_endpoint[each.endpoint].append(each)
    verdict = Verdict()
    for endpoint, source in sources.items():
        wanted = {name: each for name, each in feed.items() if each.source == source}
        _judge(verdict, by_endpoint[endpoint], wanted)
    return verdict


def _judge(verdict: Verdict, taken: list[Taken], wanted: Feed) -> None:
    first: dict[str, Taken] = {}
    for each in taken:
        first.setdefault(each.event_id, each)
    verdict.taken += len(taken)
    verdict.repeated += len(taken) - len(first)
    verdict.missing += len(wanted.keys() - first.keys())
    names = Counter(message for _, message in {(each.event_id, each.message) for each in taken})
    verdict.renamed += sum(count - 1 for count in names.values())
    places: dict[str, list[int]] = defaultdict(list)
    for name, each in first.items():
        real = wanted.get(name)
        if real is None or (real.conversation, real.message) != (each.conversation, each.message):
            verdict.foreign += 1
        else:
            places[each.conversation].append(real.place)
    verdict.out_of_order += sum(
        later < sooner for told in places.values() for sooner, later in pairwise(told)
    )


class Endpoints:
    """All endpoints, as who torments them has them.

    Attributes:
        restarts: how often their process was killed and started again.
    """

    def __init__(self, directory: Path, count: int, seed: int) -> None:
        names = [*NEVER_WELL, *(f"well-{number}" for number in range(count))][:count]
        self.restarts = 0
        self._sources = dict(zip(names, islice(cycle(_SOURCES), count), strict=True))
        self._hooks: dict[str, str] = {}
        self._random = Random(seed)
        self._journal = directory / "endpoints.jsonl"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    async def subscribe(self, inbox: Inbox) -> None:
        """Have all called with what happens, from the beginning on."""
        for name, source in self._sources.items():
            asked = {
                "url": f"http://127.0.0.1:{self._port}/{name}",
                "events": [_KIND],
                "filter": f"source:{source}",
                "start": "beginning",
            }
            told = await inbox.call("/webhooks.subscribe", asked, key=f"endpoint {name}")
            self._hooks[name] = told["id"]

    async def torment(self, inbox: Inbox) -> None:
        """Kill the process and start it again, until cancelled."""
        while self._hooks:
            await asyncio.sleep(self._random.uniform(0, _LIVES_S_MAX))
            self._kill()
            await asyncio.sleep(self._random.uniform(0, _DOWN_S_MAX))
            self._start(is_well=False)
            self.restarts += 1
            with contextlib.suppress(ApiError):
                await self._tell_again(inbox, self._random.choice(list(self._hooks)))

    async def verdict(self, inbox: Inbox, data: Path, *, within_s: float) -> Verdict:
        """Let all be well from now on; return the verdict once nothing is missing, or late."""
        if not self._hooks:
            return Verdict()
        self._kill()
        self._start(is_well=True)
        await asyncio.to_thread(self._wait_until_ready)
        deadline = time.monotonic() + within_s
        while True:
            taken = [each for each in taken_in(self._journal) if each.endpoint in self._well]
            verdict = judged(taken, self._well, happened(data))
            if not verdict.missing or time.monotonic() > deadline:
                return verdict
            for name in self._well:
                await self._tell_again(inbox, name)
            await asyncio.sleep(_LOOK_S)

    def start(self) -> None:
        """Start the process.

        Raises:
            BenchmarkError: it does not get ready.
        """
        self._start(is_well=False)
        self._wait_until_ready()

    def close(self) -> None:
        """Stop the process for good."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def _well(self) -> dict[str, str]:
        """What those hear that can be well."""
        return {name: at for name, at in self._sources.items() if name not in NEVER_WELL}

    async def _tell_again(self, inbox: Inbox, name: str) -> None:
        """Have what fails told again at once."""
        asked = {"id": self._hooks[name], "failed_since": "1970-01-01T00:00:00Z"}
        await inbox.call("/webhooks.replay", asked)

    def _start(self, *, is_well: bool) -> None:
        seed = "" if is_well else str(self._random.random())
        command = [sys.executable, "-m", "benchmarks.receivers"]
        self._process = subprocess.Popen([*command, str(self._port), self._journal, seed])

    def _kill(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            raise BenchmarkError(f"the endpoints ended with {self._process.returncode}")
        self.close()

    def _wait_until_ready(self) -> None:
        wait_until(
            lambda: answers_on(self._port),
            "the endpoints",
            timeout_s=_READY_S,
            process=self._process,
        )


@contextlib.contextmanager
def endpoints(directory: Path, count: int, seed: int) -> Iterator[Endpoints]:
    """Have so many endpoints until the block ends."""
    found = Endpoints(directory, count, seed)
    try:
        if count:
            found.start()
        yield found
    finally:
        found.close()


def happened(data: Path) -> Feed:
    """Return all messages that came in, from the stores."""
    lineage, feed = read_layout(data).lineage, {}
    for partition, changes in stored_changes(data).items():
        for sequence, change in changes:
            for event in events_of(partition, sequence, change, Millis(0)):
                if event.kind == _KIND:
                    source = _decode(change.event).payload.message.source
                    conversation, message = format_id(event.lane), format_id(event.subject)
                    at = Happened(source, conversation, message, sequence)
                    feed[event_id(lineage, event)] = at
    return feed


class _Message(msgspec.Struct):
    source: str


class _Payload(msgspec.Struct):
    message: _Message


class _Event(msgspec.Struct):
    payload: _Payload


_decode = msgspec.json.Decoder(_Event).decode
