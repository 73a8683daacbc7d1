"""Erasure in what a partition keeps: log, archive, state, snapshots, and what was left beside them.

1. The projection has deleted the rows at once, see `projections.erasure`; here their bytes go. What
   comes in within a few seconds is done together, and each step for all of it. What webhooks
   answered about them is overwritten first.
2. Archive files are written anew beside the old ones, the live tail into a fresh environment. The
   one moment at which all of that counts is when the fresh log takes the old one's place.
3. The rewritten log is folded into a fresh state, which the owner's other thread takes over.
4. Then all that may hold the bytes is deleted, and two facts in the log say so: how far log and
   archive are rewritten, how far everything is done. Whoever is killed on the way leaves these
   behind, and the next owner begins with the step that was not finished.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import LogBusyError, RecordCorruptError
from airy_ray.partition import forwarding, generations, refold, repair
from airy_ray.partition.fold import body_of_erased
from airy_ray.partition.forgetting import Forgotten
from airy_ray.partition.history import History
from airy_ray.partition.partition import Partition
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.repair import ERASED, ERASED_LOG, ERASING, erased_before
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections import keys
from airy_ray.projections.erasure import FOR_ITSELF
from airy_ray.projections.view import Erasure
from airy_ray.rawlog import tail as tails
from airy_ray.rawlog.record import Record, is_erased, opened, prepare, stored
from airy_ray.rawlog.tail import LogTail, Segment
from airy_ray.state.origin import origin
from airy_ray.state.queries import reading
from airy_ray.state.state import State
from airy_ray.storage import child, excerpts
from airy_ray.storage.files import sync_directory

logger = logging.getLogger(__name__)

T = TypeVar("T")
Erasures = list[tuple[int, Erasure]]

REPLAYED = ".replay-"
"""What the names of directories begin with in which history is processed again, see `replay`."""

_FRESH_STATE, _FRESH_LOG = ".state.fresh-", ".log.fresh-"
"""What the names of directories begin with that are being written; one run's are none of another's,
for a child may outlive its owner by a moment."""
_RETRY_MS = 60_000
"""When to begin again with what failed: each time the whole log is read."""
_ERASURES_AT_ONCE = 10_000
_RECORDS_AT_ONCE = 2_048
_BYTES_AT_ONCE = 16 << 20


class Rewritten(msgspec.Struct, frozen=True):
    """What a child has written anew so far, of which only the last word counts.

    Attributes:
        segments: files that lie beside those that they replace.
        records: how many records of the live tail have lost something.
        read: the offset up to which the log was read, end exclusive.
    """

    segments: list[Segment]
    records: int
    read: int


class Eraser:
    """Erases what is due in one partition, step by step, on the thread of its upkeep."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._offered_over: int | None = None
        self._again_at = Millis(0)

    @property
    def is_at_work(self) -> bool:
        """Whether an erasure has begun that is not done; no snapshots are taken meanwhile."""
        return self._offered_over is not None or repair.is_erasing(self._partition.tail)

    def work(self, now: Millis) -> bool:
        """Do the next step; return whether it was the last one. Blocks for as long as it takes."""
        partition = self._partition
        done = erased_before(partition.tail, ERASED)
        if not partition.is_readable or partition.offered is not None:
            return False
        self._tell(done)
        pending = _pending(partition, done)
        if not pending:
            return False
        if forwarding.has_pending(partition, FOR_ITSELF):
            return False  # what is not in the log would be forgotten with the state
        if self._offered_over is not None and partition.generation.number != self._offered_over:
            return self._finish(pending[-1][0] + 1)
        if now - pending[0][1].received_at < partition.spec.upkeep.erasure_ms:
            return False
        if now < self._again_at:
            return False
        self._again_at = Millis(now + _RETRY_MS)  # unless all goes well
        if not _blank_answers(partition.spec, pending):
            self._again_at = Millis(0)
            return False
        until = pending[-1][0] + 1
        if erased_before(partition.tail, ERASED_LOG) < until and not self._rewrite(
            pending, until, now
        ):
            return False
        self._fold_again()
        self._again_at = Millis(0)
        return False

    def _tell(self, done: int) -> None:
        """Keep with the state, for readers, how far erasures are done."""
        state = self._partition.state
        if state.fact("erased") < done:
            with state.environment.write() as transaction:
                state.set_fact(transaction, "erased", done)

    def _repair(self, error: RecordCorruptError, now: Millis) -> None:
        """Have a damaged record repaired first."""
        partition = self._partition
        logger.error("partition %s: erasing met damage: %s", partition.spec.name, error)
        segment = partition.history.segment_of(error.offset)
        if segment is None:
            partition.tail.distrust()
        else:
            repair.repair_segment(partition.spec, partition.tail, segment, now)

    def _rewrite(self, pending: Erasures, until: int, now: Millis) -> bool:
        """Cut what is to go out of log and archive; return whether the rest is to be done now."""
        from airy_ray.rawlog import archive  # loads Arrow

        spec, tail = self._partition.spec, self._partition.tail
        segments = tail.segments()
        number = tail.number
        run = _begun(spec)
        archive.take_over(spec.archive, spec.index, segments)
        archive.drop_unnamed(spec.archive, spec.index, segments)
        was_erasing = repair.is_erasing(tail)
        try:
            rewritten = self._last(child.results(rewrite, spec, pending, run))
        except RecordCorruptError as error:
            self._repair(error, now)
            return False
        if rewritten is None:
            return False
        if not (rewritten.segments or rewritten.records or was_erasing):
            tail.put(ERASED, until.to_bytes(8, "big"))
            self._tell(until)
            self._again_at = Millis(0)
            logger.info("partition %s: nothing to erase in the log", spec.name)
            return False
        tail.put(ERASING, until.to_bytes(8, "big"))
        if tail.number != number or tail.segments() != segments:
            raise LogBusyError("the log was repaired while it was rewritten")
        fresh = {segment.first: segment for segment in segments}
        fresh |= {segment.first: segment for segment in rewritten.segments}
        facts = {ERASED_LOG: until.to_bytes(8, "big")}
        sealed = sorted(fresh.values(), key=lambda each: each.first)
        tail.replace(spec.directory / f"{_FRESH_LOG}{run}", rewritten.read, sealed, facts)
        logger.info(
            "partition %s: erased from %d archive files and %d records of the live tail",
            spec.name,
            len(rewritten.segments),
            rewritten.records,
        )
        return True

    def _fold_again(self) -> None:
        """Fold the rewritten log into a fresh state, and offer it."""
        from airy_ray.rawlog import archive  # loads Arrow

        partition = self._partition
        spec = partition.spec
        archive.take_over(spec.archive, spec.index, partition.tail.segments())
        drop_snapshots(spec)  # what is in them must not come back by a rebuild
        fresh = spec.directory / f"{_FRESH_STATE}{_begun(spec)}"
        if self._last(child.results(fold_again, spec, fresh, partition.applied)) is None:
            return
        number = partition.generation.number
        if partition.offer(fresh):
            self._offered_over = number

    def _last(self, steps: Iterator[T]) -> T | None:
        """Return the last step of what a child does; None if the owner is to stop before that."""
        last = None
        for step in steps:
            if self._partition.is_closing:
                return None
            last = step
        return last

    def _finish(self, until: int) -> bool:
        """Delete what held the bytes, and say so; return whether all of it is gone."""
        from airy_ray.rawlog import archive  # loads Arrow

        partition = self._partition
        spec, tail = partition.spec, partition.tail
        while partition.left:
            partition.left.pop().close()
        generations.drop_older(spec.directory, partition.generation.number)
        if generations.has_older(spec.directory, partition.generation.number):
            return False  # who feeds the search index still wrote to it
        drop_snapshots(spec)
        archive.drop_damaged(spec.archive, spec.index)
        tail.drop_left()
        _begun(spec)
        for pattern in (".check-*", f"{REPLAYED}*"):
            for left in spec.directory.glob(pattern):
                shutil.rmtree(left, ignore_errors=True)
        sync_directory(spec.directory)
        until = min(until, erased_before(tail, ERASED_LOG))
        tail.put(ERASED, until.to_bytes(8, "big"))
        self._offered_over = None
        self._tell(until)
        logger.info("partition %s: erasures before offset %d are done", spec.name, until)
        return True


