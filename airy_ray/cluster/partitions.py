"""All partitions as one: what is asked by id goes to its owner, lists are merged.

The cost of a list does not grow with the number of conversations: each partition gives its best
page, and the best of those are read.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from airy_ray.cluster.access import P, Question, ReadAccess, T, access_to
from airy_ray.errors import RequestError
from airy_ray.filters.fulltext import FullText
from airy_ray.filters.query import Query
from airy_ray.model.contact import Snapshot
from airy_ray.model.conversation import Conversation
from airy_ray.model.ids import (
    REGISTRY,
    ContactId,
    ConversationId,
    MessageId,
    PartitionIndex,
    owner_of,
)
from airy_ray.model.message import Message
from airy_ray.projections import keys
from airy_ray.state.queries import Reading
from airy_ray.state.search.searching import Found, Hit

Ranked = list[tuple[int, T]]
"""Rows with their ranks in a list that was searched for, greatest first."""

_AT_ONCE = 1_000
"""How much is asked for before it is known how much there is: the index reserves room for it."""

ListedConversation = tuple[bytes, Conversation]
"""A conversation and the key that it is listed under."""

_STEP = 500


class Partitions:
    """The conversations of the whole platform, and its registry."""

    def __init__(self, accesses: Mapping[PartitionIndex, ReadAccess], count: int) -> None:
        self._accesses = accesses
        self._count = count
        self._walking = asyncio.Lock()

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
        rows = await self._merged([listed for listed, _ in begun], 0, limit)
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

    async def conversations_on(
        self, channels: frozenset[bytes], offset: int, limit: int
    ) -> tuple[list[Conversation], int]:
        """Return a page of the conversations on some channels, and how many there are.

        Looks at every conversation, a few at a time, and for one caller after the other.
        """
        async with self._walking:
            walks = [
                await _walked(access, channels, offset + limit)
                for access in self._conversation_accesses()
            ]
        page = islice(heapq.merge(*(keys for keys, _ in walks)), offset, offset + limit)
        rows = [await self.conversation(ConversationId(key[8:])) for key in page]
        return [row for row in rows if row is not None], sum(count for _, count in walks)

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
    ) -> tuple[int, Ranked[Conversation]]:
        """Return how many conversations a filter finds, and a page of them, newest first.

        Each comes with its rank: when its last message was.

        Raises:
            FilterError: it asks for too much.
            IndexingError: the search index is being built.
        """
        found = await self._search(query, offset + limit)
        total = sum(each.total for each in found)
        is_within = limit > 0 and offset < total
        hits = list(islice(_ranked(found), offset, offset + limit)) if is_within else []
        return total, await self._rows(hits, Reading.found_conversations)

    async def found_messages(self, wanted: FullText, limit: int) -> tuple[int, Ranked[Message]]:
        """Return how many messages are wanted, and the newest, each with its rank in the list.

        Raises:
            IndexingError: the search index is being built.
        """
        found = await self._search(wanted, limit)
        hits = list(islice(_ranked(found), limit))
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

    async def erasures(self, contact: ContactId) -> dict[PartitionIndex, bool] | None:
        """Return which partitions have erased all of a contact; None if it was never asked of them.

        One that has not heard of it yet has not, nor has one that knows of files still to be
        looked after, whosever they were.
        """
        told = [
            await access.ask(Reading.is_erased, contact) for access in self._conversation_accesses()
        ]
        if all(each is None for each in told):
            return None
        left = await self.left_files(1)
        erased = {PartitionIndex(index): bool(each) for index, each in enumerate(told)}
        return {index: each and index not in left for index, each in erased.items()}

    async def left_files(self, limit: int) -> dict[PartitionIndex, dict[str, int]]:
        """Return files that erased messages linked to, by partitions that have any."""
        found = {
            PartitionIndex(index): await access.ask(Reading.left_files, limit)
            for index, access in enumerate(self._conversation_accesses())
        }
        return {index: files for index, files in found.items() if files}

    async def contact(self, identifier: ContactId) -> Snapshot | None:
        """Return a contact whole, or the one that it was merged into."""
        passed: set[ContactId] = set()
        while identifier not in passed:  # a loop of redirects lasts for a moment only
            passed.add(identifier)
            found = await self._owner(identifier).ask(Reading.whole_contact, identifier)
            if found is None or found.contact.merged_into is None:
                return found
            identifier = found.contact.merged_into
        return None

    async def contact_of(self, conversation: ConversationId) -> Snapshot | None:
        """Return the contact whose conversation it is, whole."""
        owner = self._owner(conversation)
        holder = await owner.ask(Reading.contact_of, conversation)
        return None if holder is None else await self.contact(holder)

    async def contacts(self, start: bytes, limit: int) -> tuple[list[Snapshot], bytes | None]:
        """Return listed contacts by name from the key `start` on, and the key that follows them."""
        found = [
            await access.ask(Reading.contact_names, start, limit + 1)
            for access in self._conversation_accesses()
        ]
        page = list(islice(heapq.merge(*found), limit + 1))
        rows: dict[bytes, Snapshot | None] = {}
        for access, owned in zip(self._conversation_accesses(), found, strict=True):
            wanted = set(owned)
            asked = [key for key in page[:limit] if key in wanted]
            if asked:
                identifiers = [keys.named_contact(key) for key in asked]
                contacts = await access.ask(Reading.whole_contacts, identifiers)
                rows |= zip(asked, contacts, strict=True)
        shown = [whole for key in page[:limit] if (whole := rows[key]) is not None]
        return shown, page[limit] if len(page) > limit else None

    async def contact_page_before(self, end: bytes, limit: int) -> bytes | None:
        """Return the key from which a page of `limit` contacts leads up to `end`, if so many do."""
        found = [
            await access.ask(Reading.contact_names_before, end, limit)
            for access in self._conversation_accesses()
        ]
        page = list(islice(heapq.merge(*found, reverse=True), limit))
        return page[-1] if len(page) == limit else None

    async def contact_count(self) -> int:
        """Return how many contacts are listed."""
        return sum(
            [await access.ask(Reading.contact_count) for access in self._conversation_accesses()]
        )

    async def ask_registry(self, query: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the registry's answer to a question."""
        return await self._accesses[REGISTRY].ask(query, *args, **kwargs)

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

    def _owner(self, identifier: bytes) -> ReadAccess:
        return access_to(self._accesses, owner_of(identifier, self._count))

    def _conversation_accesses(self) -> list[ReadAccess]:
        return [self._accesses[PartitionIndex(index)] for index in range(self._count)]


async def _walked(
    access: ReadAccess, channels: frozenset[bytes], limit: int
) -> tuple[list[bytes], int]:
    """Return the keys of the newest conversations of a partition on some channels, and the count.

    Gives way to other requests after each step.
    """
    found: list[bytes] = []
    count = 0
    after: bytes | None = None
    while True:
        keys, after = await access.ask(Reading.conversation_keys_on, channels, after, _STEP)
        count += len(keys)
        found += keys[: max(0, limit - len(found))]
        if after is None:
            return found, count
        await asyncio.sleep(0)


def _ranked(found: list[Found]) -> Iterator[Hit]:
    return heapq.merge(*(each.hits() for each in found), key=lambda hit: -hit.rank)
