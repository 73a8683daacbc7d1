"""10,000 idle connections are held on one machine, and hostile ones don't disturb the others.

Idle ones beat their hearts as stompjs does, for `--seconds`; then one message reaches all. HAProxy
wants two and a half open files for each: those beyond what the machine allows it come to Realtime
itself. Then, `--repeats` times in turn: how late messages come to subscribers who are alone, and to
subscribers beside each kind of hostile clients.
"""

import asyncio
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial

import uvloop

from airy_ray.cluster.layout import run_directory
from benchmarks.doors import door, received
from benchmarks.hostile import KINDS
from benchmarks.measuring import (
    ROOT,
    BenchmarkError,
    Options,
    Report,
    cpu_s,
    family,
    main,
    pss_mib,
    raise_open_files,
    temporary_directory,
)
from benchmarks.subscribers import Crowd, Door, Tally, crowd
from benchmarks.system import ANY_RATE, PAGE, Platform, platform, running
from benchmarks.timing import Timing, timing

_IDLE = 10_000
_BEATS_MS = 10_000
_BEAT_EVERY_S = 25.0
"""The server asks for 30 s."""
_SETTLE_S = 5.0
_HEAR_S = 60.0
_OTHERS = 50
_RATE = 100
_TIMED_S = 8.0
_RATIO_MAX = 1.5
_BACKEND = re.compile(r"(?ms)^backend http-realtime$.*?^ *server \S+ 127.0.0.1:(\d+)")


def run(options: Options) -> int:
    """Hold idle connections, then meet hostile ones."""
    raise_open_files()
    report = Report("connections", "10,000 idle connections, and hostile ones")
    with temporary_directory() as directory, platform(directory, ANY_RATE) as ours:
        ours.connect("facebook", PAGE)
        uvloop.run(_hold(report, ours, options.seconds))
    with temporary_directory() as directory, platform(directory) as ours:
        ours.connect("facebook", PAGE)
        with timing(door(ours), partial(received, ours.url)) as timed:
            for _ in range(options.repeats):
                for kind in KINDS:
                    _meet(report, ours, timed, kind)
    _judge(report)
    return report.finish()


def _judge(report: Report) -> None:
    held = report.median("idle", "hear_after")
    report.require("idle connections that hear a message after all", held, at_least=_IDLE)
    for what in ("realtime", "haproxy"):
        report.require(f"{what}, for each", report.median("idle", f"{what}_kb"), "kB")
        report.require(f"{what}, CPU", report.median("idle", f"{what}_cores"), "cores")
    for kind in KINDS:
        ratio = report.ratio(f"beside {kind}", f"before {kind}", "p99_ms")
        what = f"beside {kind}: p99, of that without them"
        report.require(what, ratio, at_most=_RATIO_MAX)
    lost = sum(sum(report.values(f"beside {kind}", "lost")) for kind in KINDS)
    report.require("deliveries lost beside hostile clients", lost, at_most=0)


# --- idle -----------------------------------------------------------------------------------------


