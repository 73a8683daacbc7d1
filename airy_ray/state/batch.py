"""One batch of records folded into the state: reads through it, writes kept until the end.

1. A row that several records of a batch change is decoded once and written once.
2. There is no way back for one record: when its projection fails, the batch is given up and begun
   again without it, which is rare and keeps the usual way short.
3. `write` puts everything into one transaction, each table in the order of its keys.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

from airy_ray.model.api_token import ApiToken
from airy_ray.model.channel import Channel
from airy_ray.model.contact import Contact, Identity, Merge
from airy_ray.model.conversation import Conversation
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.events import Place
from airy_ray.model.ids import CommandId
from airy_ray.model.message import Message
from airy_ray.model.metadata import MetadataItem
from airy_ray.model.tag import Tag
from airy_ray.model.template import Template
from airy_ray.model.user import User
from airy_ray.model.webhook import Webhook
from airy_ray.projections import keys
from airy_ray.projections.view import (
    Answer,
    AuditEntry,
    Change,
    Dispatch,
    Erasure,
    Fault,
    Held,
    KnownChannel,
    Outgoing,
    Receipt,
    Rows,
    Timer,
    Tombstone,
    Waiting,
    WantedProfile,
)
from airy_ray.state.tables import APPENDED, ENCODERS, ROW_TYPES, TELLING, checksum, decoded

Row = TypeVar("Row")


class Tables(Protocol):
    """Stored rows as bytes, in one transaction."""

    def getter(self, table: str) -> Callable[[bytes], bytes | None]:
        """Return the function that looks a key up in `table`."""
        ...

    def under(self, table: str, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return keys that start with `prefix`, and their values, in order."""
        ...

    def put_many(self, table: str, items: list[tuple[bytes, bytes]], *, append: bool) -> None:
        """Store values by ascending key; with `append`, all are greater than any stored."""
        ...

    def delete(self, table: str, key: bytes) -> None:
        """Remove the value under `key`, if it is there."""
        ...


class BatchRows(Generic[Row]):
    """One table within a batch."""

    __slots__ = ("_get", "_ordered", "_tables", "has_deleted", "name", "written")

    def __init__(self, name: str, tables: Tables) -> None:
        self.name = name
        self.written: dict[bytes, Any] = {}
        self.has_deleted = False
        self._ordered: list[bytes] | None = None  # the keys of what is written, once it matters
        self._get: Callable[[bytes], bytes | None] | None = None  # most are not read in a batch
        self._tables = tables

    def get(self, key: bytes) -> Row | None:
        """Return the row under `key`, as this batch has left it."""
        if key in self.written:
            written: Row | None = self.written[key]
            return written
        if self._get is None:
            self._get = self._tables.getter(self.name)
        value = self._get(key)
        row: Row | None = None if value is None else decoded(self.name, key, value)
        return row

    def under(self, prefix: bytes) -> list[tuple[bytes, Row]]:
        """Return the rows whose keys start with `prefix`, in order."""
        rows = {
            key: decoded(self.name, key, value)
            for key, value in self._tables.under(self.name, prefix)
            if key not in self.written
        }
        rows |= {key: self.written[key] for key in self._written_under(prefix)}
        return [(key, rows[key]) for key in sorted(rows) if rows[key] is not None]

    def put(self, key: bytes, row: Row) -> None:
        """Set the row under `key`."""
        if self._ordered is not None and key not in self.written:
            insort(self._ordered, key)
        self.written[key] = row

    def delete(self, key: bytes) -> None:
        """Remove the row under `key`, if it is there."""
        if self._ordered is not None and key not in self.written:
            insort(self._ordered, key)
        self.written[key] = None
        self.has_deleted = True

    def ordered(self) -> list[bytes]:
        """Return the keys of what is written, in order."""
        if self._ordered is None:
            self._ordered = sorted(self.written)
        return self._ordered

    def _written_under(self, prefix: bytes) -> Iterator[bytes]:
        ordered = self.ordered()
        for at in range(bisect_left(ordered, prefix), len(ordered)):
            if not ordered[at].startswith(prefix):
                break
            yield ordered[at]


