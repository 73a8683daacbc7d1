"""The partitions of a machine for who has all the time: asked and told until that succeeds."""

import asyncio
import logging
from collections.abc import Iterator, Mapping

from airy_ray.clock import Micros, now_micros
from airy_ray.cluster.access import Appends, LocalAccess, P, Question, T, asked
from airy_ray.errors import AiryError
from airy_ray.model import commands
from airy_ray.model.commands import AnyCommand
from airy_ray.model.events import Event
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.fold import encode_event
from airy_ray.rawlog.record import Kind, Offset, Record, payload_id
from airy_ray.state.queries import Reading

logger = logging.getLogger(__name__)

_TROUBLE_S = 0.5
_WAIT_S = 5.0
_LEISURE_S = 0.1


class OwnPartitions:
    """States that are asked, and logs that are told what came of calls to platforms."""

    def __init__(self, accesses: Mapping[PartitionIndex, LocalAccess], appender: Appends) -> None:
        self._accesses = accesses
        self._appender = appender

    def __iter__(self) -> Iterator[PartitionIndex]:
        """Yield their indices."""
        return iter(self._accesses)

    async def applied(self, index: PartitionIndex) -> None:
        """Wait until a state has reached the end that its log has now."""
        head = self._appender.tails[index].head
        while not await self._accesses[index].wait(Offset(head - 1), _WAIT_S):
            logger.info("partition %d: waiting until its log is applied", index)

    async def tell(self, index: PartitionIndex, event: Event) -> None:
        """Append an event, however long it takes, and wait until it is applied."""
        await self._keep(index, "outcome", "", encode_event(event), now_micros())

    async def tell_at_leisure(self, index: PartitionIndex, event: Event) -> None:
        """Do the same, but hurry nobody: who is waited for folds records in smaller batches."""
        body = encode_event(event)
        offset = await self.store(
            index, Record(now_micros(), "outcome", "", body, payload_id(body))
        )
        while await self.ask(index, Reading.applied) <= offset:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(_LEISURE_S)

    async def command(self, index: PartitionIndex, command: AnyCommand, at: Micros) -> None:
        """Do the same with a command, as if it had been received `at`; its answer can be asked."""
        await self._keep(index, "command", "api", commands.encode(command), at)

    async def ask(
        self, index: PartitionIndex, query: Question[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return a partition's answer, as soon as its state can be read."""
        return await asked(self._accesses, index, query, *args, **kwargs)

    async def store(self, index: PartitionIndex, record: Record) -> Offset:
        """Append a record, however long it takes; return where."""
        while True:
            try:
                return await self._appender.append(index, record)
            except AiryError as error:  # appended twice it is folded once: it has its number
                logger.warning("partition %d: a record cannot be stored now: %s", index, error)
                await asyncio.sleep(_TROUBLE_S)

    async def _keep(
        self, index: PartitionIndex, kind: Kind, source: str, body: bytes, at: Micros
    ) -> None:
        offset = await self.store(index, Record(at, kind, source, body, payload_id(body)))
        while not await self._accesses[index].wait(offset, _WAIT_S):
            logger.warning("partition %d: waiting until a record is applied", index)
