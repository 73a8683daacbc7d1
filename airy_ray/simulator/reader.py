"""Users who read: now and then one of the newest conversations is marked as read."""

from random import Random

from airy_ray.simulator.gates import Gates
from airy_ray.simulator.inbox import ApiError, Inbox
from airy_ray.simulator.oracle import Oracle

_SHOWN = 50
_QUIET_WITHIN_S = 5.0


class Reader:
    """Marks conversations as read, and tells the oracle."""

    def __init__(
        self, inbox: Inbox, oracle: Oracle, gates: Gates, random: Random, *, run: str
    ) -> None:
        self.count = 0
        """How many times that was done."""
        self._inbox = inbox
        self._oracle = oracle
        self._gates = gates
        self._random = random
        self._run = run
        self._asked = 0

    async def read(self, channel_ids: frozenset[str]) -> None:
        """Read one conversation, if it becomes quiet within some seconds."""
        shown = await self._inbox.newest(_SHOWN)
        mine = [each for each in shown if each.channel_id in channel_ids]
        if not mine:
            return
        chosen = self._random.choice(mine)
        thread = self._oracle.thread_of(chosen.last_key or "")
        if thread is None:
            return
        async with self._gates.quiet(thread, timeout_s=_QUIET_WITHIN_S) as is_quiet:
            if not is_quiet:
                return
            self._asked += 1
            try:
                await self._inbox.mark_read(
                    chosen.identifier, key=f"{self._run}-read-{self._asked}"
                )
            except ApiError:
                self._oracle.mark_read(thread, is_certain=False)
                raise
            self._oracle.mark_read(thread)
            self.count += 1
