"""Nothing acknowledged is lost, whatever is killed: SIGKILL at random while traffic flows.

1. `airy-ray up` runs on a data directory of its own (`installation`); the simulator sends it
   traffic and marks conversations as read.
2. Partition owners, the registry's among them, replicas and their writers, the process that sends
   messages and calls webhooks, the supervisor, Ray Serve's controller, HAProxy and its manager,
   Ray's servers, `up` or everything are killed, also while something is still on its way back. What
   ends with `up` is started by the same command, as systemd would do it; nothing else is done by
   hand.
3. A partition has recovered when a message that was sent after the kill can be read. How long the
   platform acknowledges nothing meanwhile is measured too.
4. In the end every acknowledged message is there exactly once, in order, and all unread counts are
   right: told by the simulator's oracle.
5. Subscribers on WebSockets are cut off, stop reading and resume all the while (`listeners`); in
   the end each has heard every change of every partition once and in order.
6. Webhooks fail, hang and are restarted all the while (`endpoints`); in the end each has taken what
   it is to hear of at least once, in order within a conversation, under one id.
"""

import argparse
import asyncio
import contextlib
import signal
import statistics
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from random import Random

import uvloop

from airy_ray.clock import Millis, now_millis
from airy_ray.model.ids import channel_id, conversation_id, format_id, owner_of
from airy_ray.simulator import messenger
from airy_ray.simulator.graph_api import GraphApi, GraphServer
from airy_ray.simulator.http import HttpClient
from airy_ray.simulator.inbox import ApiError, Inbox
from airy_ray.simulator.moments import Moment
from airy_ray.simulator.oracle import KINDS_OF_WRONG, Verdict
from airy_ray.simulator.postman import Postman
from airy_ray.simulator.retries import Ack, Retries
from airy_ray.simulator.simulation import Simulation, Target
from airy_ray.simulator.story import Delivery, Thread
from airy_ray.simulator.traffic import Cast, Shape, Traffic, cast
from benchmarks.endpoints import Endpoints, endpoints
from benchmarks.endpoints import Verdict as Calls
from benchmarks.installation import (
    APP_ID,
    COMMANDS,
    PARTITIONS,
    SECRETS,
    Installation,
    kill_process,
    within,
)
from benchmarks.listeners import Listener, behind, feeds, judged, listening
from benchmarks.measuring import BenchmarkError, Report, console
from benchmarks.system import finished

SHARES = {
    "partition": 28,
    "registry": 9,
    "webhooks": 8,
    "delivering": 6,
    "api": 8,
    "realtime": 8,
    "writer": 8,
    "supervisor": 7,
    "controller": 4,
    "haproxy": 5,
    "proxy": 3,
    "up": 2,
    "ray": 2,
    "everything": 2,
}
"""What is killed, in per cent of the kills."""

_STARTED_AGAIN = {"up", "ray", "everything"}
"""After these kills nobody is left to start something: whoever started `up` does it again."""

_CONNECTIONS = 256
_RECOVERED_S = 300.0
"""By then a part that was killed has to be back; if it is not, the run has failed."""
_LOOK_S = 0.03
_BACK_WAITED_FOR = 0.6
"""How often the next kill waits until everything is back."""
_PAUSE_S_MAX = 1.5
_GAP_WITHIN_S = 15.0
_READS_PER_S = 3.0
_VERIFIED_S = 60.0


@dataclass
class Kill:
    """One kill and what came of it.

    Attributes:
        at_s: when, by the monotonic clock.
        is_alone: whether everything else was back by then.
        recovery_s: until a message sent afterwards could be read, by the registry a command was
            carried out, and what was killed was there again; None if that never came.
    """

    kind: str
    partition: int
    at_s: float
    is_alone: bool
    recovery_s: float | None = None


