"""A partition as the serving processes use it: append, wait, ask; here or on another machine.

`LocalAccess` appends to its log and reads its state through memory maps, with no call to its owner.
`RemoteAccess`, beside the actor, does the same there. Both are used alike and pass one suite.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import msgspec

from airy_ray.cluster.applied_waiters import AppliedWaiters
from airy_ray.cluster.doorbell import Damaged, Ringer, asking_bell
from airy_ray.cluster.shared_hops import SharedHops
from airy_ray.errors import (
    AiryError,
    DamagedError,
    PartitionUnavailableError,
    RowCorruptError,
    StateError,
)
from airy_ray.filters.fulltext import FullText
from airy_ray.filters.query import Query
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Offset, Record
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.queries import Reading
from airy_ray.state.search.searching import Found, SearchIndex

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A", bound="ReadAccess")

Question = Callable[Concatenate[Reading, P], T]
"""A question to a consistent view of a state: a method of `Reading` whose answer can be sent."""


class ReadAccess(Protocol):
    """What can be asked of one partition from outside of its owner."""

    async def ask(self, query: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the answer to a question; may be repeated.

        Raises:
            RebuildingError: the state is being rebuilt.
            RowCorruptError, DamagedError: it is damaged; its owner has been told.
            PartitionUnavailableError: it cannot be reached now.
        """
        ...

    def search(self, wanted: Query | FullText, limit: int) -> Awaitable[Found]:
        """Find the newest conversations or messages that are wanted, at most `limit`.

        Fails, once awaited, with:
            FilterError: it asks for too much.
            IndexingError, RebuildingError: index or state are being built.
            PartitionUnavailableError: it cannot be reached now.
        """
        ...


class Appends(Protocol):
    """How a process appends to the logs of its machine."""

    @property
    def tails(self) -> Mapping[PartitionIndex, LogTail]:
        """The logs, for reading."""
        ...

    def append(self, partition: PartitionIndex, record: Record) -> Awaitable[Offset]:
        """Have a record stored; durable once awaited."""
        ...


class PartitionAccess(ReadAccess, Protocol):
    """What can be done with one partition from outside of its owner."""

    def append(self, record: Record) -> Awaitable[Offset]:
        """Store a record; durable once awaited. Fails as `Appender.append` does."""
        ...

    async def wait(self, offset: Offset, timeout_s: float) -> bool:
        """Wait until the record at `offset` is applied; return whether it was in time."""
        ...


Accesses = Mapping[PartitionIndex, ReadAccess]
_AGAIN_S = 0.2


def access_to(accesses: Mapping[PartitionIndex, A], index: PartitionIndex) -> A:
    """Return the access to a partition.

    Raises:
        PartitionUnavailableError: no machine has it.
    """
    access = accesses.get(index)
    if access is None:
        raise PartitionUnavailableError("no machine has this partition")
    return access


async def asked(
    accesses: Accesses,
    index: PartitionIndex,
    query: Question[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Return a partition's answer, as soon as its state can be read: for who has all the time."""
    while True:
        try:
            return await accesses[index].ask(query, *args, **kwargs)
        except (StateError, DamagedError, PartitionUnavailableError):
            await asyncio.sleep(_AGAIN_S)


class LocalAccess:
    """A partition whose directory is on this machine."""

    def __init__(
        self,
        spec: PartitionSpec,
        appender: Appends,
        waiters: AppliedWaiters,
        searches: SharedHops,
        run_directory: Path,
    ) -> None:
        self.spec = spec
        self.reader = PartitionReader(appender.tails[spec.index])
        self._appender = appender
        self._waiters = waiters
        self._searches = searches
        self._bell = asking_bell(spec.name)
        self._ringer = Ringer(run_directory)
        self._index: tuple[Path, SearchIndex] | None = None

    def append(self, record: Record) -> Awaitable[Offset]:
        """Store a record; durable once awaited."""
        return self._appender.append(self.spec.index, record)

    async def wait(self, offset: Offset, timeout_s: float) -> bool:
        """Wait until the record at `offset` is applied; return whether it was in time."""
        return await self._waiters.wait(
            self.spec.index, self._bell, offset, self._applied, timeout_s=timeout_s
        )

    async def ask(self, query: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the answer to a question, read where the state lies."""
        return self._asked(query, *args, **kwargs)

    def search(self, wanted: Query | FullText, limit: int) -> Awaitable[Found]:
        """Find the newest that are wanted, where the index lies, on another thread."""
        try:
            state = self._asked(Reading.path)
        except AiryError as error:
            return _failed(error)
        if self._index is None or self._index[0] != state:
            self._index = state, SearchIndex(state)
        return self._searches.call(self._index[1].search, wanted, limit)

    def close(self) -> None:
        """Give the state back."""
        self.reader.close()
        self._ringer.close()

    def _asked(self, query: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with self.reader.read() as view:
                return query(view, *args, **kwargs)
        except (RowCorruptError, DamagedError):
            self._ringer.ring(self._bell, msgspec.msgpack.encode(Damaged()))
            raise

    def _applied(self) -> int:
        """Return how far the partition is; 0 while that cannot be told."""
        try:
            with self.reader.read() as view:
                return view.applied()
        except AiryError:
            return 0


def _failed(error: AiryError) -> Awaitable[Found]:
    """Return what fails for whoever awaits it, as it does when the search itself fails."""
    failed: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
    failed.set_exception(error)
    return failed
