"""A partition as its owner runs it: log, projections, state (design: §4).

1. `project_batch` folds what was appended, in order, into the live generation: few records at once,
   or many as long as it is made anew and nobody may read it.
2. State in doubt is discarded and folded again from a snapshot and the log; readers are told to
   wait meanwhile. A damaged log is repaired; see `partition.repair`.
3. Projecting runs on one thread. What `partition.upkeep` does may run beside it on another.
"""

import logging
import threading
import time
from pathlib import Path

import msgspec

from airy_ray.clock import Micros, Millis
from airy_ray.errors import (
    DamagedError,
    RecordCorruptError,
    StateError,
)
from airy_ray.partition import generations, opening, ownership, repair
from airy_ray.partition.fold import FallenTimer, Understood, understand
from airy_ray.partition.generations import Generation
from airy_ray.partition.history import History, Onward
from airy_ray.partition.ownership import OwnerLock
from airy_ray.partition.spec import PartitionSpec
from airy_ray.partition.writing import write
from airy_ray.projections import keys
from airy_ray.rawlog.record import Record, payload_id, prepare
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.state import State
from airy_ray.storage.files import sync_directory

logger = logging.getLogger(__name__)

_TIMERS_AT_ONCE = 256

TELLS_FROM = "tells from"
"""The fact that says from which record on a state that takes over has told of them itself."""


