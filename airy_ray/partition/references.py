"""Do the rows of a state agree with one another? Each table is held against those it speaks of.

Every row was found whole before: what is wrong here is a row that is missing, or one too many.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb

from airy_ray.model.ids import (
    ContactId,
    ConversationId,
    format_id,
    slot_of,
)
from airy_ray.projections import keys
from airy_ray.state.tables import ROW_TYPES, decoded

_ID = 16


class _Rows:
    """The rows of a state that nobody writes."""

    def __init__(self, environment: lmdb.Environment, transaction: "lmdb.Transaction[bytes]"):
        self._transaction = transaction
        self._handles = {
            name: environment.open_db(name.encode(), txn=transaction, create=False)
            for name in ROW_TYPES
        }

    def get(self, table: str, key: bytes) -> Any:
        value = self._transaction.get(key, db=self._handles[table])
        return None if value is None else decoded(table, key, value)

    def all(self, table: str) -> Iterator[tuple[bytes, Any]]:
        for key, value in self._transaction.cursor(self._handles[table]):
            yield key, decoded(table, key, value)

    def keys(self, table: str) -> Iterator[bytes]:
        yield from self._transaction.cursor(self._handles[table]).iternext(values=False)

    def count(self, table: str, prefix: bytes = b"") -> int:
        if not prefix:
            return self._transaction.stat(self._handles[table])["entries"]
        cursor = self._transaction.cursor(self._handles[table])
        if not cursor.set_range(prefix):
            return 0
        found = 0
        for key in cursor.iternext(values=False):
            if not key.startswith(prefix):
                break
            found += 1
        return found


def problems(path: Path) -> Iterator[str]:
    """Yield what does not agree in the state in `path`, which nobody writes.

    Raises:
        RowCorruptError: a row is not whole; check that first.
    """
    with (
        lmdb.open(
            str(path), readonly=True, lock=False, max_dbs=len(ROW_TYPES), map_size=1 << 38
        ) as environment,
        environment.begin() as transaction,
    ):
        rows = _Rows(environment, transaction)
        yield from _messages(rows)
        yield from _conversations(rows)
        yield from _contacts(rows)
        for table, start in _NAMED_AT.items():
            yield from _named_messages(rows, table, start)
        yield from _told_messages(rows)
        yield from _offsets(rows)


_NAMED_AT = {"unread": _ID, "unseen": _ID + 1 + 8, "sends": 0}
"""Tables whose keys name a message that is there, and where in the key."""


def _messages(rows: _Rows) -> Iterator[str]:
    for key, message in rows.all("messages"):
        name = f"message {format_id(message.id)}"
        if key != keys.message(message.conversation_id, message.sent_at, message.id):
            yield f"{name} is kept under another key than its own"
        if rows.get("message_keys", message.id) != key:
            yield f"{name} cannot be found by its id"
        if rows.get("early", message.id) is not None:
            yield f"{name} is there, and listed as still to come"
    if rows.count("messages") != rows.count("message_keys"):
        yield from _dangling(rows, "message_keys", "messages")


def _dangling(rows: _Rows, table: str, onto: str) -> Iterator[str]:
    for identifier, key in rows.all(table):
        if rows.get(onto, key) is None:
            yield f"{table} has {format_id(identifier)}, which is not in {onto}"


def _conversations(rows: _Rows) -> Iterator[str]:
    being_read = {key[-_ID:] for key in rows.keys("timers")}
    for identifier, row in rows.all("conversations"):
        name = f"conversation {format_id(identifier)}"
        newest = keys.message(row.id, row.last_message_at, row.last_message_id)
        if rows.get("messages", newest) is None:
            yield f"{name} has a last message that is not there"
        if rows.get("conversations_by_time", keys.by_time(row.last_message_at, row.id)) is None:
            yield f"{name} is not in the list at its time"
        held = rows.count("messages", identifier)
        if held != row.message_count:
            yield f"{name} says that it has {row.message_count} messages, it has {held}"
        unread = rows.count("unread", identifier)
        counted = row.unread_count or 0
        if unread < counted or (unread > counted and identifier not in being_read):
            yield f"{name} says that {counted} messages are unread, {unread} are"
    for table in ("messages", "unread", "unseen", "profiles", "numbers"):
        yield from _of_no_conversation(rows, table)
    if rows.count("conversations") != rows.count("conversations_by_time"):
        yield "the list of conversations has other entries than there are conversations"


def _of_no_conversation(rows: _Rows, table: str) -> Iterator[str]:
    last = b""
    for key in rows.keys(table):
        if key[:_ID] != last:
            last = key[:_ID]
            if rows.get("conversations", last) is None:
                yield f"{table} speaks of conversation {format_id(last)}, which is not there"


def _contacts(rows: _Rows) -> Iterator[str]:
    for conversation, holder in rows.all("contact_of"):
        contact = holder[:_ID]
        if slot_of(conversation) != slot_of(contact):
            continue  # what it was told may be on its way
        name = f"conversation {format_id(conversation)}"
        if rows.get("contacts", contact) is None:
            yield f"{name} is with a contact that is not there"
        if (
            rows.get("identities", keys.identity(ContactId(contact), ConversationId(conversation)))
            is None
        ):
            yield f"{name} is not among the identities of its contact"
    for identifier, contact in rows.all("contacts"):
        named = keys.contact_name(contact.display_name, contact.id)
        if contact.merged_into is None and rows.get("contacts_by_name", named) is None:
            yield f"contact {format_id(identifier)} is not in the list at its name"


def _named_messages(rows: _Rows, table: str, start: int) -> Iterator[str]:
    for key in rows.keys(table):
        identifier = key[start : start + _ID]
        if rows.get("message_keys", identifier) is None:
            yield f"{table} speaks of message {format_id(identifier)}, which is not there"


def _told_messages(rows: _Rows) -> Iterator[str]:
    for _, identifier in rows.all("source_ids"):
        if rows.get("message_keys", identifier) is None:
            yield f"source_ids leads to message {format_id(identifier)}, which is not there"


def _offsets(rows: _Rows) -> Iterator[str]:
    """Rows that name offsets of the log name some that are folded; the ledger leaves none out."""
    applied = int.from_bytes(rows.get("meta", b"applied"), "big")
    expected = None
    for key in rows.keys("ledger"):
        offset = int.from_bytes(key, "big")
        if expected is not None and offset != expected:
            yield f"the ledger leaves out offsets {expected} to {offset - 1}"
        expected = offset + 1
    if expected is not None and expected != applied:
        yield f"the ledger ends before offset {expected}, the state before {applied}"
    for key in rows.keys("quarantine"):
        if int.from_bytes(key, "big") >= applied:
            yield f"offset {int.from_bytes(key, 'big')} is in quarantine and was never folded"
    for table in ("changes", "outbox"):
        for key in rows.keys(table):
            if int.from_bytes(key, "big") >= keys.sequence(applied):
                yield f"{table} has entries of records that were never folded"
                break
