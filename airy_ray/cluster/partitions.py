"""All partitions as one: what is asked by id goes to its owner, lists are merged.

The cost of a list does not grow with the number of conversations: each partition gives its best
page, and the best of those are read.
"""

import heapq
from collections.abc import Mapping
from itertools import islice

from airy_ray.clock import now_micros
from airy_ray.cluster.access import P, PartitionAccess, Query, T
from airy_ray.errors import PartitionUnavailableError, RequestError
from airy_ray.model import commands
from airy_ray.model.commands import AnyCommand
from airy_ray.model.contact import Contact
from airy_ray.model.conversation import Conversation
from airy_ray.model.ids import (
    REGISTRY,
    CommandId,
    ContactId,
    ConversationId,
    MessageId,
    PartitionIndex,
    owner_of,
    parse_id,
)
from airy_ray.model.message import Message
from airy_ray.projections.view import Answer
from airy_ray.rawlog.record import Record, payload_id
from airy_ray.state.queries import Reading

ListedConversation = tuple[bytes, Conversation]
"""A conversation and the key that it is listed under."""


class Partitions:
    """The conversations of the whole platform, and its registry."""

    def __init__(
        self,
        accesses: Mapping[PartitionIndex, PartitionAccess],
        count: int,
        *,
        command_wait_s: float,
    ) -> None:
        self._accesses = accesses
        self._count = count
        self._command_wait_s = command_wait_s

    async def conversation(self, identifier: ConversationId) -> Conversation | None:
        """Return a conversation."""
        return await self._owner(identifier).ask(Reading.conversation, identifier)

    async def conversations(self, offset: int, limit: int) -> list[Conversation]:
        """Return conversations by their last message, newest first."""
        if limit <= 0:
            return []
        listed = [
            await access.ask(Reading.conversation_keys, offset + limit)
            for access in self._conversation_accesses()
        ]
        return [row for _, row in await self._merged(listed, offset, limit)]

    async def begin_walk(self, limit: int) -> tuple[list[ListedConversation], list[int]]:
        """Return the beginning of the list of conversations, and from where to walk on."""
        begun = [
            await access.ask(Reading.newest_conversation_keys, limit)
            for access in self._conversation_accesses()
        ]
        rows = await self._merged([keys for keys, _ in begun], 0, limit)
        return rows, [head for _, head in begun]

    async def walk_on(self, since: list[int], after: bytes, limit: int) -> list[ListedConversation]:
        """Return what follows a key of the list as it was when the walk began.

        The conversations are as they are now. None comes twice and none is left out, whatever
        arrives meanwhile, within the bounds of `Reading.walked_conversation_keys`.
        """
        if len(since) != self._count:
            raise RequestError(400, "cursor: not of this installation")
        listed = [
            await access.ask(Reading.walked_conversation_keys, head, after, limit)
            for access, head in zip(self._conversation_accesses(), since, strict=True)
        ]
        return await self._merged(listed, 0, limit)

    async def _merged(
        self, listed: list[list[bytes]], offset: int, limit: int
    ) -> list[ListedConversation]:
        """Return the rows of the best keys of all partitions."""
        page = list(islice(heapq.merge(*listed), offset, offset + limit))
        rows: dict[bytes, Conversation] = {}
        for access, owned in zip(self._conversation_accesses(), listed, strict=True):
            wanted = set(owned)
            asked = [key for key in page if key in wanted]
            if asked:
                found = await access.ask(Reading.listed_conversations, asked)
                rows |= zip(asked, found, strict=True)
        return [(key, rows[key]) for key in page]

    async def conversation_count(self) -> int:
        """Return how many conversations there are."""
        return sum(
            [
                await access.ask(Reading.conversation_count)
                for access in self._conversation_accesses()
            ]
        )

    async def messages(
        self, conversation: ConversationId, start: bytes | None, limit: int
    ) -> list[Message]:
        """Return messages of a conversation, newest first, from the one under key `start` on."""
        owner = self._owner(conversation)
        return await owner.ask(Reading.messages, conversation, start, limit)

    async def message_key(self, identifier: MessageId) -> bytes | None:
        """Return the key of a message, which begins with its conversation's id."""
        return await self._owner(identifier).ask(Reading.message_key, identifier)

    async def message(self, identifier: MessageId) -> Message | None:
        """Return a message."""
        return await self._owner(identifier).ask(Reading.message, identifier)

    async def person(self, contact: ContactId) -> list[ConversationId] | None:
        """Return the conversations of a contact; None if there is no such contact."""
        return await self._owner(contact).ask(Reading.person, contact)

    async def contact(self, identifier: ContactId) -> Contact | None:
        """Return a contact as it is kept."""
        return await self._owner(identifier).ask(Reading.contact_row, identifier)

    async def erasures(self, contact: ContactId) -> dict[PartitionIndex, bool] | None:
        """Return which partitions have erased all of a contact; None if it was never asked of them.

        One that has not heard of it yet has not.
        """
        told = [
            await access.ask(Reading.is_erased, contact) for access in self._conversation_accesses()
        ]
        if all(each is None for each in told):
            return None
        return {PartitionIndex(index): bool(each) for index, each in enumerate(told)}

    async def ask_registry(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the registry's answer to a question."""
        return await self._accesses[REGISTRY].ask(query, *args, **kwargs)

    async def carry_out(self, command: AnyCommand) -> Answer:
        """Have the owner of the command's slot carry it out; return its answer.

        What it did can be read when this returns.

        Raises:
            RequestError: 409, its id stands for another command; 500, it went to quarantine; 503,
                it was stored but is not applied yet: asked again under its id, it will be.
        """
        return await self._carried_out(self._owner(parse_id(command.id)), command)

    async def register(self, command: AnyCommand) -> Answer:
        """Have the registry carry a command out; return its answer, as `carry_out` does."""
        return await self._carried_out(self._accesses[REGISTRY], command)

    async def _carried_out(self, owner: PartitionAccess, command: AnyCommand) -> Answer:
        body = commands.encode(command)
        identifier = CommandId(parse_id(command.id))
        record = Record(now_micros(), "command", "api", body, payload_id(body))
        offset = await owner.append(record)
        if not await owner.wait(offset, self._command_wait_s):
            raise RequestError(503, f"stored, but not applied yet; its id is {command.id}")
        answer = await owner.ask(Reading.answer, identifier)
        if answer is None:
            raise RequestError(503, f"applied, but its answer is gone; its id was {command.id}")
        if answer.digest != record.payload_id:
            raise RequestError(409, "this idempotency key was used for another request")
        if answer.status >= 500:
            raise RequestError(answer.status, "the request could not be carried out")
        return answer

    def _owner(self, identifier: bytes) -> PartitionAccess:
        access = self._accesses.get(owner_of(identifier, self._count))
        if access is None:
            raise PartitionUnavailableError("no machine has this partition")
        return access

    def _conversation_accesses(self) -> list[PartitionAccess]:
        return [self._accesses[PartitionIndex(index)] for index in range(self._count)]
