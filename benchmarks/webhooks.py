"""Webhooks are called at 0.6 of the rate of plain calls, soon, and none for another that is down.

1. Messages that came in while a webhook was paused, from its first call to its last, against calls
   of httpx to the same place with the same bodies, signed alike, 8 at once as the publisher's.
2. How long it takes from Facebook's 200, which is before the event is in the feed, until a webhook
   is called, at 100 messages a second; alone and beside a webhook that answers nothing.
3. The same for 98 webhooks, alone and beside one that answers nothing and one that answers 500.
   Each message is a burst of calls, of which the slowest few make the p99.

What is compared is measured in turn, and each is first every other time: drift meets both. What
subscribing takes is over before anything counts.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from typing import Any, NamedTuple

import httpx
import msgspec
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airy_ray.clock import now_millis
from airy_ray.publishing import signing
from airy_ray.serve.ports import free_port
from airy_ray.simulator.http import HttpClient
from benchmarks.measuring import BenchmarkError, Options, Report, main, temporary_directory
from benchmarks.system import PAGE, SETTINGS, Platform, answers_on, platform, running, wait_until
from benchmarks.timing import paced
from benchmarks.traffic import signed, text_messages

_OF_PLAIN_CALLS = 0.6
_P50_MS, _P99_MS = 15.0, 100.0
_SLOWER_MAX = 1.2
_SLOWER_CROWD_MAX = 1.2

_AT_ONCE = 8
"""As the publisher has it, for each webhook."""
_MESSAGES = 200
"""For each second of the options; they take as long as they take."""
_CONTACTS = 400
_RATE = 100
"""Messages a second where the latency of one webhook is measured."""
_CROWD = 98
_CROWD_RATE = 4
"""Messages a second for the crowd: each is as many calls as there are webhooks."""
_CROWD_TAKES = 2
"""How many times as long it is looked at: calls come in bursts, of which there are few."""
_BEGINS_S = 1.0
_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_READY_S = 30.0
_TAKEN_S = 120.0
_REPLY_S = 30.0
_SETTINGS = {**SETTINGS, "webhooks": {"allow_private_networks": True, "at_once": _AT_ONCE}}


class _Bench(NamedTuple):
    """A platform, who is called, and numbers of messages, none twice."""

    ours: Platform
    receiver: str
    numbers: Iterator[int]


def run(options: Options) -> int:
    """Measure rates, then latencies, then those of a crowd, all on one platform."""
    report = Report("webhooks", "webhooks: at the pace of plain calls, whoever is down")
    with (
        _receiver() as receiver,
        temporary_directory() as directory,
        platform(directory, _SETTINGS) as ours,
    ):
        ours.connect("facebook", PAGE)
        bench = _Bench(ours, receiver, count())
        _measure_rates(bench, report, options)
        _measure_latency(bench, report, options)
        _measure_crowd(bench, report, options)
    _judge(report)
    return report.finish()


def _measure_rates(bench: _Bench, report: Report, options: Options) -> None:
    messages = int(_MESSAGES * options.seconds)
    _calls_per_s(bench, messages)
    bodies = httpx.get(f"{bench.receiver}/bodies/busy").json()

    def plain() -> None:
        report.add("plain calls", calls_per_s=uvloop.run(_plain_calls_per_s(bench, bodies)))

    def publisher() -> None:
        report.add("publisher", calls_per_s=_calls_per_s(bench, messages))

    _in_turn(options.repeats, plain, publisher)


def _measure_latency(bench: _Bench, report: Report, options: Options) -> None:
    def alone() -> None:
        report.add("alone", **_latency(bench, options.seconds))

    def beside() -> None:
        with _subscribed(bench, "silent"):
            report.add("beside one that is down", **_latency(bench, options.seconds))

    _in_turn(options.repeats, alone, beside)


def _measure_crowd(bench: _Bench, report: Report, options: Options) -> None:
    for index in range(_CROWD):
        _subscribe(bench, "crowd", index)

    def alone() -> None:
        report.add("crowd", **_crowd_latency(bench, options.seconds))

    def beside() -> None:
        with _subscribed(bench, "silent"), _subscribed(bench, "failing"):
            told = _crowd_latency(bench, options.seconds)
            report.add("crowd beside two that are down", **told)

    _in_turn(options.repeats, alone, beside)


def _in_turn(repeats: int, one: Callable[[], None], other: Callable[[], None]) -> None:
    for index in range(repeats):
        first, second = (other, one) if index % 2 else (one, other)
        first()
        second()


def _judge(report: Report) -> None:
    report.require(
        f"of the rate of plain calls, {_AT_ONCE} at once",
        report.ratio("publisher", "plain calls", "calls_per_s"),
        at_least=_OF_PLAIN_CALLS,
    )
    for what in ("plain calls", "publisher"):
        report.require(f"{what}: calls/s", report.median(what, "calls_per_s"))
    alone = f"from a webhook's 200 to ours, {_RATE} messages/s"
    report.require(f"{alone}: p50", report.median("alone", "p50_ms"), "ms", at_most=_P50_MS)
    report.require(f"{alone}: p99", report.median("alone", "p99_ms"), "ms", at_most=_P99_MS)
    report.require(
        "of the latency alone, beside one that is down",
        report.ratio("beside one that is down", "alone", "p50_ms"),
        at_most=_SLOWER_MAX,
    )
    beside = report.median("beside one that is down", "p50_ms")
    report.require("beside one that is down: p50", beside, "ms")
    report.require(
        f"of the p99 of {_CROWD} webhooks, beside one that hangs and one that answers 500",
        report.ratio("crowd beside two that are down", "crowd", "p99_ms"),
        at_most=_SLOWER_CROWD_MAX,
    )
    for what in ("crowd", "crowd beside two that are down"):
        report.require(f"{what}: p99", report.median(what, "p99_ms"), "ms")


async def _plain_calls_per_s(bench: _Bench, bodies: Sequence[str]) -> float:
    """Call the receiver with each of the bodies, signed; return the rate."""
    left = enumerate(each.encode() for each in bodies)
    async with httpx.AsyncClient() as http:

        async def call() -> None:
            for number, body in left:
                at_s = int(time.time())
                signed = signing.headers({}, [_KEY], body, event_id=f"evt_{number}", at_s=at_s)
                answer = await http.post(f"{bench.receiver}/plain/0", content=body, headers=signed)
                answer.raise_for_status()

        await asyncio.gather(*(call() for _ in range(_AT_ONCE)))
    return _rate(_came(bench, "plain", len(bodies)))


def _calls_per_s(bench: _Bench, messages: int) -> float:
    """Have a webhook called with messages that came while it was paused; return the rate."""
    with _subscribed(bench, "busy") as hook:
        bench.ours.post("/webhooks.pause", hook)
        uvloop.run(_post(bench, list(islice(bench.numbers, messages))))
        bench.ours.wait_until_projected()
        bench.ours.post("/webhooks.resume", hook)
        return _rate(_came(bench, "busy", messages))


def _latency(bench: _Bench, seconds: float) -> dict[str, float]:
    """Return how long messages take from Facebook's 200 until a webhook is called."""
    with _subscribed(bench, "prompt"):
        _took(bench, "prompt", _BEGINS_S, rate=_RATE, webhooks=1)
        return _took(bench, "prompt", seconds, rate=_RATE, webhooks=1)


