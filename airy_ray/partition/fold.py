"""One record folded into a batch of writes: what it means, what that does, what the ledger says.

Live projection and replay both come through here, so they cannot differ.
"""

import traceback

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import AiryError, StateError, StorageError
from airy_ray.model import commands
from airy_ray.model.commands import AnyCommand
from airy_ray.model.events import Event
from airy_ray.model.ids import PartitionIndex, parse_id
from airy_ray.partition.interpret import interpret
from airy_ray.projections import audit, keys, linked_contacts
from airy_ray.projections.commands import carry_out, is_repeated
from airy_ray.projections.messages import Effect
from airy_ray.projections.project import project
from airy_ray.projections.view import Answer, AuditEntry, Fault
from airy_ray.rawlog.record import ERASED, Offset, Record, is_erased
from airy_ray.sources.whatsapp import Whatsapp
from airy_ray.state.batch import Batch
from airy_ray.state.tables import LedgerEntry

decode_event = msgspec.msgpack.Decoder(Event).decode
encode_event = msgspec.msgpack.Encoder().encode

FALLEN_BEFORE = Effect("fell before")
FORWARDED_BEFORE = Effect("forwarded before")
PASSED_ON = Effect("passed on")
_NEWS = {"created", "updated", "applied", "parked", "delivered", "failed"}
"""Verdicts after which something is different than before."""


class FallenTimer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The body of a `timer` record: which timer fell due."""

    key: bytes


class Understood(msgspec.Struct, frozen=True, gc=False):
    """A record and what it means, found out without looking at the state.

    Attributes:
        fallen: under which key that is kept which fell due, if something did.
        failure: why it could not be understood, if it could not.
        audited: what stays of an erased command in the audit log.
        is_misrouted: parts of it are to be routed anew.
    """

    offset: int
    record: Record
    events: list[Event] = []
    ignored: list[str] = []
    command: AnyCommand | None = None
    fallen: bytes | None = None
    failure: Exception | None = None
    audited: AuditEntry | None = None
    is_misrouted: bool = False


class FoldError(Exception):
    """The projection of a record failed; nothing of its batch may be written."""

    def __init__(self, failed: Understood, cause: Exception) -> None:
        super().__init__(failed.offset)
        self.failed = failed
        self.cause = cause


def understand(
    offset: int, record: Record, partition: PartitionIndex, partitions: int
) -> Understood:
    """Return what the record at `offset` of `partition`'s log means."""
    if is_erased(record):
        return Understood(offset, record, ignored=["erased"], audited=audited_in(record))
    try:
        match record.kind:
            case "webhook":
                meaning = interpret(record, partition, partitions)
                return Understood(
                    offset,
                    record,
                    meaning.events,
                    meaning.ignored,
                    is_misrouted=meaning.is_misrouted,
                )
            case "command":
                command = commands.decode(record.body)
                parse_id(command.id)  # its answer is kept under it, whatever else fails
                commands.asked(command, b"")
                return Understood(offset, record, command=command)
            case "timer":
                fallen = msgspec.msgpack.decode(record.body, type=FallenTimer).key
                is_retried = record.of is not None
                return Understood(
                    offset, record, fallen=keys.put_aside(fallen) if is_retried else fallen
                )
            case "outcome" | "forward" | "channel" | "lost" | "swap":
                return Understood(offset, record, [decode_event(record.body)])
    except Exception as error:  # one broken record must not stop its siblings
        return Understood(offset, record, failure=error)


class _Erased(msgspec.Struct, frozen=True):
    erased: bool
    audited: AuditEntry | None = None


def body_of_erased(audited: AuditEntry | None) -> bytes:
    """Return what is left of a command of which its row in the audit log is to stay, if any is."""
    return ERASED if audited is None else msgspec.json.encode(_Erased(True, audited))


def audited_in(record: Record) -> AuditEntry | None:
    """Return the row of the audit log that an erased record leaves."""
    return msgspec.json.decode(record.body, type=_Erased).audited


def fold(batch: Batch, understood: Understood, *, is_whole: bool = True) -> None:
    """Fold a record into the state; if it is only a part of one, the ledger stays as it is.

    Raises:
        FoldError: its projection failed; give the batch up, and quarantine the record in another.
        StorageError, StateError, MemoryError: not the record's fault; try the batch again.
    """
    batch.begin(understood.offset)
    try:
        if understood.failure is not None:
            raise understood.failure
        effects = _effects(batch, understood)
    except (StorageError, StateError, MemoryError):
        raise
    except Exception as error:  # one broken record must not stop its siblings
        raise FoldError(understood, error) from error
    if understood.audited is not None:
        batch.audit(understood.audited)
    if is_whole:
        _note(batch, understood, effects)


