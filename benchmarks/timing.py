"""How long messages take to subscribers, sent at a rate.

Who sends is a process of its own, so that nobody who is busy with subscribers tells the time; the
machine's clock is one for all its processes. The time begins when a message is accepted.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    contextmanager,
    nullcontext,
    suppress,
)
from functools import partial
from itertools import count

import uvloop

from benchmarks.subscribers import Arrivals, Door, Publish, crowd

_DRAIN_S = 60.0
_WARM_MESSAGES = 20

Publishing = Callable[[], AbstractAsyncContextManager[Publish]]
"""What sends messages, for as long as its block lasts; it goes to another process."""


class Timing:
    """Sends messages to one server, from another process, and notes when they arrive."""

    def __init__(self, door: Door, publishing: Publishing, pool: ProcessPoolExecutor) -> None:
        self._door = door
        self._publishing = publishing
        self._pool = pool
        self._numbers = count()

    async def measure(
        self,
        subscribers: int,
        rate: float,
        seconds: float,
        *,
        beside: AbstractContextManager[object] | None = None,
    ) -> dict[str, float]:
        """Return percentiles over all deliveries, and how many are missing.

        What goes on `beside` begins once all are subscribed.
        """
        marks = [next(self._numbers) for _ in range(_WARM_MESSAGES + int(rate * seconds))]
        arrivals = Arrivals()
        async with crowd(self._door, subscribers, arrivals) as those:
            with beside or nullcontext():
                accepted_ns = await self._publish(rate, marks)
                with suppress(TimeoutError):  # then some are lost
                    await arrivals.reach(len(marks) * subscribers, timeout_s=_DRAIN_S)
            closed = len(those.ended)
        first = marks[_WARM_MESSAGES]
        took_ms = _took_ms(arrivals, dict(zip(marks, accepted_ns, strict=True)), first)
        return {
            "p50_ms": took_ms[len(took_ms) // 2],
            "p99_ms": took_ms[len(took_ms) * 99 // 100],
            "lost": len(marks) * subscribers - arrivals.delivered,
            "closed": closed,
        }

    async def _publish(self, rate: float, marks: Sequence[int]) -> list[int]:
        posting = partial(publish_at, self._publishing, rate, marks)
        return await asyncio.get_running_loop().run_in_executor(self._pool, posting)


@contextmanager
def timing(door: Door, publishing: Publishing) -> Iterator[Timing]:
    """Have a process that sends messages until the block ends."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield Timing(door, publishing, pool)


def _took_ms(arrivals: Arrivals, accepted_ns: dict[int, int], first: int) -> list[float]:
    """Return how long deliveries took from the `first` message on, shortest first.

    One that came before its sender knew took no time.
    """
    pairs = zip(arrivals.marks, arrivals.at_ns, strict=True)
    return sorted(max(0, at - accepted_ns[mark]) / 1e6 for mark, at in pairs if mark >= first)


def publish_at(publishing: Publishing, rate: float, marks: Sequence[int]) -> list[int]:
    """Publish messages at a rate; return when each was accepted."""
    return uvloop.run(_publish_at(publishing, rate, marks))


async def _publish_at(publishing: Publishing, rate: float, marks: Sequence[int]) -> list[int]:
    async with publishing() as publish:
        return await paced(publish, rate, marks)


async def paced(publish: Publish, rate: float, marks: Sequence[int]) -> list[int]:
    """Publish messages at a rate; return when each was accepted."""

    async def one(mark: int) -> int:
        await publish([mark])
        return time.monotonic_ns()

    began = time.monotonic()
    posted = []
    for number, mark in enumerate(marks):
        await asyncio.sleep(began + number / rate - time.monotonic())
        posted.append(asyncio.create_task(one(mark)))
    return await asyncio.gather(*posted)
