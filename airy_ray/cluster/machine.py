"""What a process needs to work with the partitions of its machine: logs, sockets, registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airy_ray.cluster.access import LocalAccess
from airy_ray.cluster.appender import Appender
from airy_ray.cluster.applied_waiters import AppliedWaiters
from airy_ray.cluster.layout import Layout, run_directory, specs
from airy_ray.cluster.registry import Registry
from airy_ray.cluster.shared_hops import SharedHops
from airy_ray.cluster.thread_appender import ThreadAppender
from airy_ray.model.ids import REGISTRY, PartitionIndex
from airy_ray.partition.spec import PartitionSpec

if TYPE_CHECKING:
    from airy_ray.config import Settings  # owners do without what it is made of


@dataclass(frozen=True)
class MachineSpec:
    """What a process must be told to open the partitions of its machine.

    Attributes:
        partitions: those that have their directory here, the registry among them.
        append_wait_s: how long a record may wait to be stored.
        append_queue: how many records may wait in one process.
    """

    partitions: Sequence[PartitionSpec]
    run_directory: Path
    append_wait_s: float
    append_queue: int

    def partition(self, index: PartitionIndex) -> PartitionSpec:
        """Return one of the partitions."""
        return next(spec for spec in self.partitions if spec.index == index)

    @property
    def count(self) -> int:
        """How many partitions the conversations are spread over."""
        return self.partitions[0].count


def machine_spec(settings: Settings, layout: Layout) -> MachineSpec:
    """Return this machine's partitions, as the settings have them."""
    return MachineSpec(
        partitions=specs(settings, layout),
        run_directory=run_directory(settings.data),
        append_wait_s=settings.limits.append_wait_s,
        append_queue=settings.limits.append_queue,
    )


class Machine:
    """The partitions of this machine, opened once for a whole process, in its event loop.

    A process that appends seldom has no writer process beside it, which takes 15 MB.
    """

    def __init__(self, spec: MachineSpec, *, appends_seldom: bool = False) -> None:
        self.spec = spec
        self.appender: Appender | ThreadAppender
        if appends_seldom:
            self.appender = ThreadAppender(spec.partitions, spec.run_directory)
        else:
            self.appender = Appender(
                spec.partitions,
                spec.run_directory,
                wait_s=spec.append_wait_s,
                queue_records=spec.append_queue,
            )
        self.waiters = AppliedWaiters(spec.run_directory)
        searches = SharedHops()
        self.partitions = {
            each.index: LocalAccess(each, self.appender, self.waiters, searches, spec.run_directory)
            for each in spec.partitions
        }
        self.registry = Registry(self.partitions[REGISTRY].reader)

    def close(self) -> None:
        """Store what waits and give everything back."""
        self.appender.close()
        self.waiters.close()
        for access in self.partitions.values():
            access.close()
