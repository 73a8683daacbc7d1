"""Stand-ins that hold in memory what the real thing keeps in LMDB; they pass the same contract."""

import copy
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from airy_ray.clock import Micros, Millis
from airy_ray.model.api_token import ApiToken
from airy_ray.model.channel import Channel
from airy_ray.model.contact import Contact, Identity, Merge
from airy_ray.model.conversation import Conversation
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.events import Event, Place
from airy_ray.model.ids import CommandId, PartitionIndex
from airy_ray.model.message import Message
from airy_ray.model.metadata import MetadataItem
from airy_ray.model.tag import Tag
from airy_ray.model.template import Template
from airy_ray.model.user import User
from airy_ray.model.webhook import Webhook
from airy_ray.partition.fold import FallenTimer, FoldError, encode_event, fold, understand
from airy_ray.partition.fold import quarantine as put_aside
from airy_ray.projections import keys
from airy_ray.projections.project import project
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
from airy_ray.rawlog.record import Kind, Record, payload_id
from airy_ray.state.batch import Batch
from airy_ray.state.tables import APPENDED, ROW_TYPES, LedgerEntry, decoded
from tests.builders import NOW

Row = TypeVar("Row")

TRIMMED = {"audit", "changes", "ledger", "outbox", "requests"}
"""Tables that say what records came to: one more record is one more row."""

_THE_ONLY = PartitionIndex(0)


class MemoryRows(Generic[Row]):
    """One table of a `MemoryView`."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Row] = {}

    def get(self, key: bytes) -> Row | None:
        return self.rows.get(key)

    def under(self, prefix: bytes) -> list[tuple[bytes, Row]]:
        return [(key, self.rows[key]) for key in sorted(self.rows) if key.startswith(prefix)]

    def put(self, key: bytes, row: Row) -> None:
        self.rows[key] = row

    def delete(self, key: bytes) -> None:
        self.rows.pop(key, None)


class MemoryView:
    """The `View` of projections over dictionaries; what records told is in plain lists."""

    is_history = False

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

    def __init__(self) -> None:
        self.position = 0
        self.changes: list[Change] = []
        self.whispers: list[Change] = []
        self._whispered = 0
        self.outgoing: list[Outgoing] = []
        self.audited: list[AuditEntry] = []
        self._tables = {name: MemoryRows[Any]() for name in ROW_TYPES if name not in APPENDED}
        for name, rows in self._tables.items():
            setattr(self, name, rows)

    def begin(self, position: int) -> None:
        """Turn to the record at offset `position`."""
        self.position = position
        self._whispered = len(self.whispers)

    def emit(self, change: Change) -> None:
        self.changes.append(change)

    def whisper(self, change: Change) -> None:
        if change not in self.whispers[self._whispered :]:  # once for each record
            self.whispers.append(change)

    def send(self, outgoing: Outgoing) -> None:
        self.outgoing.append(outgoing)

    def answer(self, command: CommandId, answer: Answer) -> None:
        self.requests.put(command, answer)

    def audit(self, entry: AuditEntry) -> None:
        self.audited.append(entry)

    def rows(self) -> dict[str, dict[bytes, Any]]:
        """Return all rows there are now, to be compared with those of another time or view."""
        return {name: dict(table.rows) for name, table in self._tables.items() if table.rows}


def folded(*told: Event, onto: MemoryView | None = None, at: int = NOW) -> MemoryView:
    """Return what events make of a view, of records received `at`."""
    view = MemoryView() if onto is None else onto
    for event in told:
        project(view, event, Millis(at))
        view.begin(view.position + 1)
    return view


class MemoryTables:
    """The `Tables` that a `Batch` reads from and is written to, over dictionaries of bytes."""

    def __init__(self) -> None:
        self.values: dict[str, dict[bytes, bytes]] = {name: {} for name in ROW_TYPES}

    def getter(self, table: str) -> Callable[[bytes], bytes | None]:
        return self.values[table].get

    def under(self, table: str, prefix: bytes) -> list[tuple[bytes, bytes]]:
        values = self.values[table]
        return [(key, values[key]) for key in sorted(values) if key.startswith(prefix)]

    def put_many(self, table: str, items: list[tuple[bytes, bytes]], *, append: bool) -> None:
        stored = self.values[table]
        if append and stored and items[0][0] <= max(stored):
            raise ValueError("appended keys must be greater than any stored")
        stored.update(items)

    def delete(self, table: str, key: bytes) -> None:
        self.values[table].pop(key, None)


class MemoryPartition:
    """A partition that owns every slot: what is appended is folded at once, by the live code."""

    def __init__(self) -> None:
        self.tables = MemoryTables()
        self.applied = 0

    @property
    def view(self) -> Batch:
        """All rows as they are now."""
        return Batch(self.tables)

    def append(self, record: Record) -> LedgerEntry:
        """Fold a record; return what the ledger says of it."""
        understood = understand(self.applied, record, _THE_ONLY, 1)
        batch = self.view
        try:
            fold(batch, understood)
        except FoldError as error:
            batch = self.view
            put_aside(batch, error)
        batch.write()
        key = keys.offset(self.applied)
        self.applied += 1
        entry: LedgerEntry = decoded("ledger", key, self.tables.values["ledger"][key])
        return entry

    def tell(self, event: Event, at: Millis, kind: Kind = "outcome") -> LedgerEntry:
        """Fold an event that needs no understanding."""
        body = encode_event(event)
        return self.append(Record(Micros(at * 1_000), kind, "", body, payload_id(body)))

    def fall_due(self, now: Millis) -> int:
        """Let the timers fall that are due; return how many."""
        due = [key for key, _ in self.view.timers.under(b"") if key < keys.instant(now)]
        for key in due:
            body = encode_event(FallenTimer(key))
            self.append(Record(Micros(now * 1_000), "timer", "", body, payload_id(body)))
        return len(due)

    def state(self) -> dict[str, dict[bytes, bytes]]:
        """Return what is stored, but for what is trimmed by time and not by the log."""
        return {name: rows for name, rows in self.tables.values.items() if name not in TRIMMED}

    def changes(self) -> list[Change]:
        """Return the change feed from its beginning."""
        values = self.tables.values["changes"]
        return [decoded("changes", key, values[key]) for key in sorted(values)]

    def copy(self) -> "MemoryPartition":
        """Return a snapshot that goes on by itself."""
        return copy.deepcopy(self)
