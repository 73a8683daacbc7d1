"""A message is with 200 subscribers 10 ms after its webhook's 200, 60 ms at the 99th percentile.

At 10, 100 and 500 signed webhooks a second, one message each; beside RabbitMQ's web-STOMP, where
the clock runs from the SEND. Who posts is a process of its own, so that nobody who is busy with
subscribers tells the time. The clock of the machine is one for all its processes.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from itertools import count

import uvloop

from benchmarks.doors import door, received, sent
from benchmarks.measuring import Options, Report, main, temporary_directory
from benchmarks.peers.rabbitmq import rabbitmq, version
from benchmarks.subscribers import Arrivals, Door, Publish, crowd
from benchmarks.system import PAGE, platform

_RATES = (10, 100, 500)
_JUDGED = 100
_SUBSCRIBERS = 200
_P50_MS_MAX = 10
_P99_MS_MAX = 60
_DRAIN_S = 60.0
_WARM_MESSAGES = 20

Publishing = Callable[[], AbstractAsyncContextManager[Publish]]


def run(options: Options) -> int:
    """Measure RabbitMQ and the platform in turn."""
    report = Report("latency", f"from a webhook's 200 to {_SUBSCRIBERS} subscribers")
    report.facts["peer"] = version()
    for _ in range(options.repeats):
        with rabbitmq() as node:
            publishing = partial(sent, node.door)
            uvloop.run(_measure(report, "RabbitMQ", node.door, publishing, options.seconds))
        with temporary_directory() as directory, platform(directory) as ours:
            ours.connect("facebook", PAGE)
            publishing = partial(received, ours.url)
            uvloop.run(_measure(report, "ours", door(ours), publishing, options.seconds))
    for rate in _RATES:
        _judge(report, rate)
    return report.finish()


def _judge(report: Report, rate: int) -> None:
    is_judged = rate == _JUDGED
    for number, at_most in (("p50_ms", _P50_MS_MAX), ("p99_ms", _P99_MS_MAX)):
        name = number.removesuffix("_ms")
        for whose in ("ours", "RabbitMQ"):
            report.require(
                f"{whose}, {rate}/s: {name}",
                report.median(_at(whose, rate), number),
                "ms",
                at_most=at_most if is_judged and whose == "ours" else None,
            )
    report.require(
        f"ours, {rate}/s: lost",
        sum(report.values(_at("ours", rate), "lost")),
        at_most=0 if is_judged else None,
    )


def _at(name: str, rate: int) -> str:
    return f"{name}, {rate}/s"


async def _measure(
    report: Report, name: str, to: Door, publishing: Publishing, seconds: float
) -> None:
    numbers = count()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        loop = asyncio.get_running_loop()
        for rate in _RATES:
            marks = [next(numbers) for _ in range(_WARM_MESSAGES + int(rate * seconds))]
            arrivals = Arrivals()
            async with crowd(to, _SUBSCRIBERS, arrivals) as those:
                posting = partial(publish_at, publishing, rate, marks)
                accepted_ns = await loop.run_in_executor(pool, posting)
                with suppress(TimeoutError):  # then some are lost
                    await arrivals.reach(len(marks) * _SUBSCRIBERS, timeout_s=_DRAIN_S)
                ended = len(those.ended)
            took_ms = _took_ms(arrivals, dict(zip(marks, accepted_ns, strict=True)), marks)
            report.add(
                _at(name, rate),
                p50_ms=took_ms[len(took_ms) // 2],
                p99_ms=took_ms[len(took_ms) * 99 // 100],
                lost=len(marks) * _SUBSCRIBERS - arrivals.delivered,
                closed=ended,
            )


def _took_ms(arrivals: Arrivals, accepted_ns: dict[int, int], marks: Sequence[int]) -> list[float]:
    """Return how long deliveries took, shortest first, without those of the first messages.

    One that came before its sender knew took no time.
    """
    first = marks[_WARM_MESSAGES]
    pairs = zip(arrivals.marks, arrivals.at_ns, strict=True)
    return sorted(max(0.0, (at - accepted_ns[mark]) / 1e6) for mark, at in pairs if mark >= first)


def publish_at(publishing: Publishing, rate: float, marks: Sequence[int]) -> list[int]:
    """Publish messages at a rate, in a process of its own; return when each was accepted."""
    return uvloop.run(_publish_at(publishing, rate, marks))


async def _publish_at(publishing: Publishing, rate: float, marks: Sequence[int]) -> list[int]:
    async def one(mark: int) -> int:
        await publish([mark])
        return time.monotonic_ns()

    async with publishing() as publish:
        began = time.monotonic()
        posted = []
        for number, mark in enumerate(marks):
            await asyncio.sleep(began + number / rate - time.monotonic())
            posted.append(asyncio.create_task(one(mark)))
        return await asyncio.gather(*posted)


if __name__ == "__main__":
    main(run, __doc__, seconds=10, repeats=3)
