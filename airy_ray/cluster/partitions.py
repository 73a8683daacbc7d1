"""All partitions as one: what is asked by id goes to its owner, lists are merged.

The cost of a list does not grow with the number of conversations: each partition gives its best
page, and the best of those are read.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from airy_ray.clock import now_micros
from airy_ray.cluster.access import P, PartitionAccess, Question, T
from airy_ray.errors import PartitionUnavailableError, RequestError
from airy_ray.filters.fulltext import FullText
from airy_ray.filters.query import Query
from airy_ray.model import commands
from airy_ray.model.commands import AnyCommand
from airy_ray.model.conversation import Conversation
from airy_ray.model.ids import (
    REGISTRY,
    CommandId,
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
from airy_ray.state.search.searching import Found, Hit

Ranked = list[tuple[int, T]]
"""Rows with their ranks in a list that was searched for, greatest first."""

_AT_ONCE = 1_000
"""How much is asked for before it is known how much there is: the index reserves room for it."""


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
        keys = [
            await access.ask(Reading.conversation_keys, offset + limit)
            for access in self._conversation_accesses()
        ]
        page = list(islice(heapq.merge(*keys), offset, offset + limit))
        rows: dict[bytes, Conversation] = {}
        for access, owned in zip(self._conversation_accesses(), keys, strict=True):
            wanted = set(owned)
            asked = [key for key in page if key in wanted]
            if asked:
                found = await access.ask(Reading.listed_conversations, asked)
                rows |= zip(asked, found, strict=True)
        return [rows[key] for key in page]

    async def conversation_count(self) -> int:
        """Return how many conversations there are."""
        return sum(
            [
                await access.ask(Reading.conversation_count)
                for access in self._conversation_accesses()
            ]
        )

    async def filtered_conversations(
        self, query: Query, offset: int, limit: int
    ) -> tuple[int, list[Conversation]]:
        """Return how many conversations a filter finds, and a page of them, newest first.

        Raises:
            FilterError: it asks for too much.
            IndexingError: the search index is being built.
        """
        found = await self._search(query, offset + limit)
        total = sum(each.total for each in found)
        is_within = limit > 0 and offset < total
        hits = list(islice(_merged(found), offset, offset + limit)) if is_within else []
        rows = await self._rows(hits, Reading.found_conversations)
        return total, [row for _, row in rows]

    async def found_messages(self, wanted: FullText, limit: int) -> tuple[int, Ranked[Message]]:
        """Return how many messages are wanted, and the newest, each with its rank in the list.

        Raises:
            IndexingError: the search index is being built.
        """
        found = await self._search(wanted, limit)
        hits = list(islice(_merged(found), limit))
        rows = await self._rows(hits, Reading.found_messages)
        return sum(each.total for each in found), rows

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

    async def ask_registry(self, query: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
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

    async def _search(self, wanted: Query | FullText, limit: int) -> list[Found]:
        """Return what each partition finds, at most `limit`, which nothing is reserved for."""
        accesses = self._conversation_accesses()
        if limit <= _AT_ONCE:
            return await asyncio.gather(*(each.search(wanted, limit) for each in accesses))
        counted = await asyncio.gather(*(each.search(wanted, 0) for each in accesses))
        return await asyncio.gather(
            *(
                access.search(wanted, min(limit, found.total))
                for access, found in zip(accesses, counted, strict=True)
            )
        )

    async def _rows(
        self, hits: list[Hit], query: Callable[[Reading, list[Any]], list[T | None]]
    ) -> Ranked[T]:
        """Return the rows of what was found, in order, without what is gone since."""
        owned: dict[PartitionIndex, list[bytes]] = {}
        for hit in hits:
            owned.setdefault(owner_of(hit.id, self._count), []).append(hit.id)
        rows: dict[bytes, T | None] = {}
        for index, identifiers in owned.items():
            found = await self._accesses[index].ask(query, identifiers)
            rows |= zip(identifiers, found, strict=True)
        return [(hit.rank, row) for hit in hits if (row := rows[hit.id]) is not None]

    def _owner(self, identifier: bytes) -> PartitionAccess:
        access = self._accesses.get(owner_of(identifier, self._count))
        if access is None:
            raise PartitionUnavailableError("no machine has this partition")
        return access

    def _conversation_accesses(self) -> list[PartitionAccess]:
        return [self._accesses[PartitionIndex(index)] for index in range(self._count)]


def _merged(found: list[Found]) -> Iterator[Hit]:
    return heapq.merge(*(each.hits for each in found), key=lambda hit: -hit.rank)
