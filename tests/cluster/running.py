"""A running system as its tests need it: who is who among its processes, what they have stored."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from airy_ray.cluster.access import PartitionAccess
from airy_ray.cluster.machine import Machine, MachineSpec
from airy_ray.cluster.partition_actor import find_partition
from airy_ray.model.ids import REGISTRY, PartitionIndex
from airy_ray.partition import ownership
from airy_ray.partition.reader import PartitionReader
from airy_ray.projections.view import Change
from airy_ray.rawlog.tail import LogTail
from tests.e2e.program import descendants, until

T = TypeVar("T")

BACK_S = 60.0
"""How long a killed process may take to be back, on a machine that does much else."""
_FEED_MAX = 100_000


@dataclass(frozen=True)
class Cluster:
    """The running system."""

    machine: MachineSpec
    url: str

    def owner(self, index: PartitionIndex) -> int | None:
        """Return the process that owns a partition now."""
        return ownership.owner_of(self.machine.partition(index).directory)

    def changes(self) -> list[Change]:
        """Return the change feeds of all partitions, each from its beginning."""
        found = []
        for spec in self.machine.partitions:
            if spec.index != REGISTRY:
                tail = LogTail(spec.directory, is_read_only=True)
                reader = PartitionReader(tail)
                with reader.read() as view:
                    found += [change for _, change in view.changes(0, _FEED_MAX)]
                reader.close()
                tail.close()
        return found


def process(title: str, *, below: int | None = None) -> int | None:
    """Return the one process of the system, or below one of it, that is called so, if it is."""
    found = [pid for pid, name in descendants(below or os.getpid()).items() if title in name]
    return found[0] if len(found) == 1 else None


def log_writer(replica: str) -> int | None:
    """Return the process that stores what a replica takes in, while there is one."""
    owner = process(replica)
    return None if owner is None else process("airy_ray.cluster.log_writer", below=owner)


def kill(find: Callable[[], int | None]) -> int:
    """Kill a process, without a chance to do anything about it; return its id."""
    pid: int = until(find, BACK_S)
    os.kill(pid, signal.SIGKILL)
    return pid


def until_back(find: Callable[[], int | None], killed: int) -> None:
    """Wait until another process has taken the place of one that was killed."""
    until(lambda: (pid := find()) is not None and pid != killed, BACK_S)


def used_locally(
    cluster: Cluster, index: PartitionIndex, use: Callable[[PartitionAccess], Awaitable[T]]
) -> T:
    """Use a partition as a serving process of its machine does."""

    async def main() -> T:
        machine = Machine(cluster.machine)
        try:
            return await use(machine.partitions[index])
        finally:
            machine.close()

    return asyncio.run(main())


def used_remotely(
    _: Cluster, index: PartitionIndex, use: Callable[[PartitionAccess], Awaitable[T]]
) -> T:
    """Use a partition as a process of another machine does."""

    async def main() -> T:
        return await use(find_partition(index))

    return asyncio.run(main())
