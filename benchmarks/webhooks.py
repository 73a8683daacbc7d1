"""Webhooks are called at 0.5 of the rate of plain calls, and none for another that is down.

Messages that came in while a webhook was paused, from its first call to its last, against as many
calls of aiohttp to the same place, 8 at once as the publisher makes them. Then how long it takes
from Facebook's webhook until ours is called, alone and beside a webhook that answers nothing.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Any, NamedTuple

import aiohttp
import httpx
import msgspec
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airy_ray.clock import now_millis
from airy_ray.serve.ports import free_port
from airy_ray.simulator.http import HttpClient
from benchmarks.measuring import BenchmarkError, Options, Report, main, temporary_directory
from benchmarks.system import PAGE, SETTINGS, Platform, answers_on, platform, running, wait_until
from benchmarks.timing import paced
from benchmarks.traffic import signed, text_messages

_OF_PLAIN_CALLS = 0.5
_SLOWER_MAX = 1.2

_AT_ONCE = 8
"""As the publisher has it, for each webhook."""
_MESSAGES = 200
"""For each second of the options; they take as long as they take."""
_CONTACTS = 400
_RATE = 20
"""Messages a second where latency is measured."""
_ANSWERS_S = 0.01
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
    """Measure rates in turn, then latencies in turn; again and again, on one platform."""
    report = Report("webhooks", "webhooks: at the pace of plain calls, whoever is down")
    with (
        _receiver() as receiver,
        temporary_directory() as directory,
        platform(directory, _SETTINGS) as ours,
    ):
        ours.connect("facebook", PAGE)
        bench = _Bench(ours, receiver, count())
        messages = int(_MESSAGES * options.seconds)
        _calls_per_s(bench, _MESSAGES)
        for _ in range(options.repeats):
            report.add("plain calls", calls_per_s=uvloop.run(_plain_calls_per_s(bench, messages)))
            report.add("publisher", calls_per_s=_calls_per_s(bench, messages))
        for _ in range(options.repeats):
            report.add("alone", **_latency(bench, options.seconds))
            with _subscribed(bench, "silent"):
                report.add("beside one that is down", **_latency(bench, options.seconds))
    _judge(report)
    return report.finish()


def _judge(report: Report) -> None:
    report.require(
        f"of the rate of plain calls, {_AT_ONCE} at once",
        report.ratio("publisher", "plain calls", "calls_per_s"),
        at_least=_OF_PLAIN_CALLS,
    )
    for what in ("plain calls", "publisher"):
        report.require(f"{what}: calls/s", report.median(what, "calls_per_s"))
    report.require(
        "of the latency alone, beside one that is down",
        report.ratio("beside one that is down", "alone", "p50_ms"),
        at_most=_SLOWER_MAX,
    )
    for what in ("alone", "beside one that is down"):
        report.require(f"{what}: from a webhook's 200 to ours", report.median(what, "p50_ms"), "ms")


async def _plain_calls_per_s(bench: _Bench, calls: int) -> float:
    """Call the receiver so often; return the rate."""
    numbers = list(islice(bench.numbers, calls))
    left = iter(numbers)
    async with aiohttp.ClientSession() as http:

        async def call() -> None:
            for number in left:
                message = {"id": "0" * 36, "content": {"message": {"mid": f"m_plain_{number}"}}}
                body = {"type": "message.created", "payload": {"message": message}}
                async with http.post(f"{bench.receiver}/plain", json=body) as answer:
                    answer.raise_for_status()

        await asyncio.gather(*(call() for _ in range(_AT_ONCE)))
    return _rate(_came(bench, "plain", calls))


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
    numbers = list(islice(bench.numbers, int(_RATE * seconds)))
    with _subscribed(bench, "prompt"):
        accepted_ns = uvloop.run(_post_at_a_rate(bench, numbers))
        came_ns = _came(bench, "prompt", len(numbers))
    took_ms = sorted(
        (came_ns[_mid(number)] - at) / 1e6 for number, at in zip(numbers, accepted_ns, strict=True)
    )
    return {"p50_ms": took_ms[len(took_ms) // 2], "p99_ms": took_ms[len(took_ms) * 99 // 100]}


@contextlib.contextmanager
def _subscribed(bench: _Bench, name: str) -> Iterator[dict[str, Any]]:
    asked = {"url": f"{bench.receiver}/{name}", "events": ["message.created"]}
    hook = {"id": bench.ours.post("/webhooks.subscribe", asked)["id"]}
    try:
        yield hook
    finally:
        bench.ours.post("/webhooks.unsubscribe", hook)


async def _post(bench: _Bench, numbers: Sequence[int]) -> None:
    left = iter(numbers)
    async with HttpClient(bench.ours.url, connections=_AT_ONCE) as http:

        async def post() -> None:
            for number in left:
                await _post_one(http, number)

        await asyncio.gather(*(post() for _ in range(_AT_ONCE)))


async def _post_at_a_rate(bench: _Bench, numbers: Sequence[int]) -> list[int]:
    async with HttpClient(bench.ours.url, connections=_AT_ONCE) as http:

        async def publish(some: Sequence[int]) -> None:
            for number in some:
                await _post_one(http, number)

        return await paced(publish, _RATE, numbers)


async def _post_one(http: HttpClient, number: int) -> None:
    contact = f"u{number % _CONTACTS}"
    [body] = text_messages(f"w{number}", [contact], begin_at=now_millis())
    header = ("x-hub-signature-256", signed(body).signature)
    answer = await http.post("/webhooks/facebook", body, (header,), timeout_s=_REPLY_S)
    if not answer.is_success:
        raise BenchmarkError(f"a webhook was answered {answer.status}")


def _mid(number: int) -> str:
    return f"m_w{number}_0"


# --- who is called --------------------------------------------------------------------------------


def _came(bench: _Bench, name: str, calls: int) -> dict[str, int]:
    """Return when each message first came, once so many have; then they are forgotten."""
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
    with running([sys.executable, "-m", "benchmarks.webhooks", "receive", str(port)]) as process:
        wait_until(lambda: answers_on(port), "the receiver", timeout_s=_READY_S, process=process)
        yield f"http://127.0.0.1:{port}"


class _Receiver:
    """Notes what comes, by path, and answers after a while; on `/silent` never."""

    def __init__(self) -> None:
        self._came: dict[str, dict[str, int]] = {}

    async def take(self, request: Request) -> Response:
        """Take a call."""
        at_ns = time.monotonic_ns()
        name = request.path_params["name"]
        if name == "silent":
            await asyncio.sleep(3_600)
        told = msgspec.json.decode(await request.body())
        mid = told["payload"]["message"]["content"]["message"]["mid"]
        self._came.setdefault(name, {}).setdefault(mid, at_ns)
        await asyncio.sleep(_ANSWERS_S)
        return Response()

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
        Route("/came/{name}/{calls:int}", receiver.tell),
        Route("/{name}", receiver.take, methods=["POST"]),
    ]
    uvicorn.run(Starlette(routes=routes), port=port, log_level="error", loop="uvloop")


if __name__ == "__main__":
    if sys.argv[1:2] == ["receive"]:
        _receive(int(sys.argv[2]))
    else:
        main(run, __doc__, seconds=5, repeats=3)
