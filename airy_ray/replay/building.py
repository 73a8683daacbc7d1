"""A generation made out of history, beside the present one: what a child of the owner does.

1. All of it is the whole log folded into an empty state. A part is a copy of the present state out
   of which the rows of whoever is chosen are taken, and their whole history folded again.
2. Nothing of that is told to anybody. Feed, outbox and audit log are the present generation's: what
   was told is told, and every position stays good.
3. A message that only the new rows want sent is not: whoever wrote it was told otherwise long ago.
4. Whoever is killed on the way leaves a state that tells how far it is, and a second start goes on;
   a part begins again.
"""

import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from secrets import token_hex

import msgspec

from airy_ray.model.events import HistorySwapped
from airy_ray.model.ids import ID_BYTES, ContactId, ConversationId, MessageId
from airy_ray.partition.fold import FoldError, Understood, fold, quarantine, request_of, understand
from airy_ray.partition.history import History
from airy_ray.partition.naming import ids_in, ids_of
from airy_ray.partition.partition import TELLS_FROM
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.partition.writing import in_steps, write
from airy_ray.projections import erasure, keys
from airy_ray.rawlog.tail import LogTail
from airy_ray.replay.ahead import Ahead
from airy_ray.replay.selection import Chooser, People, Selection
from airy_ray.state.batch import Batch
from airy_ray.state.lmdb_tables import LmdbTables
from airy_ray.state.search.indexer import Indexer
from airy_ray.state.state import State
from airy_ray.state.tables import TELLING
from airy_ray.storage.files import write_synced

RECORDS_AT_ONCE = 32_768
"""Pages of a large state are written once for so many: of 5,000,000 records, 16,384 at once take a
seventh more time and a quarter less memory, and 65,536 a fourteenth less and a fifth more."""
_BYTES_AT_ONCE = 16 << 20
_ROWS_AT_ONCE = 2_048
_NEAR = 256
"""So few records behind the present one, the owner folds the rest before anybody notices."""
_POLL_S = 0.02
_COPY = ".copy-"
_CHOSEN = "chosen"
"""In the directory of a state in which a part was folded again: of how many conversations."""
_LAST = b"\xff" * 32


def begin_part(spec: PartitionSpec, selection: Selection, fresh: Path) -> Iterator[tuple[int, int]]:
    """Make a copy of the present state in which the history of whoever is chosen was folded again.

    Yields how far it is, of how much. If a record that is meant does not tell of whom it is, there
    is no copy in the end: all is to be folded again.
    """
    copying = _own_directory(fresh)
    with _opened(spec) as (history, reader):
        reader.live().environment.copy(copying)
        with closing(State(copying)) as state:
            chosen = yield from _fold_part_of(spec, history, state, selection)
    if chosen is not None and not fresh.exists():
        write_synced(copying / _CHOSEN, b"%d" % chosen)
        copying.rename(fresh)
    else:
        shutil.rmtree(copying)


def _own_directory(fresh: Path) -> Path:
    """Make a directory for a copy that no other process uses; what others have left goes.

    The child of an owner that died may still be at work for a moment: it finds its copy gone then.
    """
    for left in fresh.parent.glob(f"{fresh.name}{_COPY}*"):
        shutil.rmtree(left, ignore_errors=True)
    own = fresh.with_name(f"{fresh.name}{_COPY}{token_hex(8)}")
    own.mkdir()
    return own


def conversations_chosen(fresh: Path) -> int | None:
    """Return of how many conversations the history was folded again; None if of all."""
    file = fresh / _CHOSEN
    return int(file.read_bytes()) if file.exists() else None


def fold_part(spec: PartitionSpec, copy: Path, selection: Selection) -> Iterator[tuple[int, int]]:
    """Fold the history of whoever is chosen again in a copy of a state; yield as `begin_part`."""
    with (
        closing(LogTail(spec.directory, is_read_only=True)) as tail,
        closing(State(copy)) as state,
    ):
        yield from _fold_part_of(spec, History(tail, spec.archive), state, selection)


