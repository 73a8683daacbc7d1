"""The actor that owns one partition, and how it is reached from another machine.

It decides nothing about messages: `Owner` runs the partition, `LocalAccess` answers questions.
"""

import asyncio
import os
from collections.abc import Awaitable
from contextlib import closing
from typing import Any, TypeVar

import msgspec
import ray
from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayTaskError

from airy_ray.cluster.access import LocalAccess, P, Question
from airy_ray.cluster.log_delivery import LogDelivery, LogTails
from airy_ray.cluster.logs import log_to_stderr
from airy_ray.cluster.machine import Machine, MachineSpec
from airy_ray.cluster.owner import Owner
from airy_ray.cluster.registry import Registry
from airy_ray.errors import DamagedError, PartitionUnavailableError, StateError
from airy_ray.filters.fulltext import FullText
from airy_ray.filters.query import Query
from airy_ray.garbage import collect_seldom
from airy_ray.model.channel import Channel
from airy_ray.model.events import Place
from airy_ray.model.ids import REGISTRY, ChannelId, PartitionIndex, owner_of
from airy_ray.partition.reader import PartitionReader
from airy_ray.rawlog.record import Offset, Record, encode
from airy_ray.state.queries import Reading
from airy_ray.state.search.searching import Found

T = TypeVar("T")

NAMESPACE = "airy"
_CALLERS_MAX = 1_000


class ActorStatus(msgspec.Struct, frozen=True):
    """How a partition's owner is.

    Attributes:
        is_owner: whether it has taken the partition.
        projection: the version that has made its rows; None while that cannot be told.
    """

    pid: int
    is_owner: bool
    projection: int | None = None


class PartitionActor:
    """Own one partition; answer, for other machines, what can be asked of it."""

    def __init__(self, index: PartitionIndex, machine: MachineSpec) -> None:
        log_to_stderr()
        self._index = index
        self._machine_spec = machine
        self._machine: Machine | None = None
        self._tails = LogTails(machine)
        self._registry: Registry | None = None
        self._delivery = LogDelivery(machine, self._tails)
        self._owner = Owner(
            machine.partition(index),
            machine.run_directory,
            channels=self._channel,
            aliases=self._alias,
            deliver=self._delivery.deliver,
        )
        collect_seldom()
        self._owner.start()

    async def status(self) -> ActorStatus:
        """Return how the owner is."""
        owner = self._owner
        return ActorStatus(os.getpid(), owner.partition is not None, owner.projection)

    async def append(self, record: bytes) -> Offset:
        """Store a record, encoded; durable on return."""
        return await self._access().append(_decode_record(record))

    async def wait(self, offset: Offset, timeout_s: float) -> bool:
        """Wait until the record at `offset` is applied; return whether it was in time."""
        return await self._access().wait(offset, timeout_s)

    async def ask(self, query: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Return the answer to a question, given as the name of a method of `Reading`."""
        return await self._access().ask(getattr(Reading, query), *args, **named)

    async def search(self, wanted: Query | FullText, limit: int) -> Found:
        """Return the newest conversations or messages that are wanted."""
        return await self._access().search(wanted, limit)

    async def stop(self) -> None:
        """Give the partition up in order."""
        if self._machine is not None:
            self._machine.close()
            self._machine = None
        await asyncio.to_thread(self._owner.stop)
        self._delivery.close()
        self._tails.close()

    def _channel(self, identifier: ChannelId) -> Channel | None:
        """Return a channel, for the thread of the owner."""
        if self._registry is None:
            self._registry = Registry(PartitionReader(self._tails[REGISTRY]))
        return self._registry.channel(identifier)

    def _alias(self, alias: bytes) -> Place | None:
        """Return where an alias leads; nowhere while its partition cannot be read."""
        count = self._machine_spec.partition(self._index).count
        try:
            keeper = PartitionReader(self._tails[owner_of(alias, count)])
            with closing(keeper), keeper.read() as view:
                return view.alias(alias)
        except (StateError, DamagedError):
            return None

    def _access(self) -> LocalAccess:
        if self._machine is None:  # needs the event loop, which a constructor does not have
            self._machine = Machine(self._machine_spec)
        return self._machine.partitions[self._index]


class RemoteAccess:
    """A partition on another machine, reached through its actor."""

    def __init__(self, actor: ActorHandle) -> None:
        self._actor = actor

    def append(self, record: Record) -> Awaitable[Offset]:
        """Store a record; durable once awaited."""
        appended: Awaitable[Offset] = _answered(self._actor.append.remote(encode(record)))
        return appended

    async def wait(self, offset: Offset, timeout_s: float) -> bool:
        """Wait until the record at `offset` is applied; return whether it was in time."""
        is_applied: bool = await _answered(self._actor.wait.remote(offset, timeout_s))
        return is_applied

    async def ask(self, query: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the answer to a question, asked where the state lies."""
        answer: T = await _answered(self._actor.ask.remote(query.__name__, args, kwargs))
        return answer

    def search(self, wanted: Query | FullText, limit: int) -> Awaitable[Found]:
        """Find the newest that are wanted, where the index lies."""
        found: Awaitable[Found] = _answered(self._actor.search.remote(wanted, limit))
        return found

    def status_now(self, *, timeout_s: float) -> ActorStatus:
        """Return how the owner is; blocks. Raises Ray's own errors."""
        status: ActorStatus = ray.get(self._actor.status.remote(), timeout=timeout_s)
        return status

    def stop_remotely(self) -> Any:
        """Have the owner give the partition up in order; return what to wait for."""
        return self._actor.stop.remote()


def start_partition(index: PartitionIndex, machine: MachineSpec) -> RemoteAccess:
    """Start, or find, the one actor that owns a partition."""
    actor = (
        ray.remote(PartitionActor)
        .options(
            name=actor_name(index),
            namespace=NAMESPACE,
            lifetime="detached",  # it outlives the supervisor that started it
            get_if_exists=True,
            max_restarts=-1,  # the log outlives the process: always come back
            max_task_retries=-1,  # appended twice is folded once, all else only asks
            max_concurrency=_CALLERS_MAX,  # each that waits for a record does so inside a call
            num_cpus=0,  # it is not there to be scheduled by load
        )
        .remote(index, machine)
    )
    return RemoteAccess(actor)


def find_partition(index: PartitionIndex) -> RemoteAccess:
    """Return the actor that owns a partition.

    Raises:
        PartitionUnavailableError: there is none.
    """
    try:
        return RemoteAccess(ray.get_actor(actor_name(index), NAMESPACE))
    except ValueError:
        raise PartitionUnavailableError(actor_name(index)) from None


def actor_name(index: PartitionIndex) -> str:
    """Return the name of the actor that owns a partition."""
    return "registry" if index == REGISTRY else f"partition-{index:02}"


async def _answered(reference: Any) -> Any:
    """Return what a call gives, or raise our own error for what became of it."""
    try:
        return await reference
    except RayTaskError as error:
        raise error.cause from None
    except RayActorError as error:
        raise PartitionUnavailableError(str(error)) from None


_decode_record = msgspec.msgpack.Decoder(Record).decode
