"""What customers see on their phones, and who watches: changes are numbered, the newest are kept.

1. A bubble is shown as it is now. Who follows gets each one that has changed since, once, in the
   order of the changes; of several changes of one, perhaps only the last.
2. A position says which change was the last that somebody got, and of which stage. Who comes back
   with one misses nothing and gets nothing twice, unless what they miss was dropped, or the
   position is of another stage: then they begin anew, and are told so.
3. Nothing waits for anybody: who is slow gets what there is when they have time.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from airy_ray.clock import Millis
from airy_ray.simulator.screens import Part
from airy_ray.simulator.story import Thread

KEPT_MAX = 1_000
"""How many bubbles are kept; those that have not changed for the longest time go first."""

_DIGITS_MAX = 15

State = Literal["sending", "sent", "given up", "arrived", "seen"]
"""How far a message of a customer has got; or one for them, as their platform was told it."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody on a platform, who is played."""

    identifier: str
    source: str
    name: str
    thread: Thread


@dataclass(frozen=True, slots=True)
class Bubble:
    """A message on a customer's screen.

    Attributes:
        number: tells it from all others, in order.
        customer: the identifier of whose screen it is on.
        is_theirs: whether they wrote it.
        key: what the platform calls it.
        reaction: the emoji that they put to it.
    """

    number: int
    customer: str
    key: str
    at: Millis
    is_theirs: bool
    parts: tuple[Part, ...]
    state: State
    reaction: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A bubble as it is at a position; or None, where all that was got before counts no more."""

    position: str
    bubble: Bubble | None


class Stage:
    """All bubbles, for one loop; `name` tells this stage from those before it."""

    def __init__(self, name: str, *, kept_max: int = KEPT_MAX) -> None:
        self.name = name
        self._kept_max = kept_max
        self._bubbles: dict[int, tuple[int, Bubble]] = {}
        """By number, each with the change that made it so; the newest change is last."""
        self._change = 0
        self._dropped = 0
        """The newest change that is known no more."""
        self._moved = asyncio.Event()
        self._is_closed = False

    def put(self, bubble: Bubble) -> None:
        """Show a bubble, or show it as it is now."""
        self._bubbles.pop(bubble.number, None)
        self._change += 1
        self._bubbles[bubble.number] = (self._change, bubble)
        if len(self._bubbles) > self._kept_max:
            oldest = next(iter(self._bubbles))
            self._dropped, _ = self._bubbles.pop(oldest)
        self._wake()

    def bubble(self, number: int) -> Bubble | None:
        """Return a bubble that is kept."""
        _, bubble = self._bubbles.get(number, (0, None))
        return bubble

    def on_screen_of(self, customer: str) -> list[Bubble]:
        """Return what a customer sees, oldest first."""
        bubbles = [bubble for _, bubble in self._bubbles.values() if bubble.customer == customer]
        return sorted(bubbles, key=lambda bubble: bubble.number)

    def close(self) -> None:
        """Let go all who follow."""
        self._is_closed = True
        self._wake()

    async def follow(self, position: str | None, *, wait_s: float) -> AsyncIterator[list[Shown]]:
        """Yield what has changed since a position, then what changes, until the stage is closed.

        Where nothing changes for `wait_s`, an empty list tells that.
        """
        change = self._known(position)
        while not self._is_closed:
            if change is None or 0 < change < self._dropped:
                change = 0
                yield [Shown(self._position(0), None)]
            since = [(at, bubble) for at, bubble in self._bubbles.values() if at > change]
            change = self._change
            if since:
                yield [Shown(self._position(at), bubble) for at, bubble in since]
            elif not await self._has_moved(wait_s):
                yield []

    async def _has_moved(self, wait_s: float) -> bool:
        try:
            async with asyncio.timeout(wait_s):
                await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def _known(self, position: str | None) -> int | None:
        """Return the change that a position stands for; None if it is none of this stage."""
        name, _, change = (position or "").rpartition(".")
        is_number = change.isascii() and change.isdecimal() and len(change) <= _DIGITS_MAX
        if name != self.name or not is_number:
            return None
        return int(change) if int(change) <= self._change else None

    def _position(self, change: int) -> str:
        return f"{self.name}.{change}"

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
