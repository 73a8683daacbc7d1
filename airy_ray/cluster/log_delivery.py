"""Records that an owner forwards: into the logs of other partitions of its machine."""

from collections.abc import Mapping

from airy_ray.cluster.doorbell import Ringer, owner_bell
from airy_ray.cluster.machine import MachineSpec
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.forwarding import Forward
from airy_ray.rawlog.record import prepare
from airy_ray.rawlog.tail import LogTail


class LogDelivery:
    """Appends forwards to logs, from an owner's thread."""

    def __init__(self, machine: MachineSpec, tails: Mapping[PartitionIndex, LogTail]) -> None:
        self._tails = tails
        self._bells = {spec.index: owner_bell(spec.name) for spec in machine.partitions}
        self._ringer = Ringer(machine.run_directory)

    def deliver(self, forwards: list[Forward]) -> None:
        """Append records, in order; durable on return."""
        for forward in forwards:
            self._tails[forward.target].append([prepare(forward.record)])
            self._ringer.ring(self._bells[forward.target])
