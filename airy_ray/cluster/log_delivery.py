"""Records that an owner forwards: into the logs of other partitions of its machine."""

from airy_ray.cluster.doorbell import Ringer, owner_bell
from airy_ray.cluster.machine import MachineSpec
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.forwarding import Forward
from airy_ray.rawlog.record import prepare
from airy_ray.rawlog.tail import LogTail


class LogTails:
    """The logs of a machine, from an owner's thread.

    Each is opened when it is first used: one that is damaged keeps no owner from its work, least of
    all the one that has to repair it.
    """

    def __init__(self, machine: MachineSpec) -> None:
        self._machine = machine
        self._opened: dict[PartitionIndex, LogTail] = {}

    def __getitem__(self, index: PartitionIndex) -> LogTail:
        if index not in self._opened:
            self._opened[index] = LogTail(self._machine.partition(index).directory)
        return self._opened[index]

    def close(self) -> None:
        """Give the logs back."""
        for tail in self._opened.values():
            tail.close()


class LogDelivery:
    """Appends forwards to logs, from an owner's thread."""

    def __init__(self, machine: MachineSpec, tails: LogTails) -> None:
        self._tails = tails
        self._bells = {spec.index: owner_bell(spec.name) for spec in machine.partitions}
        self._ringer = Ringer(machine.run_directory)

    def deliver(self, forwards: list[Forward]) -> None:
        """Append records, in order; durable on return."""
        for forward in forwards:
            self._tails[forward.target].append([prepare(forward.record)])
            self._ringer.ring(self._bells[forward.target])

    def close(self) -> None:
        """Close what deliveries are announced through."""
        self._ringer.close()
