"""What became of each record, over all partitions, newest first: the ledger and the quarantine.

A page of rows is read in one short transaction; a walk through millions of them is many of those.
Look from a child, see `storage.child`.
"""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import islice

import msgspec

from airy_ray.clock import Micros
from airy_ray.errors import AiryError
from airy_ray.model.ids import REGISTRY, ConversationId, MessageId, owner_of, slot_of
from airy_ray.partition.history import History
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Record
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.queries import Reading
from airy_ray.state.tables import Fault, LedgerEntry

_PAGE = 1_000
_CLOCK_SLACK_US = 3_600_000_000
"""How far clocks may have been set back: later records are not older than others by more."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are asked for; None means any.

    Attributes:
        source: of what was received; `api` for commands.
        since: instant of the oldest, inclusive.
        until: instant behind the newest.
        conversation: one of whose messages was made or changed.
        payload: digest of the body.
    """

    source: str | None = None
    verdict: str | None = None
    since: Micros | None = None
    until: Micros | None = None
    conversation: ConversationId | None = None
    message: MessageId | None = None
    payload: bytes | None = None


class Place(msgspec.Struct, frozen=True, order=True):
    """A record's partition, by name, and its offset in there."""

    partition: str
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Line(msgspec.Struct, frozen=True):
    """One entry and whose it is."""

    place: Place
    entry: LedgerEntry


class Unreadable(msgspec.Struct, frozen=True):
    """A partition whose entries are missing in an answer, and why."""

    partition: str
    reason: str


class Page(msgspec.Struct, frozen=True):
    """A part of an answer.

    Attributes:
        before: for each partition, in order, the offset before which the next page goes on; None
            if there is no next page.
    """

    lines: list[Line]
    unreadable: list[Unreadable]
    before: list[int] | None


class Case(msgspec.Struct, frozen=True):
    """A record in quarantine."""

    place: Place
    fault: Fault


class Docket(msgspec.Struct, frozen=True):
    """The records in quarantine, newest first: `count` in all, perhaps fewer of them listed."""

    cases: list[Case]
    count: int
    unreadable: list[Unreadable]


def page(
    specs: Sequence[PartitionSpec], question: Question, before: list[int] | None, limit: int
) -> Iterator[Page]:
    """Yield the one page of up to `limit` entries, newest first, that lie before a position."""
    starts = [0] * len(specs) if before is None else list(before)
    walks = []
    unreadable: list[Unreadable] = []
    with ExitStack() as stack:
        for index, spec in enumerate(specs):
            try:
                reader = stack.enter_context(_reader(spec))
                with reader.read() as view:
                    starts[index] = view.applied() if before is None else before[index]
            except FileNotFoundError:
                continue  # nothing has begun there
            except AiryError as error:
                unreadable.append(Unreadable(spec.name, str(error)))
                continue
            if _may_hold(spec, question):
                walk = _walk(spec.name, reader, question, starts[index])
                walks.append(_while_readable(index, spec.name, walk, unreadable))
        merged = heapq.merge(*walks, key=lambda found: -found[1].entry.received_at)
        taken = list(islice(merged, limit + 1))
    for index, line in taken[:limit]:
        starts[index] = line.place.offset
    lines = [line for _, line in taken[:limit]]
    yield Page(lines, unreadable, starts if len(taken) > limit else None)


def _while_readable(
    index: int, name: str, walk: Iterator[Line], unreadable: list[Unreadable]
) -> Iterator[tuple[int, Line]]:
    """Yield the entries of the partition at `index` up to one that cannot be read."""
    try:
        for line in walk:
            yield index, line
    except AiryError as error:
        unreadable.append(Unreadable(name, str(error)))


def _walk(name: str, reader: PartitionReader, question: Question, before: int) -> Iterator[Line]:
    """Yield the entries of one partition that answer a question, newest first."""
    while True:
        with reader.read() as view:
            entries = view.ledger(before, _PAGE)
            answers = [each for each in entries if _is_answer(question, each[1], view)]
        for offset, entry in answers:
            yield Line(Place(name, offset), entry)
        if len(entries) < _PAGE or _is_past(question, entries[-1][1]):
            return
        before = entries[-1][0]


def docket(specs: Sequence[PartitionSpec], limit: int) -> Iterator[Docket]:
    """Yield the one docket of the newest `limit` records in quarantine."""
    cases: list[Case] = []
    unreadable = []
    count = 0
    for spec in specs:
        try:
            with _reader(spec) as reader, reader.read() as view:
                count += view.counts()["quarantine"]
                rows = view.newest_quarantined(limit)
        except FileNotFoundError:
            continue  # nothing has begun there
        except AiryError as error:
            unreadable.append(Unreadable(spec.name, str(error)))
            continue
        cases += [Case(Place(spec.name, offset), fault) for offset, fault in rows]
    cases.sort(key=lambda case: case.fault.at, reverse=True)
    yield Docket(cases[:limit], count, unreadable)


def case(spec: PartitionSpec, offset: int) -> Iterator[tuple[Fault | None, Record]]:
    """Yield one record and why it is in quarantine, if it is."""
    with closing(LogTail(spec.directory, is_read_only=True)) as tail:
        with closing(PartitionReader(tail)) as reader, reader.read() as view:
            fault = view.fault(offset)
        yield fault, History(tail, spec.archive).at(offset)


@contextmanager
def _reader(spec: PartitionSpec) -> Iterator[PartitionReader]:
    with (
        closing(LogTail(spec.directory, is_read_only=True)) as tail,
        closing(PartitionReader(tail)) as reader,
    ):
        yield reader


def _may_hold(spec: PartitionSpec, question: Question) -> bool:
    """Whether a partition can have what is asked for: ids tell theirs."""
    named = question.conversation or question.message
    if named is None:
        return True
    return spec.index != REGISTRY and owner_of(named, spec.count) == spec.index


def _is_answer(question: Question, entry: LedgerEntry, view: Reading) -> bool:
    return (
        (question.source is None or entry.source == question.source)
        and (question.verdict is None or entry.verdict == question.verdict)
        and (question.since is None or entry.received_at >= question.since)
        and (question.until is None or entry.received_at < question.until)
        and (question.payload is None or entry.payload_id == question.payload)
        and (question.message is None or question.message in entry.message_ids)
        and (question.conversation is None or _is_of(question.conversation, entry, view))
    )


def _is_of(conversation: ConversationId, entry: LedgerEntry, view: Reading) -> bool:
    for message in entry.message_ids:
        if slot_of(message) == slot_of(conversation):
            key = view.message_key(MessageId(message))
            if key is not None and key.startswith(conversation):
                return True
    return False


def _is_past(question: Question, entry: LedgerEntry) -> bool:
    since = question.since
    return since is not None and entry.received_at < since - _CLOCK_SLACK_US
