"""Events go to many subscribers at twice RabbitMQ's rate, and an idle one takes 30 kB.

500 bytes to 50, 200 and 1,000 subscribers of one destination, at most 32 messages on their way,
beside RabbitMQ's web-STOMP with the same clients. What the clients take in from a server that does
no work is measured first, for server and clients share the machine. What a delivery costs counts
all processes of a server, on our side those that take the messages in, too.
"""

import asyncio
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

import uvloop

from airy_ray.serve.ports import free_port
from benchmarks.doors import EVENT_BYTES, door, sent, written
from benchmarks.measuring import (
    ROOT,
    Options,
    Report,
    cpu_s,
    family,
    main,
    pss_mib,
    temporary_directory,
)
from benchmarks.peers.rabbitmq import rabbitmq, version
from benchmarks.subscribers import Door, Publish, Tally, crowd
from benchmarks.system import ANY_RATE, Platform, answers_on, platform, running, wait_until
from benchmarks.timing import Publishing

_SUBSCRIBERS = (50, 200, 1_000)
_JUDGED = (200, 1_000)
_IDLE = 1_000
_WINDOW = 32
_TOGETHER = 16
_FRAMES_PER_WRITE = (1, 8)
_SETTLE_S = 3.0
_WARM_S = 0.5
_DRAIN_S = 60.0
_START_S = 30.0
_RATE_MIN = 2.0
_IDLE_KB_MAX = 30


@dataclass(frozen=True)
class Server:
    """What is measured.

    Attributes:
        name: in the report.
        door: where its subscribers come in.
        publishing: how messages get to them.
        groups: its processes' ids by what they do; `all` of them are one of the groups.
    """

    name: str
    door: Door
    publishing: Publishing
    groups: dict[str, list[int]]


def run(options: Options) -> int:
    """Measure clients alone, RabbitMQ and the platform, in turn."""
    report = Report("fanout", f"{EVENT_BYTES} bytes to many subscribers, beside RabbitMQ's")
    report.facts["peer"] = version()
    for _ in range(options.repeats):
        _measure_clients(report, options.seconds)
        with rabbitmq() as node:
            groups = {"all": family(node.pid)}
            theirs = Server("RabbitMQ", node.door, lambda: sent(node.door), groups)
            uvloop.run(_measure(report, theirs, options.seconds))
        with temporary_directory() as directory, platform(directory, ANY_RATE) as ours:
            uvloop.run(_measure(report, _server(ours), options.seconds))
    _judge(report)
    return report.finish()


def _server(ours: Platform) -> Server:
    groups = {"all": family(ours.process.pid)}
    groups["realtime"] = ours.processes("ServeReplica:realtime")
    groups["haproxy"] = ours.processes("bin/haproxy")
    return Server("ours", door(ours), lambda: written(ours), groups)


def _judge(report: Report) -> None:
    for count in _JUDGED:
        ratio = report.ratio(_to("ours", count), _to("RabbitMQ", count), "deliveries_per_s")
        report.require(f"deliveries/s to {count:,}, of RabbitMQ's", ratio, at_least=_RATE_MIN)
    for count in _SUBSCRIBERS:
        ratio = report.ratio(_to("ours", count), _to("RabbitMQ", count), "us_all")
        report.require(f"CPU of a delivery to {count:,}, of RabbitMQ's", ratio)
    grown = report.median("ours, an idle subscriber", "realtime_kb")
    report.require("memory of an idle subscriber, Realtime", grown, "kB", at_most=_IDLE_KB_MAX)
    grown = report.median("ours, an idle subscriber", "haproxy_kb")
    report.require("memory of an idle subscriber, HAProxy", grown, "kB")
    lost = sum(
        sum(report.values(_to(name, count), "lost"))
        for name in ("ours", "RabbitMQ")
        for count in _SUBSCRIBERS
    )
    report.require("deliveries lost", lost, at_most=0)


def _to(name: str, count: int) -> str:
    return f"{name}, to {count:,}"


# --- clients alone --------------------------------------------------------------------------------


