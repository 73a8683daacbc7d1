"""What is read out of a state: by any process of the machine, through a memory map.

A `Reading` is one consistent view. It must be short: while it is open, pages that the owner frees
cannot be used again and the file grows.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import lmdb
import msgspec

from airy_ray.clock import Micros, Millis
from airy_ray.errors import RowCorruptError
from airy_ray.model.api_token import ApiToken
from airy_ray.model.channel import Channel
from airy_ray.model.contact import Contact, Identity, Merge, Snapshot
from airy_ray.model.conversation import Conversation
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.events import Place
from airy_ray.model.ids import ID_BYTES, ChannelId, CommandId, ContactId, ConversationId, MessageId
from airy_ray.model.message import Message
from airy_ray.model.tag import Tag
from airy_ray.model.template import Template
from airy_ray.model.user import User, provider_of
from airy_ray.model.webhook import Webhook
from airy_ray.projections import keys
from airy_ray.projections.changes import ERASED
from airy_ray.projections.view import (
    Answer,
    AuditEntry,
    Change,
    Dispatch,
    Erasure,
    Fault,
    Outgoing,
    Tombstone,
    WantedProfile,
)
from airy_ray.state.tables import CHECKSUM_BYTES, LedgerEntry, decoded, unsealed
from airy_ray.storage.environments import Environment

WALKED_CHANGES_MAX = 10_000
"""How many changes since the walk of a list began are looked at for each of its pages."""

_CREATED = msgspec.msgpack.encode("message.created")
_KIND_AT = CHECKSUM_BYTES + 1
"""Where the kind is in a stored change: behind the checksum, and a byte that counts its fields."""

_PROFILES_PAGE = 5_000
"""How many rows are looked at for profiles at once: for 2 ms, or 10 if all have to be decoded."""


def _channel_in_profiles() -> slice:
    """Return where the id of the channel is in a stored row of `profiles`."""
    channel = ChannelId(b"\1" * ID_BYTES)
    place = Place(ConversationId(bytes(ID_BYTES)), channel, "", "")
    row = msgspec.msgpack.encode(WantedProfile(place, Millis(0), Millis(0)))
    at = CHECKSUM_BYTES + row.index(channel)
    return slice(at, at + ID_BYTES)


_PROFILE_CHANNEL = _channel_in_profiles()

_NEWEST = 4_096
"""How far back in the ledger a record is looked for that was folded a moment ago."""


class Touched(NamedTuple):
    """What so many entries of the change feed are about, and the sequence of the last, if any."""

    conversations: set[ConversationId]
    messages: set[MessageId]
    erased: set[ConversationId]
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
        return self._number(b"applied")

    def conversation(self, identifier: ConversationId) -> Conversation | None:
        """Return a conversation."""
        row: Conversation | None = self._get("conversations", identifier)
        return row

    def alias(self, key: bytes) -> Place | None:
        """Return where an alias leads."""
        row: Place | None = self._get("aliases", key)
        return row

    def conversation_keys(self, count: int) -> list[bytes]:
        """Return the keys of the `count` newest conversations, newest last message first."""
        cursor = self._transaction.cursor(self._handles["conversations_by_time"])
        found = []
        for key, value in islice(cursor, count):
            unsealed("conversations_by_time", key, value)
            found.append(key)
        return found

    def feed_head(self) -> int:
        """Return the sequence of the newest entry of the change feed, -1 if there is none."""
        cursor = self._transaction.cursor(self._handles["changes"])
        return int.from_bytes(cursor.key(), "big") if cursor.last() else -1

    def newest_conversation_keys(self, count: int) -> tuple[list[bytes], int]:
        """Return the beginning of a list, and the head of the feed, from which to walk on."""
        return self.conversation_keys(count), self.feed_head()

    def walked_conversation_keys(self, since: int, after: bytes, count: int) -> list[bytes]:
        """Return the next `count` keys after one of a list that is walked as it was.

        It was so when the feed's head was `since`. A conversation that got messages meanwhile is
        found where it was before them, and one that began meanwhile is not. Of very many changes
        `WALKED_CHANGES_MAX` are looked at; those behind them may move conversations out of sight.
        """
        arrived = self._arrived_after(since)
        placed = (self._place_without(each, new) for each, new in arrived.items())
        moved = sorted(key for key in placed if key is not None and key > after)
        cursor = self._transaction.cursor(self._handles["conversations_by_time"])
        stayed: list[bytes] = []
        if cursor.set_range(after + b"\0"):
            for key, value in cursor:
                if len(stayed) == count:
                    break
                unsealed("conversations_by_time", key, value)
                if key[8:] not in arrived:
                    stayed.append(key)
        return list(islice(merge(moved, stayed), count))

    def conversation_keys_on(
        self, channels: frozenset[bytes], after: bytes | None, count: int
    ) -> tuple[list[bytes], bytes | None]:
        """Return which of the next `count` conversations after key `after` are on some channels.

        Keys as `conversation_keys` has them, and the key to go on after, None at the end.
        """
        cursor = self._transaction.cursor(self._handles["conversations_by_time"])
        found: list[bytes] = []
        if not (cursor.first() if after is None else cursor.set_range(after + b"\0")):
            return found, None
        key = b""
        seen = 0
        for key, value in islice(cursor, count):
            unsealed("conversations_by_time", key, value)
            seen += 1
            if self._listed_conversation(key).channel_id in channels:
                found.append(key)
        return found, key if seen == count else None

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

    def oldest_conversations(
        self, before: bytes | None, limit: int
    ) -> list[tuple[bytes, Conversation, ContactId | None]]:
        """Return conversations, oldest last message first, with their keys in the list and contact.

        Those whose keys are less than `before`, if that is given: the ones that follow.
        """
        cursor = self._transaction.cursor(self._handles["conversations_by_time"])
        is_placed = cursor.last()
        if before is not None and cursor.set_range(before):
            is_placed = cursor.prev()
        found: list[tuple[bytes, Conversation, ContactId | None]] = []
        while is_placed and len(found) < limit:
            key = cursor.key()
            contact = self._get("contact_of", key[8:])
            owner = None if contact is None else ContactId(contact[:16])
            found.append((key, self._listed_conversation(key), owner))
            is_placed = cursor.prev()
        return found

    def tombstone(self, identifier: bytes) -> Tombstone | None:
        """Return what is left of a conversation or contact that was erased."""
        tombstone: Tombstone | None = self._get("tombstones", identifier)
        return tombstone

    def is_erased(self, identifier: bytes) -> bool | None:
        """Return whether what was erased is gone from log and archive; None if none was."""
        tombstone = self.tombstone(identifier)
        return None if tombstone is None else tombstone.offset < self.erased_before()

    def erased_before(self) -> int:
        """Return the offset before which all erasures are done, in the log too."""
        value = self._transaction.get(b"erased", db=self._handles["meta"])
        return 0 if value is None else int.from_bytes(unsealed("meta", b"erased", value), "big")

    def erasures(self, since: int, limit: int) -> list[tuple[int, Erasure]]:
        """Return what records from offset `since` on erased, oldest first."""
        rows = islice(self._under("erasures", b"", keys.offset(since)), limit)
        return [(int.from_bytes(key, "big"), row) for key, row in rows]

    def dispatch(self, identifier: MessageId) -> Dispatch | None:
        """Return what is to be known to deliver a message; None if it is pending no more."""
        found: Dispatch | None = self._get("sends", identifier)
        return found

    def dispatches(self) -> list[tuple[MessageId, Dispatch]]:
        """Return all that is pending, in no order."""
        return [(MessageId(key), row) for key, row in self._under("sends", b"", None)]

    def dispatches_of(self, wanted: list[MessageId]) -> list[tuple[MessageId, Dispatch]]:
        """Return those of some messages that are pending."""
        found = [(each, self.dispatch(each)) for each in wanted]
        return [(each, row) for each, row in found if row is not None]

    def parcel(self, identifier: MessageId) -> tuple[Dispatch, Message, Conversation] | None:
        """Return a pending message with what is to be known to send it."""
        dispatch, message = self.dispatch(identifier), self.message(identifier)
        if dispatch is None or message is None:
            return None
        conversation = self.conversation(message.conversation_id)
        return None if conversation is None else (dispatch, message, conversation)

    def wanted_profile(self, conversation: ConversationId) -> WantedProfile | None:
        """Return the profile that is to be fetched for a conversation, if one is."""
        wanted: WantedProfile | None = self._get("profiles", conversation)
        return wanted

    def due_profiles(
        self, at: Millis, channels: Container[bytes], start: bytes, limit: int
    ) -> tuple[list[WantedProfile], bytes | None]:
        """Return profiles of some channels' contacts that are to be fetched by an instant.

        They are those of one page of rows, `limit` at most; with them comes where the next page
        starts, None behind the last.
        """
        due: list[WantedProfile] = []
        cursor = self._transaction.cursor(self._handles["profiles"])
        if not cursor.set_range(start):
            return due, None
        for number, (key, value) in enumerate(cursor, 1):
            # not decoded: there may be a million for whom nobody can be asked
            if value[_PROFILE_CHANNEL] in channels:
                row: WantedProfile = decoded("profiles", key, value)
                if row.due_at <= at:
                    due.append(row)
            if len(due) == limit or number == _PROFILES_PAGE:
                return due, key + b"\0"
        return due, None

    def verified_numbers(self, limit: int) -> list[ConversationId]:
        """Return conversations whose contact's number was not looked for elsewhere yet."""
        rows = islice(self._under("numbers", b"", None), limit)
        return [ConversationId(key) for key, _ in rows]

    def is_number_settled(self, conversation: ConversationId) -> bool:
        """Whether nobody is still to be looked for who has the number of a contact."""
        return self._get("numbers", conversation) is None

    def asked_by(self, conversation: ConversationId, message: MessageId, bot: str) -> int | None:
        """Return which run of a process asked a bot about a message, if one did."""
        run: bytes | None = self._get("asked", keys.asked(conversation, message, bot))
        return None if run is None else int.from_bytes(run, "big")

    def dialogue(self, conversation: ConversationId, bot: str) -> bytes | None:
        """Return what a bot wants to be told when it is asked next in a conversation."""
        context: bytes | None = self._get("dialogues", keys.dialogue(conversation, bot))
        return context

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

    def source(self, identifier: str) -> CustomSource | None:
        """Return a custom source of the registry."""
        source: CustomSource | None = self._get("sources", identifier.encode())
        return source

    def sources(self) -> list[CustomSource]:
        """Return all custom sources of the registry, by id."""
        return [source for _, source in self._under("sources", b"", None)]

    def webhook(self, identifier: bytes) -> Webhook | None:
        """Return a webhook of the registry."""
        webhook: Webhook | None = self._get("webhooks", identifier)
        return webhook

    def webhooks(self) -> list[Webhook]:
        """Return all webhooks of the registry, by id."""
        return [webhook for _, webhook in self._under("webhooks", b"", None)]

    def offset_of(self, request: CommandId) -> int | None:
        """Return where the record is that was answered under an id, if it is one of the newest."""
        cursor = self._transaction.cursor(self._handles["ledger"])
        is_placed = cursor.last()
        for _ in range(_NEWEST):
            if not is_placed:
                break
            key, value = cursor.item()
            entry: LedgerEntry = decoded("ledger", key, value)
            if entry.request == request:
                return int.from_bytes(key, "big")
            is_placed = cursor.prev()
        return None

    def contact(self, identifier: ContactId) -> Contact | None:
        """Return a contact, or the redirect that it became."""
        contact: Contact | None = self._get("contacts", identifier)
        return contact

    def contact_of(self, conversation: ConversationId) -> ContactId | None:
        """Return whose a conversation is."""
        holder: bytes | None = self._get("contact_of", conversation)
        return None if holder is None else ContactId(holder[:ID_BYTES])

    def whole_contact(self, identifier: ContactId) -> Snapshot | None:
        """Return a contact, or redirect, with its identities and those whom it took over."""
        contact = self.contact(identifier)
        return None if contact is None else self._whole(contact)

    def whole_contacts(self, identifiers: list[ContactId]) -> list[Snapshot | None]:
        """Return contacts as `whole_contact` does."""
        return [self.whole_contact(each) for each in identifiers]

    def contact_names(self, start: bytes, limit: int) -> list[bytes]:
        """Return keys of listed contacts, by name, from `start` on; each ends with its id."""
        return [key for key, _ in islice(self._under("contacts_by_name", b"", start), limit)]

    def contact_names_before(self, end: bytes, limit: int) -> list[bytes]:
        """Return keys of listed contacts that are less than `end`, the last of them first."""
        cursor = self._transaction.cursor(self._handles["contacts_by_name"])
        is_placed = cursor.prev() if cursor.set_range(end) else cursor.last()
        found: list[bytes] = []
        while is_placed and len(found) < limit:
            found.append(cursor.key())
            is_placed = cursor.prev()
        return found

    def contact_count(self) -> int:
        """Return how many contacts are listed."""
        return self._count("contacts_by_name")

    def outgoing(self, offset: int) -> list[tuple[int, Outgoing]]:
        """Return what the record at `offset` has for other partitions, with its sequences."""
        first = keys.sequence(offset).to_bytes(8, "big")
        rows = self._under("outbox", first[:6], None)
        return [(int.from_bytes(key, "big"), outgoing) for key, outgoing in rows]

    def api_token(self, identifier: bytes) -> ApiToken | None:
        """Return an API token of the registry."""
        token: ApiToken | None = self._get("api_tokens", identifier)
        return token

    def api_tokens(self) -> list[ApiToken]:
        """Return all API tokens of the registry, by id."""
        return [token for _, token in self._under("api_tokens", b"", None)]

    def user(self, identifier: str) -> User | None:
        """Return a user of the registry."""
        user: User | None = self._get("users", keys.bounded(identifier))
        return user

    def users(self, start: str | None, limit: int) -> list[User]:
        """Return users by id, from one with the id `start` on, or where that would be."""
        key = None if start is None else keys.bounded(start)
        return [user for _, user in islice(self._under("users", b"", key), limit)]

    def user_before(self, identifier: str, distance: int) -> User | None:
        """Return the user who comes `distance` places before one, if there are so many."""
        cursor = self._transaction.cursor(self._handles["users"])
        if not cursor.set_key(keys.bounded(identifier)):
            return None
        for _ in range(distance):
            if not cursor.prev():
                return None
        user: User = decoded("users", *cursor.item())
        return user

    def user_count(self) -> int:
        """Return how many users there are."""
        return self._count("users")

    def user_providers(self) -> set[str]:
        """Return who vouches for users: one step for each provider, however many users it has."""
        cursor = self._transaction.cursor(self._handles["users"])
        found = set()
        is_placed = cursor.first()
        while is_placed:
            provider = provider_of(decoded("users", *cursor.item()).id)
            found.add(provider)
            is_placed = cursor.set_range(keys.bounded(provider) + b";")  # what follows a colon
        return found

    def audit(self, before: int | None, limit: int) -> list[tuple[int, AuditEntry]]:
        """Return who had what done, newest first, of offsets less than `before`."""
        return self._newest("audit", before, limit)

    def audit_entry(self, offset: int) -> AuditEntry | None:
        """Return who had the command at `offset` carried out, if that is known still."""
        entry: AuditEntry | None = self._get("audit", keys.offset(offset))
        return entry

    def left_files(self, limit: int) -> dict[str, int]:
        """Return files that erased messages linked to, which nobody has looked after yet.

        By name; with each the offset at which it was left.
        """
        rows = islice(self._under("left_files", b"", None), limit)
        return {key.decode(): int.from_bytes(offset, "big") for key, offset in rows}

    def stored_rows(
        self, table: str, start: bytes, limit: int
    ) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
        """Return a table's keys and encoded rows from a key on, and the key that follows them."""
        cursor = self._transaction.cursor(self._handles[table])
        rows: list[tuple[bytes, bytes]] = []
        if cursor.set_range(start) if start else cursor.first():
            for key, value in cursor:
                if len(rows) == limit:
                    return rows, key
                rows.append((key, unsealed(table, key, value)))
        return rows, None

    def changes(self, after: int, limit: int) -> list[tuple[int, Change]]:
        """Return entries of the change feed with greater sequences than `after`, oldest first."""
        return list(islice(self.feed(after + 1), limit))

    def feed(self, start: int) -> Iterator[tuple[int, Change]]:
        """Yield the entries of the change feed from a sequence on that clients hear of."""
        for key, change in self._under("changes", b"", start.to_bytes(8, "big")):
            if change.event:
                yield int.from_bytes(key, "big"), change

    def change_count(self, start: int, limit: int) -> int:
        """Return how many entries of the feed there are from a sequence on, at most `limit`."""
        cursor = self._transaction.cursor(self._handles["changes"])
        if not cursor.set_range(start.to_bytes(8, "big")):
            return 0
        return sum(1 for _ in islice(cursor.iternext(values=False), limit))

    def feed_start(self) -> int:
        """Return the sequence from which on no entry of the change feed has gone by age."""
        return self._number(b"changes_expired")

    def fact(self, name: str) -> int:
        """Return a number kept with the state, 0 if it was never set."""
        return self._number(name.encode())

    def first_change(self) -> int | None:
        """Return the sequence of the oldest entry of the change feed that is still there."""
        key = next((key for key, _ in self._under("changes", b"", None)), None)
        return None if key is None else int.from_bytes(key, "big")

    def touched(self, start: int, limit: int) -> Touched:
        """Return what up to `limit` entries of the change feed from `start` on are about."""
        conversations: set[ConversationId] = set()
        messages: set[MessageId] = set()
        erased: set[ConversationId] = set()
        count, last = 0, None
        for key, change in islice(self._under("changes", b"", start.to_bytes(8, "big")), limit):
            count, last = count + 1, key
            is_of_message = change.kind.startswith("message.")
            if change.conversation_id is not None and (is_of_message or change.message_id is None):
                conversations.add(change.conversation_id)
            if change.message_id is not None and is_of_message:
                messages.add(change.message_id)
            if change.kind == ERASED and change.conversation_id is not None:
                erased.add(change.conversation_id)
        sequence = None if last is None else int.from_bytes(last, "big")
        return Touched(conversations, messages, erased, count, sequence)

    def conversations_after(self, key: bytes, limit: int) -> list[tuple[bytes, Conversation]]:
        """Return conversations by key, those after `key`, with their keys."""
        return list(islice(self._under("conversations", b"", key + b"\0"), limit))

    def messages_after(self, key: bytes, limit: int) -> list[tuple[bytes, Message]]:
        """Return messages by key, those after `key`, with their keys."""
        return list(islice(self._under("messages", b"", key + b"\0"), limit))

    def contacts_after(self, key: bytes, limit: int) -> list[Snapshot]:
        """Return contacts and redirects by id, those after `key`, as `whole_contact` does."""
        found = islice(self._under("contacts", b"", key + b"\0"), limit)
        return [self._whole(contact) for _, contact in found]

    def found_conversations(self, found: list[ConversationId]) -> list[Conversation | None]:
        """Return conversations; None for those that are gone."""
        return [self.conversation(identifier) for identifier in found]

    def found_messages(self, found: list[MessageId]) -> list[Message | None]:
        """Return messages; None for those that are gone."""
        return [self.message(identifier) for identifier in found]

    def ledger(self, before: int | None, limit: int) -> list[tuple[int, LedgerEntry]]:
        """Return what became of records, newest first, of offsets less than `before`."""
        return self._newest("ledger", before, limit)

    def ledger_entry(self, offset: int) -> LedgerEntry | None:
        """Return what became of the record at an offset, if that is known still."""
        entry: LedgerEntry | None = self._get("ledger", keys.offset(offset))
        return entry

    def ledger_since(self, at: Micros) -> int:
        """Return the first offset in the ledger received at or after an instant, by bisection.

        Records are nearly in the order of time: as far from it as the clocks of processes are.
        """
        cursor = self._transaction.cursor(self._handles["ledger"])
        if not cursor.last():
            return 0
        high = int.from_bytes(cursor.key(), "big") + 1
        cursor.first()
        low = int.from_bytes(cursor.key(), "big")
        while low < high:
            middle = (low + high) // 2
            cursor.set_range(keys.offset(middle))
            entry: LedgerEntry = decoded("ledger", *cursor.item())
            if entry.received_at < at:
                low = int.from_bytes(cursor.key(), "big") + 1
            else:
                high = middle
        return low

    def quarantine(self) -> list[tuple[int, Fault]]:
        """Return the records whose projection failed, by offset."""
        rows = self._under("quarantine", b"", None)
        return [(int.from_bytes(key, "big"), fault) for key, fault in rows]

    def newest_quarantined(self, before: int, limit: int) -> list[tuple[int, Fault]]:
        """Return records whose projection failed, newest first, of offsets less than `before`."""
        return self._newest("quarantine", before, limit)

    def fault(self, offset: int) -> Fault | None:
        """Return why a record is in quarantine, if it is."""
        fault: Fault | None = self._get("quarantine", keys.offset(offset))
        return fault

    def counts(self) -> dict[str, int]:
        """Return how many rows each table holds."""
        return {table: self._count(table) for table in self._handles}

    def _arrived_after(self, since: int) -> dict[bytes, set[bytes]]:
        """Return the messages that came after a place in the feed, by conversation."""
        arrived: dict[bytes, set[bytes]] = {}
        cursor = self._transaction.cursor(self._handles["changes"])
        if not cursor.set_range((since + 1).to_bytes(8, "big")):
            return arrived
        for key, value in islice(cursor, WALKED_CHANGES_MAX):
            if not value.startswith(_CREATED, _KIND_AT):
                continue  # it is not decoded: most of what may be many
            change: Change = decoded("changes", key, value)
            if change.conversation_id is not None:
                new = arrived.setdefault(change.conversation_id, set())
                new.add(change.message_id or b"")
        return arrived

    def _place_without(self, conversation: bytes, new: set[bytes]) -> bytes | None:
        """Return the key that a conversation is listed under by its messages that are not new."""
        cursor = self._transaction.cursor(self._handles["messages"])
        if not cursor.set_range(conversation):
            return None
        for key in cursor.iternext(keys=True, values=False):
            if not key.startswith(conversation):
                return None
            if key[24:] not in new:
                return key[16:24] + conversation
        return None

    def _whole(self, contact: Contact) -> Snapshot:
        identities: list[tuple[ConversationId, Identity]] = [
            (ConversationId(key[ID_BYTES:]), identity)
            for key, identity in self._under("identities", contact.id, None)
        ]
        merges: list[Merge] = [merge for _, merge in self._under("merges", contact.id, None)]
        return Snapshot(contact, tuple(identities), tuple(merges))

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

    def _number(self, key: bytes) -> int:
        value = self._transaction.get(key, db=self._handles["meta"])
        return 0 if value is None else int.from_bytes(unsealed("meta", key, value), "big")

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