class Prober:
    """Sends a message to a partition and waits until it can be read."""

    def __init__(self, http: HttpClient, simulation: Simulation, seed: int) -> None:
        retries = Retries(Random(seed), give_up_s=_RECOVERED_S, first_s=0.05, longest_s=0.2)
        self._inbox = Inbox(http, retries, token=None)
        self._postman = Postman(
            http,
            retries,
            simulation.oracle,
            simulation.gates,
            simulation.hooks,
        )
        self._named = simulation.named
        self._random = Random(seed)
        self._keys = count()

    async def message(self, partition: int) -> bool:
        """Send a message; return whether it could be read before it was too late."""
        thread, conversation = _home(self._named, partition)
        key = f"p_{self._named.run}{next(self._keys):06}"
        at = Millis(now_millis() - 60_000)
        item = messenger.text(Moment(self._random, thread, key, at, APP_ID, ()))
        assert item.written is not None
        body = messenger.body([item])
        delivery = Delivery(messenger.SOURCE, 0, body, (thread,), (item.written,))
        if not await self._postman.deliver(delivery):
            return False
        deadline = time.monotonic() + _RECOVERED_S
        while not await self._can_be_read(key, conversation):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    async def _can_be_read(self, key: str, conversation: str) -> bool:
        with contextlib.suppress(ApiError):  # the conversation may not be there yet
            newest = await self._inbox.newest_messages(conversation)
            return any(message.key == key for message in newest)
        return False

    async def rename(self, partition: int) -> bool:
        """Have the registry carry out a command; return whether it did before it was too late."""
        page = self._named.pages[0]
        channel = format_id(channel_id(messenger.SOURCE, page))
        asked = {"channel_id": channel, "name": f"Renamed {next(self._keys)}"}
        try:
            told = await self._inbox.call("/channels.update", asked)
        except ApiError:
            return False
        return bool(told["metadata"]["name"] == asked["name"])


