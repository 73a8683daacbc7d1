"""What became of each record, over all partitions, newest first: the ledger and the quarantine.

Rows are read a few at a time, each step in a transaction of its own, and of one partition no more
for a page than `newest.LOOKED_AT_MAX`, however long the history is. Look from a child, see
`storage.child`.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import msgspec

from airy_ray.clock import Micros
from airy_ray.errors import AiryError
from airy_ray.model.ids import (
    REGISTRY,
    ConversationId,
    MessageId,
    PartitionIndex,
    owner_of,
    slot_of,
)
from airy_ray.partition.forgetting import Forgotten
from airy_ray.partition.history import History
from airy_ray.partition.newest import (
    CLOCKS_APART_MS,
    LOOKED_AT_MAX,
    LOOKED_AT_ONCE,
    Found,
    merged,
)
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections.view import Erasure, Fault
from airy_ray.rawlog.record import Kind, Record
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.queries import Reading
from airy_ray.state.tables import LedgerEntry

RETRIABLE: frozenset[Kind] = frozenset({"webhook", "outcome", "timer", "forward", "channel"})
"""What may be folded anew later. Who gave a command was told that it failed, and asks again."""

_CLOCKS_APART_US = CLOCKS_APART_MS * 1_000
_ERASURES_AT_ONCE = 10_000
_PLACE = re.compile(r"([a-z]+|\d{1,5}):(\d{1,18})", re.ASCII)


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
    """A part of an answer; it may be short, or empty, and not the last.

    Attributes:
        following: for each partition, in order, the offset before which the next page goes on; 0
            where nothing is left.
    """

    lines: list[Line]
    unreadable: list[Unreadable]
    following: list[int]


class Case(msgspec.Struct, frozen=True):
    """A record in quarantine."""

    place: Place
    fault: Fault


class Docket(msgspec.Struct, frozen=True):
    """Records in quarantine, newest first: of `count` in all some; where to go on as in `Page`."""

    cases: list[Case]
    count: int
    unreadable: list[Unreadable]
    following: list[int]


class Told(msgspec.Struct, frozen=True):
    """All that is known of a record.

    Attributes:
        partition: where it is.
        record: without what was said by whom that is being forgotten.
        entry: what became of it; None if it is too old for the ledger.
        fault: why it is in quarantine; None if it is not.
    """

    partition: PartitionIndex
    place: Place
    record: Record
    entry: LedgerEntry | None
    fault: Fault | None

    @property
    def repeats(self) -> Place | None:
        """The record of which this is a repetition, if a source sent it."""
        of = self.record.of
        if of is None or self.record.kind != "webhook":
            return None
        return Place(f"{of[0]:02}", of[1])

    @property
    def was_quarantined(self) -> bool:
        """Whether it is in quarantine, or was until somebody dealt with it."""
        return self.fault is not None or (
            self.entry is not None and self.entry.verdict == "quarantined"
        )


def located(specs: Sequence[PartitionSpec], text: str) -> tuple[PartitionSpec, int] | None:
    """Return the partition and the offset that `02:17` means; `2:17` is the same."""
    parts = _PLACE.fullmatch(text)
    if parts is None:
        return None
    name = f"{int(parts[1]):02}" if parts[1].isdecimal() else parts[1]
    spec = next((spec for spec in specs if spec.name == name), None)
    return None if spec is None else (spec, int(parts[2]))


def pages(
    specs: Sequence[PartitionSpec], question: Question, positions: list[int], limit: int
) -> Iterator[Page]:
    """Yield pages of entries before positions, newest first, up to `limit` entries or the end."""
    while True:
        page = _page(specs, question, positions, limit)
        yield page
        limit -= len(page.lines)
        positions = page.following
        if limit <= 0 or not any(positions):
            return


def docket(specs: Sequence[PartitionSpec], positions: list[int], limit: int) -> Iterator[Docket]:
    """Yield the one docket of the newest `limit` records in quarantine before positions."""
    found: list[Found[Fault]] = []
    unreadable = []
    count = 0
    for spec, position in zip(specs, positions, strict=True):
        rows: list[tuple[int, Fault]] = []
        try:
            with _reader(spec) as reader, reader.read() as view:
                count += view.counts()["quarantine"]
                rows = view.newest_quarantined(position, limit)
        except FileNotFoundError:
            pass  # nothing has begun there
        except AiryError as error:
            unreadable.append(Unreadable(spec.name, str(error)))
        found.append(Found(rows, rows[-1][0] if len(rows) == limit else None))
    taken, following = merged(found, positions, limit, lambda fault: fault.at)
    cases = [Case(Place(specs[each.partition].name, each.offset), each.row) for each in taken]
    yield Docket(cases, count, unreadable, following)


def told(spec: PartitionSpec, offset: int) -> Iterator[Told]:
    """Yield all that is known of one record.

    Raises:
        FileNotFoundError, OffsetOutOfRangeError: there is none.
    """
    with closing(LogTail(spec.directory, is_read_only=True)) as tail:
        with closing(PartitionReader(tail)) as reader, reader.read() as view:
            entry, fault = view.ledger_entry(offset), view.fault(offset)
            erasures = view.erasures(view.erased_before(), _ERASURES_AT_ONCE)
        record = History(tail, spec.archive).at(offset)
        place = Place(spec.name, offset)
        yield Told(spec.index, place, _left_of(offset, record, erasures), entry, fault)


def _left_of(offset: int, record: Record, erasures: list[tuple[int, Erasure]]) -> Record:
    """Return a record as the log will have it once erasures that are under way are done."""
    if not erasures:
        return record
    forgotten = Forgotten(erasures)
    forgotten.learn(offset, record)
    return forgotten.cut(offset, record) or record


def _page(
    specs: Sequence[PartitionSpec], question: Question, positions: list[int], limit: int
) -> Page:
    found: list[Found[LedgerEntry]] = []
    unreadable = []
    for spec, position in zip(specs, positions, strict=True):
        try:
            found.append(_find(spec, question, position, limit))
        except AiryError as error:
            unreadable.append(Unreadable(spec.name, str(error)))
            found.append(Found([], None))
    taken, following = merged(found, positions, limit, lambda entry: entry.received_at)
    if any(following):  # the next page says again what it cannot tell
        missing = {each.partition for each in unreadable}
        following = [
            position if spec.name in missing else next_position
            for spec, position, next_position in zip(specs, positions, following, strict=True)
        ]
    lines = [Line(Place(specs[each.partition].name, each.offset), each.row) for each in taken]
    return Page(lines, unreadable, following)


def _find(spec: PartitionSpec, question: Question, position: int, limit: int) -> Found[LedgerEntry]:
    """Return up to `limit` entries of one partition that answer a question."""
    if position == 0 or not _may_hold(spec, question):
        return Found([], None)
    answers: list[tuple[int, LedgerEntry]] = []
    try:
        with _reader(spec) as reader:
            if question.until is not None:
                with reader.read() as view:
                    latest = Micros(question.until + _CLOCKS_APART_US)
                    position = min(position, view.ledger_since(latest))
            for _ in range(LOOKED_AT_MAX // LOOKED_AT_ONCE):
                with reader.read() as view:
                    entries = view.ledger(position, LOOKED_AT_ONCE)
                    answers += [each for each in entries if _is_answer(question, each[1], view)]
                if len(answers) >= limit:
                    return Found(answers[:limit], answers[limit - 1][0])
                if len(entries) < LOOKED_AT_ONCE or _is_past(question, entries[-1][1]):
                    return Found(answers, None)
                position = entries[-1][0]
    except FileNotFoundError:
        return Found([], None)  # nothing has begun there
    return Found(answers, position)


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
    return since is not None and entry.received_at < since - _CLOCKS_APART_US
