"""Conversations that can be made quiet for a moment.

Whether a message comes before or after the command that marks all as read is the log's to decide.
To know what must be unread, nothing of the conversation may be on its way meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from airy_ray.simulator.story import Thread


class Gates:
    """Counts what is on its way in each conversation; lets nothing in where it has to be quiet."""

    def __init__(self) -> None:
        self._on_its_way: Counter[Thread] = Counter()
        self._held: set[Thread] = set()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def passing(self, threads: Collection[Thread]) -> AsyncIterator[None]:
        """Wait until all of these conversations are open, and be on the way in them."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._held.isdisjoint(threads))
            self._on_its_way.update(threads)
        try:
            yield
        finally:
            async with self._changed:
                self._on_its_way.subtract(threads)
                self._changed.notify_all()

    @asynccontextmanager
    async def quiet(self, thread: Thread, *, timeout_s: float) -> AsyncIterator[bool]:
        """Hold a conversation; yield whether what was on its way has arrived within `timeout_s`."""
        self._held.add(thread)
        try:
            yield await self._arrived(thread, timeout_s)
        finally:
            async with self._changed:
                self._held.discard(thread)
                self._changed.notify_all()

    async def _arrived(self, thread: Thread, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self._on_its_way[thread] == 0)
        except TimeoutError:
            return False
        return True