def _fold_part_of(
    spec: PartitionSpec, history: History, state: State, selection: Selection
) -> Generator[tuple[int, int], None, int | None]:
    """Return of how many conversations; None if a record does not tell of whom it is."""
    end = state.applied
    choosing = _Choosing(spec, history, state, selection)
    for done in choosing.run(end):
        yield done, 2 * end
    if choosing.chosen is None:
        return None
    before = _conversations_of(state, choosing.chosen)
    for done in _fold_chosen(spec, history, state, choosing.chosen):
        yield end + done, 2 * end
    return len(before | _conversations_of(state, choosing.chosen))


def _conversations_of(state: State, chosen: set[bytes]) -> set[bytes]:
    """Return who of those chosen is a conversation: the others are contacts."""
    with _viewed(state) as view:
        return {each for each in chosen if view.conversations.get(ConversationId(each))}


@contextmanager
def _viewed(state: State) -> Iterator[Batch]:
    with state.environment.read() as transaction:
        yield Batch(LmdbTables(state.environment, transaction))


def fold_on(spec: PartitionSpec, fresh: Path, until: int | None) -> Iterator[int]:
    """Fold the log from where `fresh` is up to an offset, or its end; yield how far that is.

    Raises:
        RecordCorruptError, DamagedError: the log is not whole.
    """
    with _opened(spec) as (history, _), closing(State(fresh)) as state:
        end = history.tail.head if until is None else until
        yield from _fold_on(spec, history, state, end)


