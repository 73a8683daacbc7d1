"""Exports for tests: how they are written, and what readers find in them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from airy_ray.analytics import manifest as manifests
from airy_ray.analytics.destination import Directory
from airy_ray.analytics.export import Done, Step, into
from airy_ray.analytics.manifest import Manifest
from airy_ray.analytics.schema import SCHEMAS
from airy_ray.model import contact, conversation, message
from airy_ray.model.ids import format_id
from airy_ray.partition.partition import Partition
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.queries import Reading
from tests.log_builders import prepared, settle, webhooks

HISTORY = "0f3a9c11"
Rows = dict[str, dict[str, Any]]

_PLAIN = (
    "id",
    "display_name",
    "avatar_url",
    "title",
    "gender",
    "timezone",
    "locale",
    "organization_name",
)
"""What an export tells of contacts as the API does."""


def export(
    to: Path, *specs: PartitionSpec, history: str = HISTORY, is_full: bool = False
) -> list[Done]:
    """Export partitions to a directory; return what was exported."""
    to.mkdir(exist_ok=True)
    steps: list[Step | Done] = list(into(Directory(to), specs, history, is_full=is_full))
    return [each for each in steps if isinstance(each, Done)]


def more(partition: Partition, count: int = 5, *, first: int = 1_000) -> None:
    partition.tail.append(prepared(webhooks(count, first=first)))
    settle(partition)


def manifest_in(to: Path) -> Manifest:
    return manifests.decode((to / manifests.NAME).read_bytes())


def tables_in(to: Path) -> dict[str, pa.Table]:
    """Return all rows of the files that count, by table, of which each has the columns of today."""
    tables: dict[str, list[pa.Table]] = {name: [] for name in SCHEMAS}
    for file in manifest_in(to).files:
        found = pq.ParquetFile(to / file.path).read()
        assert found.num_rows == file.rows > 0
        tables[file.table].append(found)
    return {
        name: pa.concat_tables(found) if found else SCHEMAS[name].empty_table()
        for name, found in tables.items()
    }


def newest_in(to: Path) -> dict[str, Rows]:
    """Return the newest row of each id that is not deleted, without its `change`, by table."""
    newest: dict[str, Rows] = {}
    for name, table in tables_in(to).items():
        rows: Rows = {}
        for row in sorted(table.to_pylist(), key=lambda row: row["change"]):
            rows[row["id"]] = row
        newest[name] = {
            each: {column: row[column] for column in row if column != "change"}
            for each, row in rows.items()
            if not row.get("is_deleted")
        }
    return newest


@contextmanager
def reading(spec: PartitionSpec) -> Iterator[Reading]:
    with (
        closing(LogTail(spec.directory, is_read_only=True)) as tail,
        closing(PartitionReader(tail)) as reader,
        reader.read() as view,
    ):
        yield view


def served(specs: Sequence[PartitionSpec]) -> dict[str, dict[str, Any]]:
    """Return conversations, messages and contacts as the API shows them, by id."""
    found: dict[str, dict[str, Any]] = {"conversations": {}, "messages": {}, "contacts": {}}
    for spec in specs:
        with reading(spec) as view:
            for _, row in view.conversations_after(b"", 100_000):
                shown = json.loads(conversation.rendered(row, b"null"))
                holder = view.contact_of(row.id)
                shown["contact"] = None if holder is None else format_id(holder)
                found["conversations"][shown["id"]] = shown
            for _, stored in view.messages_after(b"", 100_000):
                shown = json.loads(message.rendered(stored))
                found["messages"][shown["id"]] = shown
            for whole in view.contacts_after(b"", 100_000):
                shown = json.loads(contact.rendered(whole.contact, whole.identities))
                found["contacts"][shown["id"]] = shown
    return found


def as_served(newest: dict[str, Rows]) -> dict[str, dict[str, Any]]:
    """Return what an export tells of what the API shows, in that form."""
    messages = {each: _message(row) for each, row in newest["messages"].items()}
    return {
        "conversations": {
            each: {
                "id": each,
                "created_at": _instant(row["created_at"]),
                "channel": None,
                "metadata": json.loads(row["metadata"]),
                "last_message": messages[row["last_message_id"]],
                "contact": row["contact_id"],
            }
            for each, row in newest["conversations"].items()
        },
        "messages": messages,
        "contacts": {each: _contact(row) for each, row in newest["contacts"].items()},
    }


def _message(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "content": json.loads(row["content"]),
        "sent_at": _instant(row["sent_at"]),
        "delivery_state": row["delivery_state"],
        "from_contact": row["is_from_contact"],
        "source": row["source"],
        "metadata": json.loads(row["metadata"]),
        "sender": {"id": row["sender_id"], "name": None, "avatar_url": None},
    }


def _contact(row: dict[str, Any]) -> dict[str, Any]:
    address = dict(row["address"])
    fields = dict.fromkeys(contact.ADDRESS_FIELDS)
    conversations = {each["conversation_id"]: each["source"] for each in row["conversations"]}
    return {name: row[name] for name in _PLAIN} | {
        "via": dict(row["via"]) or None,
        "address": fields | address if address else None,
        "conversations": conversations or None,
        "metadata": None if row["metadata"] is None else json.loads(row["metadata"]),
        "created_at": _millis(row["created_at"]),
        "updated_at": _millis(row["updated_at"]),
    }


def _millis(at: Any) -> int | None:
    return None if at is None else round(at.timestamp() * 1_000)


def _instant(at: Any) -> str:
    return f"{at.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"
