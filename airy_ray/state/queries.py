"""What is read out of a state: by any process of the machine, through a memory map.

A `Reading` is one consistent view. It must be short: while it is open, pages that the owner frees
cannot be used again and the file grows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import lmdb

from airy_ray.errors import RowCorruptError
from airy_ray.model.channel import Channel
from airy_ray.model.conversation import Conversation
from airy_ray.model.ids import ChannelId, CommandId, ConversationId, MessageId
from airy_ray.model.message import Message
from airy_ray.model.tag import Tag
from airy_ray.model.template import Template
from airy_ray.projections import keys
from airy_ray.projections.view import Answer, Change
from airy_ray.state.tables import Fault, LedgerEntry, decoded, unsealed
from airy_ray.storage.environments import Environment


class Touched(NamedTuple):
    """What so many entries of the change feed are about, and the sequence of the last, if any."""

    conversations: set[ConversationId]
    messages: set[MessageId]
    entries: int
    last: int | None


@contextmanager
def reading(environment: Environment) -> Iterator[Reading]:
    """Open a consistent view of a state, for a moment."""
    with environment.read() as transaction:
        yield Reading(environment, transaction)


class Reading:
    """One consistent view of a partition's state."""

    def __init__(self, environment: Environment, transaction: lmdb.Transaction[bytes]) -> None:
        self._handles = environment.tables
        self._transaction = transaction
        self._path = environment.path

    def path(self) -> Path:
        """Return the directory of the generation that is read."""
        return self._path

    def applied(self) -> int:
        """Return how many records are folded in; 0 while a new state has not said so."""
        value = self._transaction.get(b"applied", db=self._handles["meta"])
        return 0 if value is None else int.from_bytes(unsealed("meta", b"applied", value), "big")

    def conversation(self, identifier: ConversationId) -> Conversation | None:
        """Return a conversation."""
        row: Conversation | None = self._get("conversations", identifier)
        return row

    def conversation_keys(self, count: int) -> list[bytes]:
        """Return the keys of the `count` newest conversations, newest last message first."""
        cursor = self._transaction.cursor(self._handles["conversations_by_time"])
        found = []
        for key, value in islice(cursor, count):
            unsealed("conversations_by_time", key, value)
            found.append(key)
        return found

    def listed_conversations(self, found: list[bytes]) -> list[Conversation]:
        """Return the conversations that keys of `conversation_keys` stand for."""
        return [self._listed_conversation(key) for key in found]

    def conversation_count(self) -> int:
        """Return how many conversations there are."""
        return self._count("conversations_by_time")

    def messages(
        self, conversation: ConversationId, start: bytes | None, limit: int
    ) -> list[Message]:
        """Return messages, newest first, from the one under key `start` on, or from the newest."""
        return [
            message for _, message in islice(self._under("messages", conversation, start), limit)
        ]

    def message_key(self, identifier: MessageId) -> bytes | None:
        """Return the key under which a message is kept, which begins with its conversation's id."""
        key: bytes | None = self._get("message_keys", identifier)
        return key

    def message(self, identifier: MessageId) -> Message | None:
        """Return a message."""
        key = self.message_key(identifier)
        if key is None:
            return None
        message: Message | None = self._get("messages", key)
        if message is None:
            raise RowCorruptError("messages", key)
        return message

    def answer(self, command: CommandId) -> Answer | None:
        """Return the answer of a command, once it was carried out."""
        answer: Answer | None = self._get("requests", command)
        return answer

    def channel(self, identifier: ChannelId) -> Channel | None:
        """Return a channel of the registry."""
        channel: Channel | None = self._get("registry_channels", identifier)
        return channel

    def channels(self) -> list[Channel]:
        """Return all channels of the registry, by id."""
        return [channel for _, channel in self._under("registry_channels", b"", None)]

    def tags(self) -> list[Tag]:
        """Return all tags of the registry, by id."""
        return [tag for _, tag in self._under("tags", b"", None)]

    def templates(self) -> list[Template]:
        """Return all templates of the registry, by id."""
        return [template for _, template in self._under("templates", b"", None)]

    def template(self, identifier: bytes) -> Template | None:
        """Return a template of the registry."""
        template: Template | None = self._get("templates", identifier)
        return template

    def changes(self, after: int, limit: int) -> list[tuple[int, Change]]:
        """Return entries of the change feed with greater sequences than `after`, oldest first."""
        start = (after + 1).to_bytes(8, "big")
        told = (each for each in self._under("changes", b"", start) if each[1].event)
        return [(int.from_bytes(key, "big"), change) for key, change in islice(told, limit)]

    def first_change(self) -> int | None:
        """Return the sequence of the oldest entry of the change feed that is still there."""
        key = next((key for key, _ in self._under("changes", b"", None)), None)
        return None if key is None else int.from_bytes(key, "big")

    def touched(self, start: int, limit: int) -> Touched:
        """Return what up to `limit` entries of the change feed from `start` on are about."""
        conversations: set[ConversationId] = set()
        messages: set[MessageId] = set()
        count, last = 0, None
        for key, change in islice(self._under("changes", b"", start.to_bytes(8, "big")), limit):
            count, last = count + 1, key
            is_of_message = change.kind.startswith("message.")
            if change.conversation_id is not None and (is_of_message or change.message_id is None):
                conversations.add(change.conversation_id)
            if change.message_id is not None and is_of_message:
                messages.add(change.message_id)
        sequence = None if last is None else int.from_bytes(last, "big")
        return Touched(conversations, messages, count, sequence)

    def conversations_after(self, key: bytes, limit: int) -> list[tuple[bytes, Conversation]]:
        """Return conversations by key, those after `key`, with their keys."""
        return list(islice(self._under("conversations", b"", key + b"\0"), limit))

    def messages_after(self, key: bytes, limit: int) -> list[tuple[bytes, Message]]:
        """Return messages by key, those after `key`, with their keys."""
        return list(islice(self._under("messages", b"", key + b"\0"), limit))

    def found_conversations(self, found: list[ConversationId]) -> list[Conversation | None]:
        """Return conversations; None for those that are gone."""
        return [self.conversation(identifier) for identifier in found]

    def found_messages(self, found: list[MessageId]) -> list[Message | None]:
        """Return messages; None for those that are gone."""
        return [self.message(identifier) for identifier in found]

    def ledger(self, before: int | None, limit: int) -> list[tuple[int, LedgerEntry]]:
        """Return what became of records, newest first, of offsets less than `before`."""
        return self._newest("ledger", before, limit)

    def quarantine(self) -> list[tuple[int, Fault]]:
        """Return the records whose projection failed, by offset."""
        rows = self._under("quarantine", b"", None)
        return [(int.from_bytes(key, "big"), fault) for key, fault in rows]

    def newest_quarantined(self, limit: int) -> list[tuple[int, Fault]]:
        """Return records whose projection failed, newest first."""
        return self._newest("quarantine", None, limit)

    def fault(self, offset: int) -> Fault | None:
        """Return why a record is in quarantine, if it is."""
        fault: Fault | None = self._get("quarantine", keys.offset(offset))
        return fault

    def counts(self) -> dict[str, int]:
        """Return how many rows each table holds."""
        return {table: self._count(table) for table in self._handles}

    def _listed_conversation(self, key: bytes) -> Conversation:
        row: Conversation | None = self._get("conversations", key[8:])
        if row is None:  # the list and the rows are written together
            raise RowCorruptError("conversations", key[8:])
        return row

    def _newest(self, table: str, before: int | None, limit: int) -> list[tuple[int, Any]]:
        """Return rows of a table that is sorted by offset, from the last on backwards."""
        cursor = self._transaction.cursor(self._handles[table])
        if before is not None and cursor.set_range(keys.offset(before)):
            is_placed = cursor.prev()
        else:
            is_placed = cursor.last()
        rows: list[tuple[int, Any]] = []
        while is_placed and len(rows) < limit:
            key, value = cursor.item()
            rows.append((int.from_bytes(key, "big"), decoded(table, key, value)))
            is_placed = cursor.prev()
        return rows

    def _get(self, table: str, key: bytes) -> Any:
        value = self._transaction.get(key, db=self._handles[table])
        return None if value is None else decoded(table, key, value)

    def _under(self, table: str, prefix: bytes, start: bytes | None) -> Iterator[tuple[bytes, Any]]:
        cursor = self._transaction.cursor(self._handles[table])
        if not cursor.set_range(prefix if start is None else start):
            return
        for key, value in cursor:
            if not key.startswith(prefix):
                return
            yield key, decoded(table, key, value)

    def _count(self, table: str) -> int:
        return self._transaction.stat(self._handles[table])["entries"]