def _blank_answers(spec: PartitionSpec, erasures: Erasures) -> bool:
    """Overwrite what webhooks answered about these; return False if answers are written just now.

    None about them is written later: their rows are gone (`cluster.webhook_answers`).
    """
    gone = {conversation for _, erasure in erasures for conversation, _ in erasure.conversations}
    return excerpts.blank(spec.answers, gone)


def _begun(spec: PartitionSpec) -> str:
    """Return the name of a run that begins, of whose forerunners nothing is left."""
    for beginning in (_FRESH_LOG, _FRESH_STATE):
        for left in spec.directory.glob(f"{beginning}*"):
            shutil.rmtree(left, ignore_errors=True)
    return token_hex(4)


def drop_snapshots(spec: PartitionSpec) -> None:
    """Delete all snapshots of a partition."""
    shutil.rmtree(spec.directory / "snapshots", ignore_errors=True)


def rewrite(spec: PartitionSpec, erasures: Erasures, run: str) -> Iterator[Rewritten]:
    """Write anew what is to lose something; yield what was written, at last when all is on disk.

    Raises:
        RecordCorruptError, DamagedError: the log is not whole; a repair has to come first.
    """
    from airy_ray.rawlog import archive  # loads Arrow

    forgotten = Forgotten(erasures)
    with (
        closing(LogTail(spec.directory, is_read_only=True)) as tail,
        closing(PartitionReader(tail)) as reader,
    ):
        segments = tail.segments()
        history = History(tail, spec.archive)
        head = tail.head
        fresh: list[Segment] = []
        for offset, record in history.records(0, head, _BYTES_AT_ONCE):
            forgotten.learn(offset, record)
            if offset % _RECORDS_AT_ONCE == 0:
                yield Rewritten(fresh, 0, 0)
        for segment in segments:
            yield Rewritten(fresh, 0, 0)
            values, has_lost = _cut(
                archive.read(spec.archive, segment, segment.first), forgotten, reader
            )
            if has_lost:
                fresh.append(archive.seal_beside(spec.archive, spec.index, values, run))
        values, has_lost = _cut(_stored(tail, head), forgotten, reader)
        tails.write_fresh(spec.directory / f"{_FRESH_LOG}{run}", values)
        yield Rewritten(fresh, has_lost, head)