def _measure_clients(report: Report, seconds: float) -> None:
    """Measure what clients take in from a server that does no work."""
    for count in _SUBSCRIBERS:
        for frames in _FRAMES_PER_WRITE:
            port = free_port()
            command = [sys.executable, "-m", "benchmarks.peers.plain_sender"]
            command += [str(port), str(count), str(frames)]
            with running(command, cwd=ROOT) as process:
                wait_until(
                    lambda at=port: answers_on(at),  # type: ignore[misc]
                    "the plain sender",
                    timeout_s=_START_S,
                    process=process,
                )
                to = Door(f"ws://127.0.0.1:{port}", "/events")
                taken = uvloop.run(_take_in(to, count, seconds))
            what = "frame" if frames == 1 else "frames"
            report.add(f"clients alone, {count:,}, {frames} {what} a write", **taken)


async def _take_in(to: Door, count: int, seconds: float) -> dict[str, float]:
    tally = Tally()
    async with crowd(to, count, tally):
        return await _watch(tally, {}, seconds)


# --- a server -------------------------------------------------------------------------------------


async def _measure(report: Report, server: Server, seconds: float) -> None:
    report.add(f"{server.name}, an idle subscriber", **await _idle(server))
    async with server.publishing() as publish:
        for count in _SUBSCRIBERS:
            told = await _fan_out(server, publish, count, seconds)
            report.add(_to(server.name, count), **told)


async def _idle(server: Server) -> dict[str, float]:
    """Return by how much processes grow for each subscriber, in kB."""
    async with crowd(server.door, _IDLE // 10, Tally()):
        pass  # what is made once is made
    await asyncio.sleep(_SETTLE_S)
    before = _memory_kb(server)
    async with crowd(server.door, _IDLE, Tally()):
        await asyncio.sleep(_SETTLE_S)
        after = _memory_kb(server)
    return {f"{group}_kb": (after[group] - before[group]) / _IDLE for group in before}


def _memory_kb(server: Server) -> dict[str, float]:
    return {group: sum(map(pss_mib, pids)) * 1_024 for group, pids in server.groups.items()}


async def _fan_out(
    server: Server, publish: Publish, count: int, seconds: float
) -> dict[str, float]:
    """Return the rate of deliveries while as much is on its way as may be, and what each costs."""
    tally = Tally()
    async with crowd(server.door, count, tally) as those:
        stopping = asyncio.Event()
        publishing = asyncio.create_task(_keep_full(publish, tally, count, stopping))
        try:
            watched = await _watch(tally, server.groups, seconds)
        finally:
            stopping.set()
            published = await publishing
        with suppress(TimeoutError):  # then some are lost
            await tally.reach(published * count, timeout_s=_DRAIN_S)
        return {**watched, "lost": published * count - tally.delivered, "closed": len(those.ended)}


async def _keep_full(publish: Publish, tally: Tally, count: int, stopping: asyncio.Event) -> int:
    """Publish as soon as fewer than `_WINDOW` messages are on their way; return how many."""
    published = 0
    while not stopping.is_set():
        await tally.reach((published + _TOGETHER - _WINDOW) * count, timeout_s=_DRAIN_S)
        await publish(range(published, published + _TOGETHER))
        published += _TOGETHER
    return published


async def _watch(tally: Tally, groups: dict[str, list[int]], seconds: float) -> dict[str, float]:
    """Return what is delivered in a second, and the processor time of a delivery by group."""
    await asyncio.sleep(_WARM_S)
    delivered, began, busy = tally.delivered, time.perf_counter(), time.process_time()
    used = {group: sum(map(cpu_s, pids)) for group, pids in groups.items()}
    await asyncio.sleep(seconds)
    took_s, delivered = time.perf_counter() - began, tally.delivered - delivered
    busy = time.process_time() - busy
    cost = {
        f"us_{group}": (sum(map(cpu_s, pids)) - used[group]) * 1e6 / max(1, delivered)
        for group, pids in groups.items()
    }
    return {"deliveries_per_s": delivered / took_s, "client_cores": busy / took_s, **cost}


if __name__ == "__main__":
    main(run, __doc__, seconds=5, repeats=3)
