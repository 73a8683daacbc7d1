"""What the API answers about records of the log, for the documentation."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from airy_ray.serve.api import examples
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.shapes import AuditPagination, Instant, Shape

Kind = Literal["webhook", "command", "outcome", "timer", "forward", "channel", "swap", "lost"]
Verdict = Literal["applied", "ignored", "quarantined"]


class Received(Shape):
    """What both lists tell of a record."""

    id: str = Field(description="Its partition and its offset there.")
    received_at: Instant


class LedgerEntry(Received):
    """A record, and what became of it."""

    model_config = example(examples.LEDGER_ENTRY)
    kind: Kind
    source: str = Field(description="`api` for commands.")
    body_bytes: int
    payload_id: str = Field(description="Digest of the body: the same for the same body.")
    verdict: Verdict
    reasons: list[str] = Field(description="Why parts of it, or all, came to nothing.")
    message_ids: list[UUID] = Field(description="Messages that it made or changed.")


class LedgerPage(Shape):
    """A page of the ledger."""

    data: list[LedgerEntry]
    pagination_data: AuditPagination


class LedgerRecord(Received):
    """A record with its body; `verdict` is null once it is too old for the ledger."""

    model_config = example(examples.LEDGER_RECORD)
    kind: Kind
    source: str
    body_bytes: int
    payload_id: str
    verdict: Verdict | None
    reasons: list[str]
    message_ids: list[UUID]
    repeats: str | None = Field(description="The record of which this is a repetition.")
    body_base64: str | None = Field(
        description="What came in, byte for byte; null where no source sent it, or it was erased."
    )
    body_text: str | None = Field(description="The same as text, where it is UTF-8.")


class QuarantinedRecord(Received):
    """A record in quarantine."""

    model_config = example(
        id=examples.RECORD_ID, received_at=examples.ASKED_AT, error=examples.FAULT
    )
    error: str


class QuarantinePagination(Shape):
    """Where to read on, and how many records are in quarantine."""

    model_config = example(next_cursor=None, total=1)
    next_cursor: str | None
    total: int


class QuarantinePage(Shape):
    """A page of the quarantine."""

    data: list[QuarantinedRecord]
    pagination_data: QuarantinePagination


class QuarantineFault(QuarantinedRecord):
    """Why a record is in quarantine."""

    model_config = example(
        id=examples.RECORD_ID,
        received_at=examples.ASKED_AT,
        kind="webhook",
        source="facebook",
        body_bytes=len(examples.RECORD_BODY),
        payload_id=examples.PAYLOAD_ID,
        error=examples.FAULT,
        traceback='  File "airy_ray/projections/messages.py", line 46, in receive\n',
    )
    kind: Kind
    source: str
    body_bytes: int
    payload_id: str
    traceback: str = Field(description="Where in the code it was raised; never what it read.")
