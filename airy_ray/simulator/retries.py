"""Trying again as platforms do: the same request, ever more seldom, until it is taken."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from airy_ray.simulator.http import NoReplyError, Reply


class Ack(NamedTuple):
    """When a request was acknowledged, by the monotonic clock, and how long that attempt took."""

    at_s: float
    latency_s: float


@dataclass
class Answers:
    """What all attempts came to.

    Attributes:
        by_status: how many were answered with which status; 0 is not at all.
    """

    by_status: Counter[int] = field(default_factory=Counter)
    retries: int = 0
    given_up: int = 0
    acks: list[Ack] = field(default_factory=list)


class Retries:
    """Makes requests until they are taken or there is no more hope.

    Platforms go on for hours or days with pauses of minutes; here both are short.
    """

    def __init__(
        self, random: Random, *, give_up_s: float, first_s: float = 0.25, longest_s: float = 4.0
    ) -> None:
        self.answers = Answers()
        self._random = random
        self._give_up_s = give_up_s
        self._first_s = first_s
        self._longest_s = longest_s

    async def until(
        self,
        attempt: Callable[[], Awaitable[Reply]],
        *,
        is_enough: Callable[[Reply], bool] = lambda reply: reply.is_success,
    ) -> Reply | None:
        """Return the first answer that is enough, by default success; None after giving up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._give_up_s
        pause_s = self._first_s
        while True:
            reply = await self._tried(attempt)
            if reply is not None and is_enough(reply):
                return reply
            if loop.time() + pause_s > deadline:
                self.answers.given_up += 1
                return None
            await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.0))
            self.answers.retries += 1
            pause_s = min(2 * pause_s, self._longest_s)

    async def _tried(self, attempt: Callable[[], Awaitable[Reply]]) -> Reply | None:
        began = time.monotonic()  # finer than the clock of uvloop
        try:
            reply = await attempt()
        except NoReplyError:
            self.answers.by_status[0] += 1
            return None
        self.answers.by_status[reply.status] += 1
        if reply.is_success:
            at = time.monotonic()
            self.answers.acks.append(Ack(at, at - began))
        return reply