def copy_present(spec: PartitionSpec, copy: Path) -> Iterator[int]:
    """Copy the present state as one moment has it; yield how many records it holds."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    with _opened(spec) as (_, reader):
        reader.live().environment.copy(copy)
    with closing(State(copy)) as state:
        yield state.applied


def drop_unsent(present: Path, fresh: Path) -> Iterator[MessageId]:
    """Have nothing sent that only the new rows want sent, and yield it; both hold the same log.

    It is written down before the rows go: who begins again does not find them any more.
    """
    noted = fresh.with_name("unsent")
    with closing(State(present)) as kept, closing(State(fresh)) as state:
        known = set(kept.first_keys("sends", before=_LAST, limit=1 << 40))
        wanted = state.first_keys("sends", before=_LAST, limit=1 << 40)
        found = noted.read_bytes() if noted.exists() else b""
        before = {found[at : at + ID_BYTES] for at in range(0, len(found), ID_BYTES)}
        unsent = [MessageId(each) for each in sorted({*wanted, *before} - known)]
        write_synced(noted, b"".join(unsent))
        with state.batch(is_history=True) as writing:
            for each in unsent:
                writing.batch.sends.delete(each)
        yield from unsent


def make_ready(spec: PartitionSpec, fresh: Path, with_index: bool) -> Iterator[int]:
    """Bring a new generation level with the present, with what it keeps of that, and its index.

    Yields how far it is; at the end the present one is only a little further, and never behind: the
    new one would lack what that tells yet.
    """
    with _opened(spec) as (history, reader), closing(State(fresh)) as state:
        _forget_told(state)
        indexer = Indexer(state)
        is_near = False
        while not is_near:
            present = _applied(reader)  # what it has not folded yet, it has not told
            yield from _fold_on(spec, history, state, present)
            yield from _keep_told(reader, state)
            while with_index and indexer.step():
                yield state.applied
            is_ahead = state.applied > present
            is_near = not is_ahead and _applied(reader) - state.applied <= _NEAR
            if is_ahead:
                time.sleep(_POLL_S)  # the owner is another process, and rings for consumers only
            yield state.applied
        indexer.rest()


def _applied(reader: PartitionReader) -> int:
    """Return how many records the present generation holds."""
    with reader.read() as view:
        return view.applied()


class _Choosing:
    """Finds out who is chosen, out of the log and the rows of a state that nobody else writes.

    Attributes:
        chosen: ids of conversations and contacts; None if a record does not tell of whom it is.
    """

    def __init__(
        self, spec: PartitionSpec, history: History, state: State, selection: Selection
    ) -> None:
        self.chosen: set[bytes] | None = set()
        self._spec = spec
        self._history = history
        self._state = state
        self._selection = selection
        self._quarantined = [
            int.from_bytes(key, "big")
            for key in state.first_keys("quarantine", before=_LAST, limit=1 << 40)
        ]

    def run(self, end: int) -> Iterator[int]:
        """Look at all records before `end`; yield how many were."""
        found: set[bytes] = set()
        people = People()
        for batch in _understood(self._spec, self._history, 0, end):
            with _viewed(self._state) as view:
                chooser = Chooser(self._selection, view, self._quarantined)
                for understood in batch:
                    people.learn(understood)
                    chosen = chooser.chosen_by(understood)
                    if chosen.is_all:
                        self.chosen = None
                        return
                    found |= chosen.conversations
            yield batch[-1].offset + 1
        with _viewed(self._state) as view:
            self.chosen = self._closed(view, people, found)

    def _closed(self, view: Batch, people: People, found: set[bytes]) -> set[bytes]:
        """Return all who have to do with one another; a record leaves the quarantine as a whole."""
        siblings = [
            {route.conversation_id for route in self._history.at(offset).routes}
            for offset in self._quarantined
        ]
        before: set[bytes] = set()
        while before != found:
            before = found
            found = people.all_of(view, found)
            for each in siblings:
                if each & found:
                    found |= each
        return found


def _fold_chosen(
    spec: PartitionSpec, history: History, state: State, chosen: set[bytes]
) -> Iterator[int]:
    """Drop the rows of whoever is chosen, and fold their history again up to where the state is."""
    with state.batch(is_history=True) as writing:
        erasure.drop(
            writing.batch, map(ConversationId, chosen), [ContactId(each) for each in chosen]
        )
    answered: set[bytes] = set()
    for batch in _understood(spec, history, 0, state.applied):
        _fold_part(state, batch, chosen, answered)
        yield batch[-1].offset + 1


def _fold_part(
    state: State, understood: list[Understood], chosen: set[bytes], answered: set[bytes]
) -> None:
    """Fold what records say of whoever is chosen; `answered` are requests that were met again."""

    def write_all(several: list[Understood]) -> None:
        given: set[bytes] = set()
        with state.batch(is_history=True) as writing:
            for each in several:
                _fold_one(writing.batch, each, chosen, answered, given)
        answered.update(given)

    def write_aside(error: FoldError) -> None:
        with state.batch(is_history=True) as writing:
            quarantine(writing.batch, error)

    in_steps(understood, write_all, write_aside)


def _fold_one(
    batch: Batch,
    understood: Understood,
    chosen: set[bytes],
    answered: set[bytes],
    given: set[bytes],
) -> None:
    part = _part(batch, understood, chosen)
    if part is None:
        return
    batch.quarantine.delete(keys.offset(understood.offset))
    request = request_of(understood)
    if request is not None and request not in answered and request not in given:
        batch.requests.delete(request)  # it was answered by this record, or by a later one
        given.add(request)
    fold(batch, part, is_whole=part.events == understood.events)


def _part(batch: Batch, understood: Understood, chosen: set[bytes]) -> Understood | None:
    """Return what of a record is about whoever is chosen; None if nothing is."""
    if understood.fallen is not None:
        return None if batch.timers.get(understood.fallen) is None else understood
    if understood.failure is not None:
        routed = {route.conversation_id for route in understood.record.routes}
        return understood if routed & chosen else None
    if understood.command is not None:
        return understood if _is_about(batch, chosen, ids_of(understood)) else None
    events = [each for each in understood.events if _is_about(batch, chosen, ids_in(each))]
    if not events and not any(
        route.conversation_id in chosen for route in understood.record.routes
    ):
        return None
    return msgspec.structs.replace(understood, events=events)


def _is_about(batch: Batch, chosen: set[bytes], named: Iterator[bytes]) -> bool:
    for identifier in named:
        if identifier in chosen:
            return True
        key = batch.message_keys.get(MessageId(identifier))
        if key is not None and key[:ID_BYTES] in chosen:
            return True
    return False


def _fold_on(spec: PartitionSpec, history: History, state: State, end: int) -> Iterator[int]:
    with closing(Ahead(_understood(spec, history, state.applied, end))) as batches:
        while batch := batches.take():
            _note_misrouted(state, batch)
            write(state, batch, is_history=True, before_commit=batches.begin)
            yield batch[-1].offset + 1


def _note_misrouted(state: State, batch: list[Understood]) -> None:
    """Write down which records are to be routed anew, and which were."""
    found = [each.offset for each in batch if each.is_misrouted]
    settled = [
        ~offset
        for each in batch
        for event in each.events
        if isinstance(event, HistorySwapped)
        for offset in event.misrouted
    ]
    if found or settled:
        with _misrouted_file(state.path).open("ab") as file:
            file.write(b"".join(each.to_bytes(8, "big", signed=True) for each in found + settled))


def misrouted(fresh: Path) -> tuple[int, ...]:
    """Return which records that a new generation holds are to be routed anew, in order."""
    file = _misrouted_file(fresh)
    content = file.read_bytes() if file.exists() else b""
    noted = {
        int.from_bytes(content[at : at + 8], "big", signed=True)
        for at in range(0, len(content) - 7, 8)
    }
    return tuple(sorted(each for each in noted if each >= 0 and ~each not in noted))


def _misrouted_file(fresh: Path) -> Path:
    return fresh.with_name("misrouted")


def _understood(
    spec: PartitionSpec, history: History, first: int, end: int
) -> Iterator[list[Understood]]:
    """Yield records and what they mean, many at once."""
    for records in history.batches(first, end, RECORDS_AT_ONCE, _BYTES_AT_ONCE):
        yield [understand(*each, spec.index, spec.count) for each in records]


def _keep_told(reader: PartitionReader, state: State) -> Iterator[int]:
    """Take over what the present generation has told and noted of the records that are folded."""
    applied = state.applied
    ends = _ends(applied)
    for name in TELLING:
        start: bytes | None = _behind_last(state, name)
        while start is not None:
            with reader.read() as view:
                rows, start = view.stored_rows(name, start, _ROWS_AT_ONCE)
            state.replace_rows(name, [each for each in rows if each[0] < ends[name]])
            if rows and rows[-1][0] >= ends[name]:
                break
            yield applied
    with reader.read() as view:
        facts = {name: view.fact(name) for name in ("changes_expired", "erased")}
    with state.environment.write() as transaction:
        for name, number in facts.items():
            state.set_fact(transaction, name, number)


def _forget_told(state: State) -> None:
    """Drop what a state told that was about to take over and did not: the present one told that."""
    ends = _ends(state.fact(TELLS_FROM))
    with state.environment.write() as transaction:
        for name in TELLING if state.fact(TELLS_FROM) else ():
            cursor = transaction.cursor(state.environment.tables[name])
            while cursor.set_range(ends[name]):
                cursor.delete()
        state.set_fact(transaction, TELLS_FROM, 0)


def _ends(applied: int) -> dict[str, bytes]:
    """Return the first key behind those of records before an offset, by table."""
    ends = {name: keys.sequence(applied).to_bytes(8, "big") for name in TELLING}
    return ends | {"audit": keys.offset(applied)}


def _behind_last(state: State, table: str) -> bytes:
    """Return the first key that can follow the last one of a table."""
    with state.environment.read() as transaction:
        cursor = transaction.cursor(state.environment.tables[table])
        return cursor.key() + b"\0" if cursor.last() else b""


@contextmanager
def _opened(spec: PartitionSpec) -> Iterator[tuple[History, PartitionReader]]:
    """Open the log of a partition, and its present state to read."""
    with (
        closing(LogTail(spec.directory, is_read_only=True)) as tail,
        closing(PartitionReader(tail)) as reader,
    ):
        yield History(tail, spec.archive), reader
