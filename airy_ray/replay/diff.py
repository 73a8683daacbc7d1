"""What two generations that hold the same records differ in: row by row, field by field.

Tables that lose rows by age are left out. The differences go into an Arrow stream, all of them;
some are returned as samples, with how many there are of each kind.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import lmdb
import msgspec
import pyarrow as pa

from airy_ray.model import json_text
from airy_ray.model.ids import ID_BYTES, ChannelId, ConversationId, MessageId, format_id
from airy_ray.partition.refold import BY_KEY, LEFT_OUT
from airy_ray.replay.order import SAMPLES_MAX, Counted, Sample
from airy_ray.state.state import State
from airy_ray.state.tables import ROW_TYPES, decoded, unsealed

SCHEMA = pa.schema(
    [
        pa.field("table", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("conversation_id", pa.string()),
        pa.field("change", pa.string(), nullable=False),
        pa.field("fields", pa.list_(pa.string()), nullable=False),
        pa.field("before", pa.string()),
        pa.field("after", pa.string()),
    ]
)
"""A row for each difference; `change` is `only before`, `only after` or `changed`."""

_ROWS_AT_ONCE = 4_096
_TOLD_ROWS = 50_000
"""After how many rows to tell how far that is."""


Place = tuple[ConversationId, MessageId | None]


class Difference(NamedTuple):
    """One row that differs.

    Attributes:
        key: as it is stored.
        fields: the names of those that differ, of a row that is on both sides.
    """

    table: str
    key: bytes
    before: Any
    after: Any
    fields: tuple[str, ...] = ()

    @property
    def change(self) -> str:
        """Which kind of difference it is."""
        if self.before is None:
            return "only after"
        return "only before" if self.after is None else "changed"

    @property
    def source(self) -> str:
        """The source of what it is about, if the row tells."""
        return getattr(self.row, "source", None) or ""

    @property
    def conversation_id(self) -> ConversationId | None:
        """The conversation that it is about, if the row or its key tells."""
        if self.table in ("conversations", "contact_of", "held", "profiles"):
            return ConversationId(self.key)
        if self.table in ("messages", "unread", "unseen", "asked", "dialogues"):
            return ConversationId(self.key[:ID_BYTES])
        if self.table == "metadata" and self.key[:1] == b"c":
            return ConversationId(self.key[1 : 1 + ID_BYTES])
        return None

    @property
    def message_id(self) -> MessageId | None:
        """The message that it is about, if the row or its key tells."""
        if self.table == "messages":
            return MessageId(self.key[-ID_BYTES:])
        if self.table == "metadata" and self.key[:1] == b"m":
            return MessageId(self.key[1 : 1 + ID_BYTES])
        return None

    @property
    def subject(self) -> bytes:
        """The id in the key of whose row it is: the rest of a key may be what people wrote."""
        match self.table:
            case "messages" | "unread" | "unseen" | "contacts_by_name" | "conversations_by_time":
                return self.key[-ID_BYTES:]
            case "metadata":
                return self.key[1 : 1 + ID_BYTES]
            case _:
                return self.key[:ID_BYTES]

    @property
    def id(self) -> str:
        """Whose row it is, as people call it; which one of several, as far as they know that."""
        if self.table == "quarantine":
            return f"offset {int.from_bytes(self.key, 'big')}"
        subject = self.subject
        name = format_id(subject) if len(subject) == ID_BYTES else subject.hex()
        if self.table == "metadata":
            kept = self.key[1 + ID_BYTES :].decode("utf-8", "replace")
            return f"{name} {self.row.long_key or kept}"
        return name

    @property
    def row(self) -> Any:
        """As it is in the new generation, or was, if that has none."""
        return self.before if self.after is None else self.after


class Found(NamedTuple):
    """What was found.

    Attributes:
        told: conversations and messages that show something else, as far as they are not too many.
        is_told_whole: whether those are all.
        channels: whose those conversations are that only one of both has.
    """

    counts: tuple[Counted, ...]
    samples: tuple[Sample, ...]
    messages: int
    told: tuple[Place, ...]
    is_told_whole: bool
    channels: dict[ConversationId, ChannelId]


def compare(before: Path, after: Path, file: Path, told_max: int) -> Iterator[int | Found]:
    """Write all differences as Arrow; yield how many rows were looked at, then the result.

    Nobody may write either state.
    """
    collecting = _Collecting(told_max)
    rows = 0
    with (
        closing(State(before)) as one,
        closing(State(after)) as other,
        one.environment.read() as left,
        other.environment.read() as right,
        pa.OSFile(str(file), "wb") as sink,
        pa.ipc.new_stream(sink, SCHEMA) as writer,
    ):
        messages = left.stat(one.environment.tables["messages"])["entries"]
        batch: list[Difference] = []
        for found in _compared(one, left, other, right):
            rows += 1
            if found is not None:
                collecting.add(found)
                batch.append(found)
            if len(batch) == _ROWS_AT_ONCE:
                writer.write_batch(_arrow(batch))
                batch = []
            if rows % _TOLD_ROWS == 0:
                yield rows
        if batch:
            writer.write_batch(_arrow(batch))
    yield collecting.result(messages)


def differing(before: Path, after: Path) -> Iterator[Difference]:
    """Yield the rows that differ, table by table; nobody may write either state."""
    with (
        closing(State(before)) as one,
        closing(State(after)) as other,
        one.environment.read() as left,
        other.environment.read() as right,
    ):
        for found in _compared(one, left, other, right):
            if found is not None:
                yield found


def joined(files: Sequence[Path], to: Path) -> int:
    """Write the differences of all partitions to one Arrow file; return how many rows there are.

    Only its owner may read it, whoever might read what was there before.
    """
    rows = 0
    descriptor = os.open(to, os.O_WRONLY | os.O_CREAT, 0o600)
    os.fchmod(descriptor, 0o600)
    os.ftruncate(descriptor, 0)
    with os.fdopen(descriptor, "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        for file in files:
            with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as batches:
                for batch in batches:
                    rows += batch.num_rows
                    writer.write_batch(batch)
    return rows


class _Collecting:
    def __init__(self, told_max: int) -> None:
        self._told_max = told_max
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._samples: dict[tuple[str, str], list[Sample]] = {}
        self._told: dict[Place, None] = {}
        self._channels: dict[ConversationId, ChannelId] = {}
        self._is_whole = True

    def add(self, found: Difference) -> None:
        self._counts[found.table, found.source, found.change] += 1
        samples = self._samples.setdefault((found.table, found.change), [])
        if len(samples) < SAMPLES_MAX:
            samples.append(_sample(found))
        conversation = found.conversation_id
        if conversation is not None and found.table in ("conversations", "messages", "metadata"):
            self._tell(found, conversation)

    def _tell(self, found: Difference, conversation: ConversationId) -> None:
        place = conversation, found.message_id
        if place not in self._told and len(self._told) >= self._told_max:
            self._is_whole = False
            return
        self._told[place] = None
        if found.table == "conversations" and found.change != "changed":
            self._channels[conversation] = found.row.channel_id

    def result(self, messages: int) -> Found:
        kinds = sorted({(table, source) for table, source, _ in self._counts})
        counts = tuple(
            Counted(
                *kind,
                only_before=self._counts[*kind, "only before"],
                only_after=self._counts[*kind, "only after"],
                changed=self._counts[*kind, "changed"],
            )
            for kind in kinds
        )
        # of each kind of difference some, before there are more of any; indexes come last
        ordered = [
            sample
            for is_index in (False, True)
            for number in range(SAMPLES_MAX)
            for (table, _), samples in self._samples.items()
            if (ROW_TYPES[table] is None) == is_index
            for sample in samples[number : number + 1]
        ]
        return Found(
            counts,
            tuple(ordered[:SAMPLES_MAX]),
            messages,
            tuple(self._told),
            self._is_whole,
            self._channels,
        )


def _compared(
    one: State,
    left: "lmdb.Transaction[bytes]",
    other: State,
    right: "lmdb.Transaction[bytes]",
) -> Iterator[Difference | None]:
    """Yield what each row of all tables differs in, None where it does not."""
    for table in ROW_TYPES:
        if table not in LEFT_OUT:
            ours = left.cursor(one.environment.tables[table])
            theirs = right.cursor(other.environment.tables[table])
            yield from _differences(table, ours, theirs)


def _differences(
    table: str, ours: "lmdb.Cursor[bytes]", theirs: "lmdb.Cursor[bytes]"
) -> Iterator[Difference | None]:
    """Yield what each row of a table differs in, None where it does not."""
    has_ours, has_theirs = ours.first(), theirs.first()
    while has_ours or has_theirs:
        key, other = ours.key(), theirs.key()
        is_ours = has_ours and (not has_theirs or key <= other)
        is_theirs = has_theirs and (not has_ours or other <= key)
        if is_ours and is_theirs:
            same = table in BY_KEY or ours.value() == theirs.value()
            yield None if same else _change(table, key, ours.value(), theirs.value())
        elif is_ours:
            yield Difference(table, key, _row(table, key, ours.value()), None)
        else:
            yield Difference(table, other, None, _row(table, other, theirs.value()))
        has_ours = ours.next() if is_ours else has_ours
        has_theirs = theirs.next() if is_theirs else has_theirs


def _change(table: str, key: bytes, ours: bytes, theirs: bytes) -> Difference | None:
    """Return what a row differs in; None if an earlier version only wrote the same otherwise."""
    before, after = _row(table, key, ours), _row(table, key, theirs)
    if before == after:
        return None
    fields: tuple[str, ...] = ()
    if isinstance(before, msgspec.Struct):
        fields = tuple(
            name
            for name in before.__struct_fields__
            if getattr(before, name) != getattr(after, name)
        )
    return Difference(table, key, before, after, fields)


def _row(table: str, key: bytes, value: bytes) -> Any:
    return unsealed(table, key, value) if ROW_TYPES[table] is None else decoded(table, key, value)


def _sample(found: Difference) -> Sample:
    return Sample(
        found.table,
        found.source,
        found.id,
        found.fields,
        _text(found.before, found.fields),
        _text(found.after, found.fields),
    )


def _arrow(found: list[Difference]) -> pa.RecordBatch:
    columns: list[list[Any]] = [
        [each.table for each in found],
        [each.source for each in found],
        [each.id for each in found],
        [_id(each.conversation_id) for each in found],
        [each.change for each in found],
        [list(each.fields) for each in found],
        [_text(each.before, ()) for each in found],
        [_text(each.after, ()) for each in found],
    ]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)],
        schema=SCHEMA,
    )


def _id(identifier: bytes | None) -> str | None:
    return None if identifier is None else format_id(identifier)


def _text(row: Any, fields: tuple[str, ...]) -> str | None:
    """Return a row, or some fields of it, as JSON text."""
    if row is None:
        return None
    shown = _shown(row)
    if fields and isinstance(shown, dict):
        shown = {name: shown[name] for name in fields}
    return json_text.encode(shown).decode("utf-8", "replace")


def _shown(value: Any) -> Any:
    """Return a value as JSON can have it: ids as ids, other bytes as text, or else in hex."""
    if isinstance(value, bytes):
        if len(value) == ID_BYTES:
            return format_id(value)
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, msgspec.Struct):
        return {name: _shown(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(name): _shown(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_shown(each) for each in value]
    return value