class Partition:
    """One partition, owned by this process from `open_partition` to `close`."""

    def __init__(
        self, spec: PartitionSpec, lock: OwnerLock, tail: LogTail, generation: Generation
    ) -> None:
        self.spec = spec
        self.tail = tail
        self.history = History(tail, spec.archive)
        self.generation = generation
        self.state = State(generations.path_of(spec.directory, generation.number))
        self._lock = lock
        self._folded: int | None = None
        self._rebuilt: Onward | None = None
        self._due: Millis | None = None
        self._due_of: tuple[State, int] | None = None
        self.offered: int | None = None
        """The generation that is to be taken instead of the present one."""
        self._offering = threading.Lock()
        self.takeover_s = 0.0
        """How long nothing else was done when a generation was taken last."""
        self.is_closing = False
        """Whether its owner is about to stop: what takes long is to be given up."""
        self.left: list[State] = []
        """What was taken over from; nobody writes it, another thread may still be reading it."""

    @property
    def applied(self) -> int:
        """The offset up to which the log is folded, end exclusive."""
        return self.state.applied

    @property
    def is_behind(self) -> bool:
        """Whether there seems to be more to fold, as far as can be told without looking.

        Never so when there is nothing; seldom not so when there is, for a process that dies right
        after an append tells nobody.
        """
        return self.tail.beacon.head != self._folded

    @property
    def is_readable(self) -> bool:
        """Whether the live generation may be read; not while it is being rebuilt."""
        return self.generation.target is None

    def project_batch(self, now: Millis) -> int:
        """Fold the next records into the state; return how many, 0 when there are none.

        What turns out to be damaged is repaired, which folds nothing but is worth another call.

        Raises:
            DiskFullError: nothing was folded; try again when there is space.
        """
        if self.state.path != generations.path_of(self.spec.directory, self.generation.number):
            self.rebuild()  # the last one began, and did not come to its end
        understood = self._next(now)
        if understood:
            self._fold(understood)
        if self.generation.target is not None and self.applied >= self.generation.target:
            self._set_live(msgspec.structs.replace(self.generation, target=None))
        return len(understood)

    def fall_due(self, now: Millis) -> int:
        """Append a record for each timer that is due; return how many. Their effect comes later."""
        due = self.state.first_keys("timers", before=keys.instant(now), limit=_TIMERS_AT_ONCE)
        records = []
        for key in due:
            body = msgspec.msgpack.encode(FallenTimer(key))
            record = Record(Micros(now * 1_000), "timer", "", body, payload_id(body))
            records.append(prepare(record))
        if records:
            self.tail.append(records)
        return len(records)

    def next_due(self) -> Millis | None:
        """Return when the next timer is due; not while the state is made anew: most fell before."""
        if not self.is_readable:
            return None
        written = self.state, self.state.batches_with("timers")
        if written != self._due_of:
            first = self.state.first_keys("timers", before=keys.NEVER_DUE, limit=1)
            self._due = keys.instant_of(first[0][:8]) if first else None
            self._due_of = written
        return self._due

    def settle_doubt(self, now: Millis) -> bool:
        """Write the log anew if a failed commit left it in doubt; return whether it was.

        What a failed sync did to a file cannot be known, so it is not used any further.
        """
        if not self.tail.beacon.is_in_doubt:
            return False
        logger.error("partition %s: the log is in doubt", self.spec.name)
        self._repair_tail(self._applied_if_known(), now)
        return True

    def rebuild(self) -> None:
        """Discard the state and begin a new generation from the newest snapshot that is sound.

        The discarded one stays open in this process: another thread may be reading it.
        """
        head = self.tail.head
        number = generations.unused_number(self.spec.directory, self.generation)
        self._set_live(Generation(number, head, self.generation.descent))
        self._folded = None
        self.state = opening.begin_state(self.spec, self.generation, head, "repair")

    def offer(self, state: Path, number: int | None = None) -> bool:
        """Offer a state that was folded again, to be taken instead of the present one.

        It moves to where the generation `number` is kept, or one whose number none had. Return
        whether it will be taken; another may have been offered that was not taken yet.
        """
        directory = self.spec.directory
        with self._offering:
            if self.offered is not None or not self.is_readable:
                return False
            number = number or generations.unused_number(directory, self.generation)
            state.rename(generations.path_of(directory, number))
            sync_directory(directory)
            self.offered = number
            return True

    def take_offered(self, now: Millis) -> bool:
        """Bring the state that was offered level with the present one, and take it instead.

        Readers never see less than before. Return whether one was offered.
        """
        if self.offered is None:
            return False
        began = time.monotonic()
        try:
            if self.is_readable and self.offered > self.generation.number:
                self._take(self.offered, now)
        finally:
            self.takeover_s = time.monotonic() - began
            self.offered = None  # last of all: whoever offered it looks what became of it then
        return True

    def _take(self, number: int, now: Millis) -> None:
        present, until = self.state, self.applied
        self.state = fresh = State(generations.path_of(self.spec.directory, number))
        try:
            self._catch_up(until, now)
        except BaseException:
            self.state = present
            fresh.close()
            raise
        if self.state is not fresh:
            return  # it was damaged, and rebuilding has begun
        if self.applied < until:
            self.state = present
            fresh.close()
            return
        self._set_live(Generation(number, descent=number))
        self.left.append(present)

    def _catch_up(self, until: int, now: Millis) -> None:
        """Fold what the state that takes over lacks."""
        fresh = self.state
        if fresh.applied < until:
            with fresh.environment.write() as transaction:
                fresh.set_fact(transaction, TELLS_FROM, fresh.applied)
        while self.state is fresh and self.applied < until:
            understood = self._next(now)
            if not understood:
                return
            self._fold(understood)

    def close(self) -> None:
        """Sync everything and leave in order."""
        self.state.sync()
        self.state.close()
        for left in self.left:
            left.sync()  # it may be gone back to
            left.close()
        self.tail.close()
        ownership.mark_stopped(self.spec.directory)
        self._lock.release()

    def _next(self, now: Millis) -> list[Understood]:
        """Return the next records and what they mean; none when there are none or one is mended."""
        spec = self.spec
        try:
            applied = self.applied
        except StateError as error:
            self._distrust(error)
            return []
        try:
            records = self._read(applied)
            if not records and applied > self.tail.head:
                raise DamagedError(str(self.tail.path), f"it ends before offset {applied}")
        except (RecordCorruptError, DamagedError) as error:
            logger.error("partition %s: the log is damaged: %s", spec.name, error)
            self._repair(applied, now)
            return []
        self._folded = applied
        return [understand(offset, record, spec.index, spec.count) for offset, record in records]

    def _read(self, applied: int) -> list[tuple[int, Record]]:
        """Return the next records: few of them while others wait for what comes meanwhile."""
        spec, target = self.spec, self.generation.target
        if target is None or applied >= target:
            return self.history.read(applied, spec.batch_records, spec.batch_bytes)
        if self._rebuilt is None:
            self._rebuilt = Onward(self.history, spec.rebuilt_records, spec.rebuilt_bytes)
        return self._rebuilt.read(applied, target)

    def _fold(self, understood: list[Understood]) -> None:
        try:
            aside = write(self.state, understood)
        except (StateError, DamagedError) as error:
            self._distrust(error)
            return
        self._folded = understood[-1].offset + 1
        for offset, why in aside.items():
            logger.error(
                "partition %s: offset %d is in quarantine: %s", self.spec.name, offset, why
            )

    def _distrust(self, error: Exception) -> None:
        logger.error("partition %s: the state is damaged: %s", self.spec.name, error)
        self.rebuild()

    def _repair(self, offset: int, now: Millis) -> None:
        segments = self.tail.segments()
        if not segments or offset > segments[-1].last:
            self._repair_tail(offset, now)
            return
        segment = self.history.segment_of(offset)
        if segment is not None:
            repair.repair_segment(self.spec, self.tail, segment, now)
        else:
            until = min(each.first for each in segments if each.first > offset) - 1
            repair.fill_gap(self.spec, self.tail, offset, until, now)

    def _repair_tail(self, applied: int, now: Millis) -> None:
        # the beacon has been told of each append since the log was opened, and of its head then
        repair.repair_tail(self.spec, applied, now, is_head_known=True)
        self.generation = generations.live(self.tail) or self.generation

    def _applied_if_known(self) -> int:
        try:
            return self.applied
        except (StateError, DamagedError):
            return 0

    def _set_live(self, generation: Generation) -> None:
        generations.set_live(self.tail, generation)
        self.generation = generation
        self._rebuilt = None


def open_partition(spec: PartitionSpec, now: Millis) -> Partition:
    """Become the owner of a partition, and bring its log and state in order.

    Raises:
        PartitionUnavailableError: another process owns it.
        NewerStateError: a newer release has made its state, which stays as it is.
    """
    owned = opening.own(spec, now)
    try:
        return Partition(spec, *owned)
    except BaseException:
        owned.give_back()
        raise