def _crowd_latency(bench: _Bench, seconds: float) -> dict[str, float]:
    """Return how long messages take from Facebook's 200 until each of the crowd is called."""
    _took(bench, "crowd", _BEGINS_S, rate=_CROWD_RATE, webhooks=_CROWD)
    return _took(bench, "crowd", _CROWD_TAKES * seconds, rate=_CROWD_RATE, webhooks=_CROWD)


def _took(
    bench: _Bench, name: str, seconds: float, *, rate: float, webhooks: int
) -> dict[str, float]:
    numbers = list(islice(bench.numbers, int(rate * seconds)))
    accepted_ns = uvloop.run(_post_at_a_rate(bench, numbers, rate))
    came_ns = _came(bench, name, len(numbers) * webhooks)
    took_ms = sorted(
        (came_ns[_call(index, _mid(number))] - at) / 1e6
        for number, at in zip(numbers, accepted_ns, strict=True)
        for index in range(webhooks)
    )
    return {"p50_ms": took_ms[len(took_ms) // 2], "p99_ms": took_ms[len(took_ms) * 99 // 100]}


@contextlib.contextmanager
def _subscribed(bench: _Bench, name: str) -> Iterator[dict[str, Any]]:
    hook = _subscribe(bench, name, 0)
    try:
        yield hook
    finally:
        bench.ours.post("/webhooks.unsubscribe", hook)


def _subscribe(bench: _Bench, name: str, index: int) -> dict[str, Any]:
    url, events = f"{bench.receiver}/{name}/{index}", ["message.created"]
    asked = {"url": url, "events": events, "signature_key": _KEY}
    return {"id": bench.ours.post("/webhooks.subscribe", asked)["id"]}


async def _post(bench: _Bench, numbers: Sequence[int]) -> None:
    left = iter(numbers)
    async with HttpClient(bench.ours.url, connections=_AT_ONCE) as http:

        async def post() -> None:
            for number in left:
                await _post_one(http, number)

        await asyncio.gather(*(post() for _ in range(_AT_ONCE)))


async def _post_at_a_rate(bench: _Bench, numbers: Sequence[int], rate: float) -> list[int]:
    async with HttpClient(bench.ours.url, connections=_AT_ONCE) as http:

        async def publish(some: Sequence[int]) -> None:
            for number in some:
                await _post_one(http, number)

        return await paced(publish, rate, numbers)


async def _post_one(http: HttpClient, number: int) -> None:
    contact = f"u{number % _CONTACTS}"
    [body] = text_messages(f"w{number}", [contact], begin_at=now_millis())
    (header,) = signed(body).headers
    answer = await http.post("/webhooks/facebook", body, (header,), timeout_s=_REPLY_S)
    if not answer.is_success:
        raise BenchmarkError(f"a webhook was answered {answer.status}")


def _mid(number: int) -> str:
    return f"m_w{number}_0"


def _call(index: int, mid: str) -> str:
    """Return what tells the call of a webhook of many with a message from all others."""
    return f"{index} {mid}"


# --- who is called --------------------------------------------------------------------------------


def _came(bench: _Bench, name: str, calls: int) -> dict[str, int]:
    """Return when each call first came, once so many have; then they are forgotten."""
    deadline = time.monotonic() + _TAKEN_S
    while True:
        came: dict[str, int] = httpx.get(f"{bench.receiver}/came/{name}/{calls}").json()
        if len(came) >= calls:
            return came
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{len(came)} of {calls} calls within {_TAKEN_S:.0f} s")


def _rate(came_ns: dict[str, int]) -> float:
    return (len(came_ns) - 1) / (max(came_ns.values()) - min(came_ns.values())) * 1e9


@contextlib.contextmanager
def _receiver() -> Iterator[str]:
    """Run the receiver in a process of its own until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.webhooks", "receive", str(port)]
    with running(command, stop=signal.SIGKILL) as process:  # else it waits for its silent calls
        wait_until(lambda: answers_on(port), "the receiver", timeout_s=_READY_S, process=process)
        yield f"http://127.0.0.1:{port}"


class _Receiver:
    """Notes what comes, by path, and answers at once; `silent` never, `failing` with 500."""

    def __init__(self) -> None:
        self._came: dict[str, dict[str, int]] = {}
        self._busy: list[str] = []

    async def take(self, request: Request) -> Response:
        """Take a call."""
        at_ns = time.monotonic_ns()
        name = request.path_params["name"]
        if name == "silent":
            await asyncio.sleep(3_600)
        if name == "failing":
            return Response(status_code=500)
        body = await request.body()
        told = msgspec.json.decode(body)
        if name == "busy":
            self._busy.append(body.decode())
        mid = told["payload"]["message"]["content"]["message"]["mid"]
        call = _call(request.path_params["index"], mid)
        self._came.setdefault(name, {}).setdefault(call, at_ns)
        return Response()

    async def bodies(self, _: Request) -> Response:
        """Tell what the busy webhook was called with since this was asked last."""
        told, self._busy = self._busy, []
        return JSONResponse(told)

    async def tell(self, request: Request) -> Response:
        """Tell what came, after a while if it is not enough; forget it if it is."""
        name, calls = request.path_params["name"], request.path_params["calls"]
        if len(self._came.get(name, {})) < calls:
            await asyncio.sleep(0.2)
            return JSONResponse({})
        return JSONResponse(self._came.pop(name))


def _receive(port: int) -> None:
    receiver = _Receiver()
    routes = [
        Route("/bodies/busy", receiver.bodies),
        Route("/came/{name}/{calls:int}", receiver.tell),
        Route("/{name}/{index:int}", receiver.take, methods=["POST"]),
    ]
    uvicorn.run(Starlette(routes=routes), port=port, log_level="error", loop="uvloop")


if __name__ == "__main__":
    if sys.argv[1:2] == ["receive"]:
        _receive(int(sys.argv[2]))
    else:
        main(run, __doc__, seconds=5, repeats=5)
