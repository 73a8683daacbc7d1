"""What of a process waits until its records are applied, woken by their partitions' owners."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from airy_ray.cluster.doorbell import Applied, Bell, Ringer, WakeMe, decode_applied
from airy_ray.model.ids import PartitionIndex


class AppliedWaiters:
    """The futures of one process that wait until their records are applied."""

    def __init__(self, directory: Path) -> None:
        self._bell = Bell(directory, f"w-{os.getpid()}")
        self._ringer = Ringer(directory)
        self._waiting: dict[PartitionIndex, list[tuple[int, asyncio.Future[None]]]] = defaultdict(
            list
        )
        asyncio.get_running_loop().add_reader(self._bell.fileno(), self._hear)

    async def wait(
        self,
        partition: PartitionIndex,
        bell: str,
        offset: int,
        applied: Callable[[], int],
        *,
        timeout_s: float,
        poll_s: float = 0.05,
    ) -> bool:
        """Wait until the record at `offset` is applied; return whether it is within `timeout_s`.

        `applied` reads how far the partition is, in case that no datagram comes.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        said = msgspec.msgpack.encode(WakeMe(self._bell.name, offset))
        while applied() <= offset:
            left = deadline - loop.time()
            if left <= 0:
                return False
            future: asyncio.Future[None] = loop.create_future()
            self._waiting[partition].append((offset, future))
            self._ringer.ring(bell, said)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, poll_s)):  # `wait_for` may lose a cancellation
                    await future
        return True

    def close(self) -> None:
        """Stop listening."""
        asyncio.get_running_loop().remove_reader(self._bell.fileno())
        self._bell.close()
        self._ringer.close()

    def _hear(self) -> None:
        for said in self._bell.drain():
            with suppress(msgspec.DecodeError):
                self._wake(decode_applied(said))

    def _wake(self, told: Applied) -> None:
        still = []
        for offset, future in self._waiting[told.partition]:
            if future.done():
                continue
            if offset < told.applied:
                future.set_result(None)
            else:
                still.append((offset, future))
        self._waiting[told.partition] = still