def quarantine(batch: Batch, error: FoldError) -> None:
    """Put a record whose projection fails aside: it writes this, and nothing else.

    A timer is put aside with it, or it would fall due for ever.
    """
    offset, record = error.failed.offset, error.failed.record
    batch.begin(offset)
    told = str(error.cause) if isinstance(error.cause, AiryError) else ""
    fault = Fault(
        error=f"{type(error.cause).__name__}: {told}".rstrip(": "),
        traceback="".join(traceback.format_tb(error.cause.__traceback__)),
        at=record.received_at,
        timer=_timer_aside(batch, error.failed.fallen),
    )
    batch.quarantine.put(keys.offset(offset), fault)
    command = error.failed.command
    if command is not None:
        answer = Answer(commands.asked(command, record.payload_id), 500, at=record.at)
        batch.requests.put(parse_id(command.id), answer)
        entry = audit.entry(command, 500, b"", record.at)
        if entry is not None:
            batch.audit(entry)
    batch.note(_entry(error.failed, "quarantined", (fault.error,), ()))


def _timer_aside(batch: Batch, fallen: bytes | None) -> bytes | None:
    timer = None if fallen is None else batch.timers.get(fallen)
    if fallen is None or timer is None:
        return None
    aside = keys.put_aside(fallen)
    batch.timers.delete(fallen)
    batch.timers.put(aside, timer)
    return aside


def _effects(batch: Batch, understood: Understood) -> list[Effect]:
    record = understood.record
    at = record.at
    if understood.command is not None:
        return [carry_out(batch, understood.command, record.payload_id, at)]
    if understood.fallen is not None:
        return [_fallen(batch, understood.fallen, at)]
    if record.of is not None and record.kind != "webhook" and understood.events:
        return [_forwarded(batch, understood, record.of)]
    if record.kind == "webhook" and record.source == Whatsapp.hook:
        here = linked_contacts.folded_here(batch, understood.events)
        passed_on = [PASSED_ON] if len(here) < len(understood.events) else []
        return [*(project(batch, event, at) for event in here), *passed_on]
    return [project(batch, event, at) for event in understood.events]


def _fallen(batch: Batch, key: bytes, at: Millis) -> Effect:
    timer = batch.timers.get(key)
    if timer is None:
        return FALLEN_BEFORE
    batch.timers.delete(key)
    return project(batch, decode_event(timer.event), at)


def _forwarded(batch: Batch, understood: Understood, of: tuple[PartitionIndex, Offset]) -> Effect:
    """Fold an event that came from elsewhere; one that is forwarded twice is folded once."""
    record = understood.record
    seen = keys.forwarded(*of, record.payload_id)
    if is_repeated(batch, seen, record.at):
        return FORWARDED_BEFORE
    batch.requests.put(seen, Answer(record.payload_id, 204, at=record.at))
    return project(batch, understood.events[0], record.at)


def _note(batch: Batch, understood: Understood, effects: list[Effect]) -> None:
    reasons = list(understood.ignored)
    made = []
    verdict = "ignored"
    for effect in effects:
        if effect.verdict in _NEWS:
            verdict = "applied"
        else:
            reasons.append(effect.verdict)
        if effect.message_id is not None:
            made.append(effect.message_id)
    batch.note(_entry(understood, verdict, tuple(reasons), tuple(made)))


def _entry(
    understood: Understood, verdict: str, reasons: tuple[str, ...], made: tuple[bytes, ...]
) -> LedgerEntry:
    record = understood.record
    return LedgerEntry(
        record.received_at,
        record.kind,
        record.source,
        len(record.body),
        verdict,
        reasons,
        made,
        record.payload_id,
        None if record.kind == "webhook" else request_of(understood),
    )


def request_of(understood: Understood) -> bytes | None:
    """Return the key under which something is kept so that the record is not folded twice."""
    record = understood.record
    if understood.command is not None:
        return parse_id(understood.command.id)
    if record.of is not None and understood.events:
        return keys.forwarded(*record.of, record.payload_id)
    return None
