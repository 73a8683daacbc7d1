"""Contacts of several sources who have the same phone number are merged, where that is wished.

1. A conversation is looked at once, when its contact has first written, and with those that were
   looked at before: so two meet once, and who was parted stays so.
2. What a number is called on each channel is known, so the others are found by their ids.
3. One after the other: two that begin at once do not both take the other one over. The contact of
   the conversation that began first stays.
"""

import asyncio
import logging
from collections.abc import Mapping

from airy_ray.cluster.access import Appends, LocalAccess
from airy_ray.cluster.commands import Commands
from airy_ray.cluster.feeds import Feeds
from airy_ray.cluster.own_partitions import OwnPartitions
from airy_ray.cluster.partitions import Partitions
from airy_ray.cluster.registry import Registry
from airy_ray.errors import AiryError, RequestError
from airy_ray.model.commands import MergeContacts
from airy_ray.model.contact import Snapshot
from airy_ray.model.conversation import Conversation
from airy_ray.model.events import NumberSettled
from airy_ray.model.ids import (
    REGISTRY,
    ConversationId,
    PartitionIndex,
    command_id,
    conversation_id,
    format_id,
    owner_of,
    slot_of,
)
from airy_ray.model.phone_numbers import name_of, number_of
from airy_ray.state.queries import Reading

logger = logging.getLogger(__name__)

PRINCIPAL = "rule:same-number"
"""Whom the audit log names."""
_PAGE = 64
_WAIT_S = 10.0
_AGAIN_S = 1.0
_TROUBLE_S = 10.0
_TRIES_MAX = 3
_PASSING = 503


class NumberJoining:
    """Merges contacts with the same number; used in one event loop of one process."""

    def __init__(
        self,
        accesses: Mapping[PartitionIndex, LocalAccess],
        appender: Appends,
        registry: Registry,
        feeds: Feeds,
    ) -> None:
        self._count = accesses[REGISTRY].spec.count
        self._all = Partitions(accesses, self._count)
        self._commands = Commands(accesses, self._count, wait_s=_WAIT_S)
        self._partitions = OwnPartitions(accesses, appender)
        self._registry = registry
        self._feeds = feeds
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Merge until cancelled, whatever happens: messages are delivered all the same."""
        await self._partitions.applied(REGISTRY)
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    for index in self._partitions:
                        if index != REGISTRY:
                            group.create_task(self._follow(index))
            except Exception:  # whatever it is, it must not hold up others
                logger.exception("contacts are not merged now")
                await asyncio.sleep(_TROUBLE_S)

    async def _follow(self, index: PartitionIndex) -> None:
        await self._partitions.applied(index)
        async for _ in self._feeds.written(index, "numbers"):
            while found := await self._partitions.ask(index, Reading.verified_numbers, _PAGE):
                for conversation in found:
                    await self._settle(index, conversation)

    async def _settle(self, index: PartitionIndex, conversation: ConversationId) -> None:
        async with self._one_at_a_time:
            try:
                await self._join(conversation)
            except RequestError as error:
                logger.warning("%s: not merged: %s", format_id(conversation), error)
                if error.status == _PASSING:
                    await asyncio.sleep(_AGAIN_S)
                    return
            except AiryError as error:
                logger.warning("%s: not merged now: %s", format_id(conversation), error)
                await asyncio.sleep(_AGAIN_S)
                return
            await self._partitions.tell_at_leisure(index, NumberSettled(conversation))

    async def _join(self, identifier: ConversationId) -> None:
        """Merge the contact of a conversation with who has the same number elsewhere."""
        own = await self._all.conversation(identifier)
        if own is None:
            return  # erased
        for _ in range(_TRIES_MAX):
            both = await self._both(own)
            if both is None:
                return
            into, other = both
            seed = identifier + into.contact.id + other.contact.id
            command = MergeContacts(
                id=format_id(command_id(slot_of(into.contact.id), seed)),
                principal=PRINCIPAL,
                destination_id=format_id(into.contact.id),
                source=other,
            )
            answer = await self._commands.carry_out_everywhere(command)
            if answer.status != 404:  # the one that was to stay was merged itself meanwhile
                return

    async def _both(self, own: Conversation) -> tuple[Snapshot, Snapshot] | None:
        """Return who stays and who is taken over; None if there is nobody else."""
        found = [own, *await self._others(own)]
        found.sort(key=lambda each: (each.created_at, each.id))
        contacts = [
            contact
            for each in found
            if (contact := await self._all.contact_of(each.id)) is not None
        ]
        mine = await self._all.contact_of(own.id)
        if mine is None or not contacts:
            return None  # it was deleted
        into = contacts[0]
        taken = [each for each in (mine, *contacts) if each.contact.id != into.contact.id]
        return (into, taken[0]) if taken else None

    async def _others(self, own: Conversation) -> list[Conversation]:
        """Return conversations elsewhere with who has the number, of those looked at before."""
        number = number_of(own.source, own.source_conversation_id)
        others = []
        for channel in self._registry.channels():
            name = None if number is None else name_of(channel.source, number)
            if name is None:
                continue
            other = await self._all.conversation(conversation_id(channel.id, name))
            if other is None or other.id == own.id or other.last_inbound_at is None:
                continue
            owner = owner_of(other.id, self._count)
            if await self._partitions.ask(owner, Reading.is_number_settled, other.id):
                others.append(other)
        return others
