"""Commands are carried out by the partitions that own their slots, and answered once applied."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from airy_ray.clock import now_micros
from airy_ray.cluster.access import PartitionAccess, access_to
from airy_ray.errors import AiryError, RequestError
from airy_ray.model import commands
from airy_ray.model.commands import AnyCommand
from airy_ray.model.ids import REGISTRY, CommandId, PartitionIndex, owner_of, parse_id, partition_of
from airy_ray.projections import keys
from airy_ray.projections.view import Answer, Outgoing
from airy_ray.rawlog.record import Offset, Record, payload_id
from airy_ray.state.queries import Reading

_ECHOES_MAX = 3
"""How often what others tell in turn is waited for: a merge is told, passed on, and told back."""


class Commands:
    """Has commands carried out by the partitions of the platform, its registry among them."""

    def __init__(
        self, accesses: Mapping[PartitionIndex, PartitionAccess], count: int, *, wait_s: float
    ) -> None:
        self._accesses = accesses
        self._count = count
        self._wait_s = wait_s

    async def carry_out(self, command: AnyCommand) -> Answer:
        """Have the owner of the command's slot carry it out; return its answer.

        What it did can be read when this returns.

        Raises:
            RequestError: 409, its id stands for another command; 500, it went to quarantine; 503,
                it was stored but is not applied yet: asked again under its id, it will be.
        """
        answer, _ = await self._applied(self._owner(command), command)
        return answer

    async def carry_out_everywhere(self, command: AnyCommand) -> Answer:
        """Do as `carry_out`, and wait until other partitions have heard of it, and answered.

        A partition that cannot be reached now is not waited for longer than a command is; it will
        hear of it.
        """
        owner = self._owner(command)
        answer, offset = await self._applied(owner, command)
        deadline = asyncio.get_running_loop().time() + self._wait_s
        with suppress(AiryError):  # the command is carried out, whoever cannot be asked about it
            await self._told(owner, offset, deadline, _ECHOES_MAX)
        return answer

    async def register(self, command: AnyCommand) -> Answer:
        """Have the registry carry a command out; return its answer, as `carry_out` does."""
        return await self.carry_out_in(REGISTRY, command)

    async def carry_out_in(self, partition: PartitionIndex, command: AnyCommand) -> Answer:
        """Have a partition carry a command out that is about what lies there, whatever its id."""
        answer, _ = await self._applied(partition, command)
        return answer

    def _owner(self, command: AnyCommand) -> PartitionIndex:
        return owner_of(parse_id(command.id), self._count)

    async def _applied(self, owner: PartitionIndex, command: AnyCommand) -> tuple[Answer, Offset]:
        """Have a command carried out; return its answer and the place of its record."""
        access = access_to(self._accesses, owner)
        body = commands.encode(command)
        record = Record(now_micros(), "command", "api", body, payload_id(body))
        offset = await access.append(record)
        if not await access.wait(offset, self._wait_s):
            raise RequestError(503, f"stored, but not applied yet; its id is {command.id}")
        answer = await access.ask(Reading.answer, CommandId(parse_id(command.id)))
        if answer is None:
            raise RequestError(503, f"applied, but its answer is gone; its id was {command.id}")
        if answer.digest != commands.asked(command, record.payload_id):
            raise RequestError(409, "this idempotency key was used for another request")
        if answer.status >= 500:
            raise RequestError(answer.status, "the request could not be carried out")
        return answer, offset

    async def _told(
        self, teller: PartitionIndex, offset: int, deadline: float, echoes: int
    ) -> None:
        """Wait until all have heard what a record has for them, and what comes back of that."""
        last: dict[PartitionIndex, CommandId] = {}
        for sequence, outgoing in await self._accesses[teller].ask(Reading.outgoing, offset):
            forwarded = keys.forwarded(teller, sequence, payload_id(outgoing.body))
            for target in self._targets(outgoing):  # who has heard this has heard all before it
                last[target] = CommandId(forwarded)
        for target, key in last.items():
            heard = await self._heard(target, key, deadline)
            if heard is not None and echoes > 0:
                await self._told(target, heard, deadline, echoes - 1)

    def _targets(self, outgoing: Outgoing) -> list[PartitionIndex]:
        if outgoing.slot is not None:
            return [partition_of(outgoing.slot, self._count)]
        return [PartitionIndex(index) for index in range(self._count)]

    async def _heard(self, target: PartitionIndex, key: CommandId, deadline: float) -> int | None:
        """Wait until a partition has folded what it is told; return the place of that record."""
        access = self._accesses.get(target)
        if access is None:
            return None
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            applied = await access.ask(Reading.applied)
            if await access.ask(Reading.answer, key) is not None:
                return await access.ask(Reading.offset_of, key)
            await access.wait(Offset(applied), left)
        return None