def fold_again(spec: PartitionSpec, fresh: Path, until: int) -> Iterator[int]:
    """Fold the log into a new state as `refold` does, but keep the audit log as it is.

    A command may have been answered by what is not in the log any more.
    """
    yield from refold.fold_again(spec, fresh, until)
    with (
        closing(LogTail(spec.directory, is_read_only=True)) as tail,
        closing(PartitionReader(tail)) as reader,
        closing(State(fresh)) as state,
    ):
        start: bytes | None = b""
        while start is not None:
            with reader.read() as view:
                rows, start = view.stored_rows("audit", start, _RECORDS_AT_ONCE)
            folded = keys.offset(state.applied)
            state.replace_rows("audit", [each for each in rows if each[0] < folded])
            yield state.applied
        state.set_origin(origin("erasure", until))


def _cut(
    records: Iterator[tuple[int, Record]], forgotten: Forgotten, reader: PartitionReader
) -> tuple[list[tuple[int, bytes]], int]:
    """Return records as they are stored, without what goes, and how many have lost something."""
    values = []
    has_lost = 0
    for offset, record in records:
        left = forgotten.cut(offset, record)
        if left is not None:
            has_lost += 1
            left = _with_audit(offset, left, reader)
        values.append((offset, stored(prepare(left or record), offset)))
    return values, has_lost


def _with_audit(offset: int, left: Record, reader: PartitionReader) -> Record:
    """Return what is left of a record with the row that it has in the audit log, if it has one."""
    if left.kind != "command" or not is_erased(left):
        return left
    with reader.read() as view:
        return msgspec.structs.replace(left, body=body_of_erased(view.audit_entry(offset)))


def _stored(tail: LogTail, head: int) -> Iterator[tuple[int, Record]]:
    """Yield what the live tail holds."""
    first: int = tail.first
    while first < head:
        values = tail.read(first, min(_RECORDS_AT_ONCE, head - first), _BYTES_AT_ONCE)
        for offset, value in values:
            yield offset, opened(value, offset)
        first = values[-1][0] + 1


def _pending(partition: Partition, done: int) -> Erasures:
    with reading(partition.state.environment) as view:
        return view.erasures(done, _ERASURES_AT_ONCE)