class Batch:
    """All tables of a partition while a batch is folded; the `View` that projections see."""

    conversations: Rows[Conversation]
    conversations_by_time: Rows[bytes]
    messages: Rows[Message]
    message_keys: Rows[bytes]
    source_ids: Rows[bytes]
    early: Rows[bytes]
    metadata: Rows[MetadataItem]
    unread: Rows[bytes]
    unseen: Rows[bytes]
    receipts: Rows[Receipt]
    contacts: Rows[Contact]
    contact_of: Rows[bytes]
    contacts_by_name: Rows[bytes]
    identities: Rows[Identity]
    merges: Rows[Merge]
    sends: Rows[Dispatch]
    profiles: Rows[WantedProfile]
    numbers: Rows[bytes]
    held: Rows[Held]
    asked: Rows[bytes]
    dialogues: Rows[bytes]
    timers: Rows[Timer]
    aliases: Rows[Place]
    tombstones: Rows[Tombstone]
    erasures: Rows[Erasure]
    left_files: Rows[bytes]
    orphans: Rows[Waiting]
    channels: Rows[KnownChannel]
    registry_channels: Rows[Channel]
    tags: Rows[Tag]
    templates: Rows[Template]
    sources: Rows[CustomSource]
    api_tokens: Rows[ApiToken]
    webhooks: Rows[Webhook]
    users: Rows[User]
    requests: Rows[Answer]
    quarantine: Rows[Fault]
    meta: Rows[bytes]

    def __init__(self, tables: Tables, *, is_history: bool = False) -> None:
        """Begin a batch; one of history tells nobody, and may go over rows that are there."""
        self._tables = tables
        self.is_history = is_history
        self._rows: list[BatchRows[Any]] = []
        self._appended: dict[str, dict[bytes, Any]] = {name: {} for name in APPENDED}
        self._changes = self._appended["changes"]
        self._outbox = self._appended["outbox"]
        self._ledger = self._appended["ledger"]
        self._audit = self._appended["audit"]
        self._whispers: dict[Change, None] = {}
        self._index = 0
        self._sequence = 0
        self.position = 0
        for name in ROW_TYPES:
            if name not in APPENDED:
                rows: BatchRows[Any] = BatchRows(name, tables)
                setattr(self, name, rows)
                self._rows.append(rows)

    def begin(self, position: int) -> None:
        """Turn to the record at offset `position`; what was written before it stays."""
        if self._whispers:
            self._emit_whispers()
        self.position = position
        self._sequence = keys.sequence(position)
        self._index = 0

    def emit(self, change: Change) -> None:
        """Add a change to the feed, in order."""
        self._changes[(self._sequence + self._index).to_bytes(8, "big")] = change
        self._index += 1

    def whisper(self, change: Change) -> None:
        """Add a change that no client hears of, once, behind all that the record emits.

        So it moves nothing: what goes to other partitions is told apart by its sequence.
        """
        self._whispers[change] = None

    def send(self, outgoing: Outgoing) -> None:
        """Have a record forwarded to another partition, once."""
        self._outbox[(self._sequence + self._index).to_bytes(8, "big")] = outgoing
        self._index += 1

    def answer(self, command: CommandId, answer: Answer) -> None:
        """Leave the answer of a command for its caller."""
        self.requests.put(command, answer)

    def audit(self, entry: AuditEntry) -> None:
        """Write down who had the record's command carried out."""
        self._audit[keys.offset(self.position)] = entry

    def note(self, entry: Any) -> None:
        """Write down in the ledger what became of the record."""
        self._ledger[keys.offset(self.position)] = entry

    @property
    def written(self) -> set[str]:
        """The tables that were written to."""
        written = {name for name, entries in self._appended.items() if entries}
        return written | {rows.name for rows in self._rows if rows.written}

    def write(self) -> None:
        """Put all that was written into the transaction."""
        self._emit_whispers()
        for name, entries in self._appended.items():
            if entries and not (self.is_history and name in TELLING):
                values = _values(name, entries, entries)
                self._tables.put_many(name, values, append=not self.is_history)
        for rows in self._rows:
            if rows.written:
                self._write(rows)

    def _emit_whispers(self) -> None:
        for change in self._whispers:
            self.emit(change)
        self._whispers.clear()

    def _write(self, rows: BatchRows[Any]) -> None:
        written, kept = rows.written, rows.ordered()
        if rows.has_deleted:
            for key in kept:
                if written[key] is None:
                    self._tables.delete(rows.name, key)
            kept = [key for key in kept if written[key] is not None]
        if kept:
            self._tables.put_many(rows.name, _values(rows.name, written, kept), append=False)


def _values(
    table: str, rows: Mapping[bytes, Any], wanted: Iterable[bytes]
) -> list[tuple[bytes, bytes]]:
    """Return the wanted rows as they are stored."""
    encode_into = ENCODERS[table]
    if encode_into is None:
        return [(key, checksum(key + (row := rows[key])) + row) for key in wanted]
    values = []
    encoded = bytearray()  # one for all: to grow a fresh one takes as long as to encode a row
    for key in wanted:
        encode_into(rows[key], encoded)
        values.append((key, checksum(key + encoded) + encoded))
    return values
