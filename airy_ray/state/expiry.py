"""Rows that have served their time leave the state: feed entries, answers, ledger, what waited.

This is no projection: rows go by age, in small steps between batches, and which of them are still
there is no part of what "the same log makes the same bytes" says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lmdb

from airy_ray.clock import Micros, Millis, to_millis
from airy_ray.projections import keys
from airy_ray.projections.view import Answer, Receipt, Waiting
from airy_ray.state.queries import reading
from airy_ray.state.state import State
from airy_ray.state.tables import LedgerEntry, decoded

_STEP = 512


@dataclass(frozen=True)
class Cutoffs:
    """What was received before which instant may go."""

    changes: Millis
    requests: Millis
    ledger: Millis
    orphans: Millis
    receipts: Millis
    audit: Millis


def expire(state: State, cutoffs: Cutoffs, *, forwarded: int) -> int:
    """Delete what is past its time; return how many rows went.

    `forwarded` is the first sequence of the outbox that is still to be forwarded.
    """
    changes_end = keys.sequence(_offset_since(state, cutoffs.changes))
    requests_end = _offset_since(state, cutoffs.requests)
    ledger_end = _offset_since(state, cutoffs.ledger)
    gone = _delete_requests(state, requests_end, cutoffs.requests)
    gone += _delete_changes(state, changes_end)
    gone += _delete_before(state, "outbox", forwarded.to_bytes(8, "big"))
    gone += _delete_before(state, "ledger", keys.offset(ledger_end))
    gone += _delete_oldest(state, "audit", cutoffs.audit)
    gone += _delete_if(state, "receipts", lambda row: _is_past(row, cutoffs.receipts))
    gone += _delete_if(state, "orphans", lambda row: _is_past(row, cutoffs.orphans))
    return gone


def folded_at(state: State) -> Millis:
    """Return when the newest record was received that is folded in, as far as the ledger tells."""
    with state.environment.read() as transaction:
        cursor = transaction.cursor(state.environment.tables["ledger"])
        if not cursor.last():
            return Millis(0)
        newest: LedgerEntry = decoded("ledger", cursor.key(), cursor.value())
    return to_millis(newest.received_at)


def _is_past(row: Receipt | Waiting, before: Millis) -> bool:
    return row.received_at < before


def _offset_since(state: State, at: Millis) -> int:
    with reading(state.environment) as view:
        return view.ledger_since(Micros(at * 1_000))


def _delete_changes(state: State, end: int) -> int:
    """Delete entries of the feed; first say so, for who reads from before `end` on misses some."""
    if end > state.fact("changes_expired"):
        with state.environment.write() as transaction:
            state.set_fact(transaction, "changes_expired", end)
    return _delete_before(state, "changes", end.to_bytes(8, "big"))


def _delete_requests(state: State, end: int, before: Millis) -> int:
    """Delete the answers that go with records before offset `end`, unless given again since."""
    position = state.fact("requests_expired")
    gone = 0
    while position < end:
        with state.environment.write() as transaction:
            cursor = transaction.cursor(state.environment.tables["ledger"])
            if not cursor.set_range(keys.offset(position)):
                return gone
            for key, value in _some(cursor):
                offset = int.from_bytes(key, "big")
                if offset >= end:
                    position = end
                    break
                position = offset + 1
                entry: LedgerEntry = decoded("ledger", key, value)
                if entry.request is not None and _is_answered_before(
                    state, transaction, entry.request, before
                ):
                    requests = state.environment.tables["requests"]
                    gone += transaction.delete(entry.request, db=requests)
            state.set_fact(transaction, "requests_expired", position)
    return gone


def _is_answered_before(
    state: State, transaction: "lmdb.Transaction[bytes]", request: bytes, before: Millis
) -> bool:
    value = transaction.get(request, db=state.environment.tables["requests"])
    if value is None:
        return False
    answer: Answer = decoded("requests", request, value)
    return answer.at < before


def _some(cursor: "lmdb.Cursor[bytes]") -> list[tuple[bytes, bytes]]:
    found = []
    for item in cursor:
        found.append(item)
        if len(found) == _STEP:
            break
    return found


def _delete_before(state: State, table: str, end: bytes) -> int:
    return _delete_first(state, table, lambda cursor: cursor.key() < end)


def _delete_oldest(state: State, table: str, before: Millis) -> int:
    return _delete_first(
        state, table, lambda cursor: decoded(table, cursor.key(), cursor.value()).at < before
    )


def _delete_first(state: State, table: str, is_past: Callable[["lmdb.Cursor[bytes]"], bool]) -> int:
    """Delete the first rows of a table, up to one that is not past its time."""
    gone = 0
    while True:
        with state.environment.write() as transaction:
            cursor = transaction.cursor(state.environment.tables[table])
            step = 0
            while step < _STEP and cursor.first() and is_past(cursor):
                cursor.delete()
                step += 1
        gone += step
        if step < _STEP:
            return gone


def _delete_if(state: State, table: str, is_past: Callable[[Any], bool]) -> int:
    gone = 0
    start = b""
    while True:
        with state.environment.write() as transaction:
            cursor = transaction.cursor(state.environment.tables[table])
            if not cursor.set_range(start):
                return gone
            rows = _some(cursor)
            for key, value in rows:
                if is_past(decoded(table, key, value)):
                    gone += transaction.delete(key, db=state.environment.tables[table])
        if len(rows) < _STEP:
            return gone
        start = rows[-1][0] + b"\0"
