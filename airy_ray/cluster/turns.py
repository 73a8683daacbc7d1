"""Taking turns: step by step, as many at once as their lanes allow, whatever a step meets with."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from airy_ray.delivery.lanes import Lanes, Turn
from airy_ray.errors import AiryError
from airy_ray.model.ids import format_id

logger = logging.getLogger(__name__)

TROUBLE_S = 0.5
"""How long to wait for what is ours: log, state, registry."""


class Turns:
    """All turns of one kind; used in one event loop.

    Args:
        step: takes one step, and returns in how many seconds the next is due; None after the last.
        at_once: how many turns of one source are taken at once.
    """

    def __init__(self, step: Callable[[Turn], Awaitable[float | None]], at_once: int) -> None:
        self._step = step
        self._lanes = Lanes(at_once)
        self._loop = asyncio.get_running_loop()
        self._taken: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    def __len__(self) -> int:
        """How many turns are not over."""
        return len(self._lanes)

    def add(self, turn: Turn, position: int) -> None:
        """Take a turn in, unless it is known; `begin` has it taken."""
        self._lanes.add(turn, position)

    def begin(self) -> None:
        """Take those turns that can be taken now."""
        if self._is_stopping:
            return
        for turn in self._lanes.begin():
            task = self._loop.create_task(self._take(turn))
            self._taken.add(task)
            task.add_done_callback(self._taken.discard)

    async def stop(self, within_s: float) -> None:
        """Begin nothing more; see steps that are under way to their end if they take no longer."""
        self._is_stopping = True
        if self._taken:
            await asyncio.wait(self._taken, timeout=within_s)

    async def cancel(self) -> None:
        """Begin nothing more, and break off what is under way."""
        self._is_stopping = True
        for task in self._taken:
            task.cancel()
        await asyncio.gather(*self._taken, return_exceptions=True)

    async def _take(self, turn: Turn) -> None:
        """Take one step of a turn; then it waits, or the next of its lane follows."""
        try:
            wait_s = await self._step(turn)
        except AiryError as error:
            logger.warning("%s waits: %s", format_id(turn.message_id), error)
            wait_s = TROUBLE_S
        except Exception:  # whatever it is, it must not hold up others
            logger.exception("%s: nothing can be sent now", format_id(turn.message_id))
            wait_s = TROUBLE_S
        if wait_s is None:
            self._lanes.finish(turn)
        else:
            self._lanes.pause(turn)
            self._loop.call_later(wait_s, self._go_on, turn)
        self.begin()

    def _go_on(self, turn: Turn) -> None:
        self._lanes.go_on(turn)
        self.begin()