async def _hold(report: Report, ours: Platform, seconds: float) -> None:
    groups = {
        "all": family(ours.process.pid),
        "realtime": ours.processes("ServeReplica:realtime"),
        "haproxy": ours.processes("bin/haproxy"),
    }
    doors, tally = _doors(ours), Tally()
    async with crowd(door(ours), _IDLE // 20, Tally()):
        pass  # what is made once is made
    await asyncio.sleep(_SETTLE_S)
    memory = _memory_kb(groups)
    async with AsyncExitStack() as stack:
        began = time.monotonic()
        crowds = [
            await stack.enter_async_context(crowd(to, count, tally, beats_ms=_BEATS_MS))
            for to, count in doors
        ]
        took_s = time.monotonic() - began
        await asyncio.sleep(_SETTLE_S)
        grown = {group: kb - memory[group] for group, kb in _memory_kb(groups).items()}
        cores = await _beat(crowds, groups, tally, seconds)
        ended = [why for each in crowds for why in each.ended]
        if ended:
            report.facts["first that ended"] = ended[0]
        began = time.monotonic()
        hear_after = await _tell_all(ours, tally, _IDLE - len(ended))
        report.add(
            "idle",
            through_haproxy=doors[0][1],
            connects_per_s=_IDLE / took_s,
            ended=len(ended),
            hear_after=hear_after,
            all_hear_ms=(time.monotonic() - began) * 1_000,
            **{f"{group}_kb": kb / _IDLE for group, kb in grown.items()},
            **cores,
        )


def _doors(ours: Platform) -> list[tuple[Door, int]]:
    """Return where how many come in: through HAProxy as far as it may have the files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    through = min(_IDLE, (files - 1_000) * 2 // 5)
    doors = [(door(ours), through)]
    if through < _IDLE:
        url = f"ws://127.0.0.1:{_port(ours)}/ws/communication"
        to = Door(url, "/events", headers=(("x-request-disconnect-disabled", "?1"),))
        doors.append((to, _IDLE - through))
    return doors


def _port(ours: Platform) -> int:
    """Return where Realtime itself listens, by the word of HAProxy's configuration."""
    for written in (run_directory(ours.settings.data) / "h").glob("*/haproxy.cfg"):
        found = _BACKEND.search(written.read_text())
        if found is not None:
            return int(found[1])
    raise BenchmarkError("no Realtime in HAProxy's configuration")


async def _beat(
    crowds: list[Crowd], groups: dict[str, list[int]], tally: Tally, seconds: float
) -> dict[str, float]:
    """Keep all hearts beating for a while; return what that takes."""
    members = [member for each in crowds for member in each.members]
    began, heard, busy = time.monotonic(), tally.frames, time.process_time()
    used = {group: sum(map(cpu_s, pids)) for group, pids in groups.items()}
    beats = 0
    while time.monotonic() < began + seconds:
        members[beats % len(members)].beat()
        beats += 1
        await asyncio.sleep(began + beats * _BEAT_EVERY_S / len(members) - time.monotonic())
    took_s = time.monotonic() - began
    cores = {
        f"{group}_cores": (sum(map(cpu_s, pids)) - used[group]) / took_s
        for group, pids in groups.items()
    }
    return {
        "client_cores": (time.process_time() - busy) / took_s,
        "beats_heard_per_s": (tally.frames - heard) / took_s,
        **cores,
    }


async def _tell_all(ours: Platform, tally: Tally, listening: int) -> int:
    """Send one message; return how many subscribers heard it."""
    async with received(ours.url) as publish:
        before = tally.delivered
        await publish([0])
        with suppress(TimeoutError):  # then some are missing
            await tally.reach(before + listening, timeout_s=_HEAR_S)
        return tally.delivered - before


def _memory_kb(groups: dict[str, list[int]]) -> dict[str, float]:
    return {group: sum(map(pss_mib, pids)) * 1_024 for group, pids in groups.items()}


# --- hostile --------------------------------------------------------------------------------------


def _meet(report: Report, ours: Platform, timed: Timing, kind: str) -> None:
    report.add(f"before {kind}", **uvloop.run(timed.measure(_OTHERS, _RATE, _TIMED_S)))
    seen: dict[str, int] = {}
    hostile = _hostile(ours, kind, seen)
    measured = uvloop.run(timed.measure(_OTHERS, _RATE, _TIMED_S, beside=hostile))
    report.add(f"beside {kind}", **measured, **seen)


@contextmanager
def _hostile(ours: Platform, kind: str, seen: dict[str, int]) -> Iterator[None]:
    """Have hostile clients until the block ends; then say in `seen` what they met."""
    command = [sys.executable, "-m", "benchmarks.hostile", kind, ours.url.rpartition(":")[2]]
    with running(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if process.stdout.readline() != b"at work\n":
            raise BenchmarkError(f"hostile clients, {kind}: they did not come")
        yield
        process.terminate()
        seen |= json.loads(process.stdout.read())


if __name__ == "__main__":
    main(run, __doc__, seconds=300, repeats=3)