class Chaos:
    """Kills, and waits for what comes back."""

    def __init__(self, installation: Installation, prober: Prober, random: Random) -> None:
        self.kills: list[Kill] = []
        self.broken: list[str] = []
        """What did not come back by itself."""
        self.longest_pause_s = 0.0
        """How long this process itself stood still at most: as long may any figure be too long."""
        self._installation = installation
        self._prober = prober
        self._random = random
        self._recovering: set[asyncio.Task[None]] = set()

    async def run(self, kinds: list[str]) -> None:
        """Kill one after the other; return when everything is back."""
        pulse = asyncio.create_task(self._feel_pauses())
        for kind in kinds:
            await self._pause()
            await self._strike(kind)
            if self.broken:
                break
        await self._all_back()
        pulse.cancel()

    async def _feel_pauses(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(_LOOK_S)
            self.longest_pause_s = max(self.longest_pause_s, time.monotonic() - before - _LOOK_S)

    async def _pause(self) -> None:
        if self._random.random() < _BACK_WAITED_FOR:
            await self._all_back()
        await asyncio.sleep(self._random.uniform(0, _PAUSE_S_MAX))

    async def _all_back(self) -> None:
        while self._recovering:
            await asyncio.wait(self._recovering)

    async def _strike(self, kind: str) -> None:
        partition = self._random.randrange(PARTITIONS)
        kill = Kill(kind, partition, 0, is_alone=not self._recovering)
        pids: list[int] = []
        if kind in _STARTED_AGAIN:
            await self._all_back()  # a start that is not done yet would be another one's loss
        if kind in ("up", "everything"):
            kill.at_s = time.monotonic()
            if kind == "up":
                self._installation.kill_up()
            else:
                self._installation.kill_everything()
        else:
            pids = await self._targets(kind, partition)
            if kind == "ray" and pids:
                pids = [self._random.choice(pids)]  # its GCS or its raylet
            kill.at_s = time.monotonic()
            for pid in pids:
                kill_process(pid)
        self.kills.append(kill)
        task = asyncio.create_task(self._recover(kill, set(pids)))
        self._recovering.add(task)
        task.add_done_callback(self._recovering.discard)

    async def _targets(self, kind: str, partition: int) -> list[int]:
        def are_there() -> bool:
            return bool(self._installation.targets(kind, partition))

        if not await within(_RECOVERED_S, are_there):
            self.broken.append(f"{kind} has not come back within {_RECOVERED_S:g} s")
        return self._installation.targets(kind, partition)

    async def _recover(self, kill: Kill, killed: set[int]) -> None:
        try:
            if kill.kind in _STARTED_AGAIN:
                await self._installation.start_again()
        except BenchmarkError as error:
            self.broken.append(str(error))
            return
        probe = self._prober.rename if kill.kind == "registry" else self._prober.message
        is_back = await probe(kill.partition)
        if kill.kind in COMMANDS:
            is_back = is_back and await self._is_replaced(kill.kind, killed)
        what = f"{kill.kind} {kill.partition}"
        if is_back:
            kill.recovery_s = time.monotonic() - kill.at_s
            console.print(f"  {what}: back after {kill.recovery_s:.2f} s", style="dim")
        else:
            self.broken.append(f"{what}: not back within {_RECOVERED_S:g} s")

    async def _is_replaced(self, kind: str, killed: set[int]) -> bool:
        return await within(
            _RECOVERED_S, lambda: not killed.issuperset(self._installation.targets(kind, 0))
        )


async def torment(
    directory: Path, kills: int, seed: int, rate: float, *, subscribers: int, endpoint_count: int
) -> Report:
    """Run the whole: start, traffic, kills, verification, stop."""
    report = Report("chaos", "nothing acknowledged is lost, doubled or out of order under SIGKILL")
    began_at = now_millis()
    named = cast(seed, began_at, pages=2, app_id=APP_ID)
    graph = GraphApi(named.pages, app_id=APP_ID, app_secret=SECRETS.app_secret)
    with GraphServer(graph, 0) as server:
        installation = Installation(directory, server.port)
        try:
            await installation.start()
            target = Target(installation.url, SECRETS)
            async with HttpClient(target.url, connections=_CONNECTIONS) as http:
                simulation = Simulation(http, target, named, seed=seed, give_up_s=600)
                shape = Shape(rate, None)
                traffic = Traffic(shape, named, seed=seed, began_at=began_at)
                chaos = Chaos(installation, Prober(http, simulation, seed), Random(seed))
                with (
                    listening(installation.url, subscribers, seed) as listeners,
                    endpoints(directory, endpoint_count, seed) as called,
                ):
                    verdict = await _under_traffic(
                        simulation, traffic, chaos, _deck(kills, seed), called
                    )
                    late = await behind(listeners, installation.data, within_s=_VERIFIED_S)
                    standings = [each.standing() for each in late]
                    stored = feeds(installation.data)
                    calls = await called.verdict(
                        simulation.inbox, installation.data, within_s=_VERIFIED_S
                    )
            is_clean_stop = await installation.stop()
        finally:
            installation.clean_up()
    _judge(report, simulation, chaos, verdict)
    if subscribers:
        report.require("subscribers who do not know all in the end", len(late), at_most=0)
        report.facts["how those stand"] = standings
        _judge_listeners(report, listeners, stored)
    if endpoint_count:
        _judge_endpoints(report, calls, endpoint_count, called.restarts)
    report.require("stops in order at the end", is_clean_stop, at_least=1)
    report.facts["seed, run"] = f"{seed}, {named.run}"
    report.facts["starts"] = f"{installation.starts}, and {installation.failed_starts} that failed"
    return report


async def _under_traffic(
    simulation: Simulation, traffic: Traffic, chaos: Chaos, kinds: list[str], called: Endpoints
) -> Verdict:
    await simulation.connect()
    await called.subscribe(simulation.inbox)
    sending = asyncio.create_task(simulation.send(traffic.planned()))
    reading = asyncio.create_task(simulation.read_along(reads_per_s=_READS_PER_S))
    tormenting = asyncio.create_task(called.torment(simulation.inbox))
    await chaos.run(kinds)
    sending.cancel()
    simulation.stop_reading()
    tormenting.cancel()
    for task in (sending, tormenting):
        with contextlib.suppress(asyncio.CancelledError):
            await task
    if chaos.broken:
        raise BenchmarkError("; ".join(chaos.broken))
    await simulation.settle()
    await reading
    return await simulation.verify(within_s=_VERIFIED_S)


def _judge(report: Report, simulation: Simulation, chaos: Chaos, verdict: Verdict) -> None:
    acks = sorted(simulation.webhooks.answers.acks)
    gaps = dict(zip(map(id, chaos.kills), _gaps(acks, chaos.kills), strict=True))
    by_kind: dict[str, list[Kill]] = defaultdict(list)
    for kill in chaos.kills:
        by_kind[kill.kind].append(kill)
        numbers = {"recovery_s": kill.recovery_s or float("inf"), "at_s": kill.at_s}
        report.add(kill.kind, **numbers, gap_s=gaps[id(kill)], is_alone=kill.is_alone)
    owners = [*by_kind["partition"], *by_kind["registry"]]
    report.require("kills", len(chaos.kills), at_least=1)
    for kind in KINDS_OF_WRONG:
        report.require(f"acknowledged, but {kind}", verdict.wrong[kind], at_most=0)
    recoveries = [kill.recovery_s or float("inf") for kill in owners]
    report.require("recovery of a partition, median", statistics.median(recoveries), "s", at_most=5)
    waits = [gaps[id(kill)] for kill in owners if kill.is_alone]
    report.require(
        "longest gap between acks when an owner dies, median",
        statistics.median(waits or [float("inf")]),
        "s",
        at_most=1,
    )
    for kind, kills in by_kind.items():
        report.facts[kind] = _told(kills, [gaps[id(kill)] for kill in kills if kill.is_alone])
    report.facts["messages"] = (
        f"{verdict.sent} sent, {verdict.acknowledged} acknowledged, {verdict.found} found"
    )
    report.facts["webhook attempts by status (0: no answer)"] = dict(
        simulation.webhooks.answers.by_status
    )
    report.facts["longest pause of this process"] = f"{chaos.longest_pause_s:.2f} s"
    report.facts["wrong"] = verdict.examples


def _judge_listeners(
    report: Report, listeners: list[Listener], stored: dict[str, list[int]]
) -> None:
    verdict = judged(listeners, stored)
    accounts = [each.account for each in listeners]
    report.require("events that subscribers missed", verdict.missing, at_most=0)
    report.require("events that came twice", verdict.doubled, at_most=0)
    report.require("events that never happened", verdict.foreign, at_most=0)
    report.require("events out of order", verdict.out_of_order, at_most=0)
    reloads = sum(each.reloads for each in accounts)
    report.require("told that what was missed is gone", reloads, at_most=0)
    report.facts["subscribers"] = (
        f"{len(accounts)}, {verdict.heard} events heard of {sum(map(len, stored.values()))}; "
        f"{sum(each.connections for each in accounts)} connections, "
        f"{sum(each.cuts for each in accounts)} cut off, "
        f"{sum(each.stalls for each in accounts)} stopped reading, "
        f"{sum(each.stalls_closed for each in accounts)} of these until they were closed"
    )
    reasons = Counter(reason for each in accounts for reason in each.refusals)
    report.facts["what subscribers were told when they were let go"] = dict(reasons)


def _judge_endpoints(report: Report, calls: Calls, count: int, restarts: int) -> None:
    report.require("calls that webhooks took", calls.taken)
    report.require("of these again, under the same webhook-id", calls.repeated)
    report.require("events that webhooks missed", calls.missing, at_most=0)
    report.require("calls with what never happened", calls.foreign, at_most=0)
    report.require("messages that came under a second webhook-id", calls.renamed, at_most=0)
    report.require("calls out of order", calls.out_of_order, at_most=0)
    report.facts["webhooks"] = f"{count}, restarted {restarts} times; two of them are never well"


def _told(kills: list[Kill], gaps: list[float]) -> str:
    recoveries = sorted(kill.recovery_s or float("inf") for kill in kills)
    told = f"{len(kills)} kills; recovery median {statistics.median(recoveries):.2f} s"
    told += f", longest {recoveries[-1]:.2f} s"
    if gaps:
        told += f"; ack gap median {statistics.median(gaps):.2f} s, longest {max(gaps):.2f} s"
    return told


def _gaps(acks: list[Ack], kills: list[Kill]) -> Iterator[float]:
    """Yield, for each kill, the longest time without an ack until the next kill, or for a while."""
    times = [ack.at_s for ack in acks]
    following = [kill.at_s for kill in kills[1:]] + [float("inf")]
    for kill, until_s in zip(kills, following, strict=True):
        end_s = min(until_s, kill.at_s + max(_GAP_WITHIN_S, kill.recovery_s or 0), times[-1])
        within = times[bisect_left(times, kill.at_s) : bisect_right(times, end_s)]
        moments = [kill.at_s, *within, end_s]
        yield max(later - sooner for sooner, later in pairwise(moments))


def _deck(kills: int, seed: int) -> list[str]:
    """Return what is killed, each kind at least once, in the order that the seed gives."""
    total = sum(SHARES.values())
    deck = [kind for kind, share in SHARES.items() for _ in range(max(1, kills * share // total))]
    deck += ["partition"] * (kills - len(deck))
    Random(seed).shuffle(deck)
    return deck


def _home(named: Cast, partition: int) -> tuple[Thread, str]:
    """Return a conversation that lives in a partition, and its id in the API."""
    page = named.pages[0]
    channel = channel_id(messenger.SOURCE, page)
    for contact in count(1):
        identifier = conversation_id(channel, f"99{contact}")
        if owner_of(identifier, PARTITIONS) == partition:
            return Thread(messenger.SOURCE, page, f"99{contact}"), format_id(identifier)
    raise AssertionError("there is no end to contacts")


def main() -> int:
    """Run it as a program; 1 if a requirement is missed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    arguments.add_argument("--kills", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--rate", type=float, default=60, help="requests a second")
    arguments.add_argument("--subscribers", type=int, default=50)
    arguments.add_argument("--endpoints", type=int, default=0, help="of webhooks, such as 20")
    asked = arguments.parse_args()
    console.print(f"seed {asked.seed}, {asked.kills} kills", highlight=False)
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        report = uvloop.run(
            torment(
                directory,
                asked.kills,
                asked.seed,
                asked.rate,
                subscribers=asked.subscribers,
                endpoint_count=asked.endpoints,
            )
        )
    except (ApiError, BenchmarkError) as error:
        console.print(f"failed: {error}; see {directory}", style="red", markup=False)
        return 1
    return finished(report, directory)


if __name__ == "__main__":
    sys.exit(main())
