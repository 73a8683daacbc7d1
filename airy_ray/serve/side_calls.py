"""Calls to platforms that follow a webhook and that nobody waits for.

They are lost with the process: nothing depends on them.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from airy_ray.sources.sending import Call, Reply

if TYPE_CHECKING:
    from airy_ray.cluster.platform_calls import PlatformCalls

logger = logging.getLogger(__name__)

_AT_ONCE = 100


class SideCalls:
    """Makes calls beside what is waited for; used in one event loop."""

    def __init__(self) -> None:
        self._calls: PlatformCalls | None = None
        self._begun: set[asyncio.Task[None]] = set()

    def begin(self, call: Call) -> None:
        """Make a call, unless too many are under way."""
        if len(self._begun) >= _AT_ONCE:
            logger.warning("%d calls are under way, another is not made", _AT_ONCE)
            return
        task = asyncio.get_running_loop().create_task(self._make(call))
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._begun:
            task.cancel()
        if self._begun:
            await asyncio.wait(self._begun)
        if self._calls is not None:
            await self._calls.close()

    async def _make(self, call: Call) -> None:
        came = await self._platform_calls().made(call, is_deduplicating=False)
        if not isinstance(came, Reply):
            logger.warning("a platform could not be called: %s", came.reason)
        elif came.status >= 400:
            logger.warning("a platform answered a call with %d", came.status)

    def _platform_calls(self) -> PlatformCalls:
        if self._calls is None:
            from airy_ray.cluster.platform_calls import PlatformCalls

            self._calls = PlatformCalls()  # few processes that take webhooks ever need it
        return self._calls
