"""`ledger.*`: what was received, what became of it, and to have it taken in again.

Bodies are personal data: they are told here only, to who may manage everything, and only those that
sources sent, for commands may hold tokens and keys.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BeforeValidator, Field

from airy_ray.clock import Micros, to_millis
from airy_ray.errors import OffsetOutOfRangeError, RequestError
from airy_ray.model import json_text
from airy_ray.model.commands import ResendRecord
from airy_ray.model.ids import ConversationId, MessageId, format_id
from airy_ray.partition import ledger
from airy_ray.partition.ledger import Line, Question, Told, Unreadable
from airy_ray.rawlog.record import is_erased, parse_payload_id
from airy_ray.serve.api import ledger_shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, OptionalId, OptionalText
from airy_ray.serve.api.examples import RECORD_ID, example
from airy_ray.serve.api.paging import newest_page, positions_in, size_of
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.storage import child

PAGE_SIZE = 20

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _payload(value: Any) -> Any:
    """Return the digest of a body given as text; an empty text counts as absent."""
    if not isinstance(value, str) or not value:
        return value or None
    try:
        return parse_payload_id(value)
    except ValueError:
        raise ValueError("not the id of a payload") from None


PayloadId = Annotated[bytes | None, BeforeValidator(_payload, json_schema_input_type=OptionalText)]


class ListLedger(Body):
    """Which entries."""

    model_config = example(source="facebook", verdict="ignored", since="2025-11-21T00:00:00Z")
    source: OptionalText = Field(None, description="`api` for commands.")
    verdict: ledger_shapes.Verdict | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    conversation_id: OptionalId = Field(
        None, description="One of whose messages was made or changed."
    )
    message_id: OptionalId = None
    payload_id: PayloadId = None
    cursor: OptionalText = None
    page_size: int | None = PAGE_SIZE


class OneRecord(Body):
    """Which record."""

    model_config = example(id=RECORD_ID)
    id: str = Field(description="Its partition and its offset there, as they are listed.")


async def list_ledger(platform: Platform, _: Caller, asked: ListLedger) -> Response:
    """Return what was received and what became of it, newest first, without what it says.

    A filter that leaves out most makes pages short, even empty; the last has no next cursor.
    Entries are kept for `limits.ledger_days`.
    """
    specs = platform.machine.spec.partitions
    positions = positions_in(asked.cursor, len(specs))
    size = size_of(asked.page_size, limit=platform.settings.limits.page_size, default=PAGE_SIZE)
    page = await looked_up(ledger.pages, specs, _question(asked), positions, size)
    check_readable(page.unreadable)
    return newest_page([json_text.encode(_entry(line)) for line in page.lines], page.following)


async def info(platform: Platform, _: Caller, asked: OneRecord) -> Response:
    """Return a record of the log with its body, as it came, if a source sent it.

    What people said who were erased since is not in it.
    """
    told = await record(platform, asked.id)
    return Response(body=json_text.encode(_shown(told)))


async def resend(platform: Platform, caller: Caller, asked: OneRecord) -> Response:
    """Have what a source sent taken in again, as if it came now: routed by today's channels.

    Nothing is doubled: the same body makes the same messages. It becomes a new record, which the
    ledger has under the same `payload_id`, with what became of it.
    """
    told = await record(platform, asked.id)
    if told.record.kind != "webhook":
        raise RequestError(409, "no source sent this; only what sources send can be taken in again")
    check_whole(told)
    command = ResendRecord(**caller.signed(), record_id=str(told.place))
    return await platform.carry_out_in(told.partition, command)


async def looked_up(work: Callable[..., Iterator[T]], *args: Any) -> T:
    """Return the first of what a generator function yields in a child: it may take a while."""
    return await asyncio.to_thread(child.first, work, *args)


async def record(platform: Platform, identifier: str) -> Told:
    """Return all that is known of a record.

    Raises:
        RequestError: 404, there is none.
    """
    located = ledger.located(platform.machine.spec.partitions, identifier)
    if located is None:
        raise RequestError(404)
    try:
        return await looked_up(ledger.told, *located)
    except (FileNotFoundError, OffsetOutOfRangeError):
        raise RequestError(404) from None


def check_readable(unreadable: list[Unreadable]) -> None:
    """Refuse to tell a part for the whole."""
    if unreadable:
        raise RequestError(503, f"partition {unreadable[0].partition} cannot be read now")


def check_whole(told: Told) -> None:
    """Refuse to repeat what is not there any more."""
    if is_erased(told.record):
        raise RequestError(409, "this was erased")


def described(told: Told) -> dict[str, Any]:
    """Return what is told of a record itself."""
    return {
        "id": str(told.place),
        "received_at": instant(told.record.received_at),
        "kind": told.record.kind,
        "source": told.record.source,
        "body_bytes": len(told.record.body),
        "payload_id": told.record.payload_id.hex(),
    }


def _question(asked: ListLedger) -> Question:
    conversation, message = asked.conversation_id, asked.message_id
    return Question(
        source=asked.source,
        verdict=asked.verdict,
        since=None if asked.since is None else _micros(asked.since),
        until=None if asked.until is None else _micros(asked.until),
        conversation=None if conversation is None else ConversationId(conversation),
        message=None if message is None else MessageId(message),
        payload=asked.payload_id,
    )


def _entry(line: Line) -> dict[str, Any]:
    entry = line.entry
    return {
        "id": str(line.place),
        "received_at": instant(entry.received_at),
        "kind": entry.kind,
        "source": entry.source,
        "body_bytes": entry.body_bytes,
        "payload_id": entry.payload_id.hex(),
        "verdict": entry.verdict,
        "reasons": list(entry.reasons),
        "message_ids": [format_id(each) for each in entry.message_ids],
    }


def _shown(told: Told) -> dict[str, Any]:
    stored, entry = told.record, told.entry
    body = stored.body if stored.kind == "webhook" and not is_erased(stored) else None
    is_text = body is not None and json_text.is_utf8(body)
    return {
        **described(told),
        "verdict": None if entry is None else entry.verdict,
        "reasons": [] if entry is None else list(entry.reasons),
        "message_ids": [] if entry is None else [format_id(each) for each in entry.message_ids],
        "repeats": None if told.repeats is None else str(told.repeats),
        "body_base64": body,
        "body_text": body.decode() if body is not None and is_text else None,
    }


def instant(at: Micros) -> str:
    """Return an instant as it is shown."""
    return json_text.instant(to_millis(at))


def _micros(at: datetime) -> Micros:
    return Micros((at - _EPOCH) // timedelta(microseconds=1))


ENDPOINTS = [
    Endpoint(
        "/ledger.list",
        list_ledger,
        ListLedger,
        "List what was received and what became of it",
        ledger_shapes.LedgerPage,
        may_be_empty=True,
    ),
    Endpoint(
        "/ledger.info",
        info,
        OneRecord,
        "Get a record of the log with its body",
        ledger_shapes.LedgerRecord,
        failures=(404,),
    ),
    Endpoint(
        "/ledger.resend",
        resend,
        OneRecord,
        "Have what a source sent taken in again",
        status=202,
        failures=(404,),
    ),
]
