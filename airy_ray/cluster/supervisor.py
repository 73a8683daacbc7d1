"""The actor that sees to it that every partition has an owner, and that nobody holds one up.

It watches on a thread of its own from the moment it is made, so that one which Ray starts again
goes on without being told to.
"""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable

import ray
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayError

from airy_ray.clock import now_millis
from airy_ray.cluster.child_process import ChildProcess
from airy_ray.cluster.delivering import DeliveringProcess
from airy_ray.cluster.duties import Duties
from airy_ray.cluster.indexing import IndexingProcess
from airy_ray.cluster.logs import log_to_stderr
from airy_ray.cluster.machine import MachineSpec
from airy_ray.cluster.partition_actor import NAMESPACE, ActorStatus, RemoteAccess, start_partition
from airy_ray.cluster.upgrading import Upgrading
from airy_ray.garbage import give_back
from airy_ray.model.ids import PartitionIndex
from airy_ray.rawlog.tail import BEACON
from airy_ray.replay.upgrade import OnUpgrade
from airy_ray.storage.beacon import Beacon, is_alive

logger = logging.getLogger(__name__)

_NAME = "supervisor"
_LOOK_S = 1.0
_FROZEN_MS = 5_000
"""How long a process may hold a log's write lock; an append takes less than a millisecond."""
_SILENT_LOOKS_MAX = 20
"""After how many looks without an answer an owner is killed and started again."""
_STOP_S = 30.0


class Supervisor:
    """Start the owners of all partitions, and watch over them."""

    def __init__(self, machine: MachineSpec, duties: Duties, on_upgrade: OnUpgrade) -> None:
        log_to_stderr()
        give_back()
        self._machine = machine
        self._partitions: dict[PartitionIndex, RemoteAccess] = {}
        self._statuses: dict[PartitionIndex, ActorStatus] = {}
        self._silent_looks: dict[PartitionIndex, int] = {}
        self._beacons = {spec.index: Beacon(spec.directory / BEACON) for spec in machine.partitions}
        self._start_child: dict[str, Callable[[], ChildProcess]] = {
            "indexing": lambda: IndexingProcess(machine.partitions, machine.run_directory),
            "courier": lambda: DeliveringProcess(machine.partitions, machine.run_directory, duties),
        }
        self._children: dict[str, ChildProcess] = {}
        self._upgrading = Upgrading(machine.partitions, on_upgrade)
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._watcher.start()

    def are_owned(self) -> bool:
        """Whether every partition has had an owner since this supervisor was made."""
        statuses = [self._statuses.get(spec.index) for spec in self._machine.partitions]
        return all(status is not None and status.is_owner for status in statuses)

    def stop(self) -> None:
        """Have all owners give up their partitions in order."""
        self._stop.set()
        self._watcher.join()
        for child in self._children.values():
            child.end()
        stopping = [access.stop_remotely() for access in self._partitions.values()]
        ray.wait(stopping, num_returns=len(stopping), timeout=_STOP_S)

    def _watch(self) -> None:
        for spec in self._machine.partitions:
            self._partitions[spec.index] = start_partition(spec.index, self._machine)
        wait_s = 0.1  # the first answers make the system ready
        while not self._stop.wait(wait_s):
            self._free_logs()
            for name in self._start_child:
                self._keep_child(name)
            for index, access in self._partitions.items():
                self._ping(index, access)
            if self.are_owned():
                wait_s = _LOOK_S
                self._upgrade()

    def _upgrade(self) -> None:
        """Go on with what becomes of rows that an earlier release has made."""
        if self._upgrading.is_over:
            return
        names = {spec.index: spec.name for spec in self._machine.partitions}
        told = {names[index]: each.projection for index, each in self._statuses.items()}
        projections = {name: each for name, each in told.items() if each is not None}
        if len(projections) < len(names):
            return
        try:
            self._upgrading.look(projections)
        except OSError:  # the disk may be full; the next look tries again
            logger.exception("what an earlier release has made cannot be replayed")

    def _keep_child(self, name: str) -> None:
        """Start a process that feeds the search indexes or delivers messages, again if need be."""
        child = self._children.get(name)
        if child is not None and child.is_alive:
            return
        if child is not None:
            logger.error("the %s process has ended, starting it again", name)
            del self._children[name]
            child.end()
        try:
            self._children[name] = self._start_child[name]()
        except OSError:  # no memory, no more processes: the next look tries again
            logger.exception("the %s process cannot be started", name)

    def _free_logs(self) -> None:
        """Kill a process that stopped moving inside an append: it holds up everybody else."""
        for index, beacon in self._beacons.items():
            writer = beacon.writer
            if writer is None:
                continue
            pid, since = writer
            if now_millis() - since > _FROZEN_MS and is_alive(pid):
                logger.error("partition %d: killing process %d, frozen in an append", index, pid)
                _kill(pid)

    def _ping(self, index: PartitionIndex, access: RemoteAccess) -> None:
        """Ask an owner how it is; kill one that keeps silent, so that Ray starts it again."""
        try:
            self._statuses[index] = access.status_now(timeout_s=_LOOK_S)
            self._silent_looks[index] = 0
        except GetTimeoutError:
            self._silent_looks[index] = self._silent_looks.get(index, 0) + 1
            status = self._statuses.get(index)
            if status is not None and self._silent_looks[index] >= _SILENT_LOOKS_MAX:
                logger.error("partition %d: its owner does not answer, killing it", index)
                self._silent_looks[index] = 0
                _kill(status.pid)
        except RayError:
            pass  # it died and is on its way back


def start_supervisor(machine: MachineSpec, duties: Duties, on_upgrade: OnUpgrade) -> ActorHandle:
    """Start, or find, the one supervisor."""
    return (
        ray.remote(Supervisor)
        .options(
            name=_NAME,
            namespace=NAMESPACE,
            lifetime="detached",  # it outlives whoever started the system
            get_if_exists=True,
            max_restarts=-1,  # nothing is lost with it: always come back
            max_task_retries=-1,  # every method may be repeated
            num_cpus=0,  # it is not there to be scheduled by load
        )
        .remote(machine, duties, on_upgrade)
    )


class SupervisorClient:
    """The supervisor, called like a local object."""

    def __init__(self, machine: MachineSpec, duties: Duties, on_upgrade: OnUpgrade) -> None:
        self._actor = start_supervisor(machine, duties, on_upgrade)

    def are_owned(self) -> bool:
        """Whether every partition has had an owner since the supervisor was made."""
        are_owned: bool = ray.get(self._actor.are_owned.remote())
        return are_owned

    def stop(self) -> None:
        """Have all owners give up their partitions in order, then end."""
        ray.get(self._actor.stop.remote(), timeout=_STOP_S + _LOOK_S)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
