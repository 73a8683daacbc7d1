"""Processes the history of one partition again as it is told, on a thread of its owner's.

1. What takes long is done by a child: see `building`. Every step is written down before the next,
   so that whoever owns the partition next goes on.
2. The owner folds the last few records and takes the new generation between two batches. Then a
   `swap` record says what shows something else; the generation before stays to roll back to.
3. An erasure rewrites the log: what was made out of the old one is made anew.
4. What another version of the projection has begun is not gone on with, nor put in place.
"""

import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from airy_ray.clock import Micros, Millis
from airy_ray.errors import AiryError, ChildDiedError, DiskFullError, RecordCorruptError
from airy_ray.model.events import HistorySwapped
from airy_ray.model.ids import REGISTRY
from airy_ray.partition import generations, ownership, repair
from airy_ray.partition.fold import decode_event, encode_event
from airy_ray.partition.partition import Partition
from airy_ray.rawlog.record import Record, payload_id, prepare
from airy_ray.replay import building
from airy_ray.replay.makings import Makings
from airy_ray.replay.order import (
    DIFFERENCES,
    Order,
    Phase,
    Report,
    read_order,
    read_report,
    write_report,
)
from airy_ray.state.origin import origin
from airy_ray.state.state import State
from airy_ray.state.tables import PROJECTION_VERSION, is_readable
from airy_ray.storage import child
from airy_ray.storage.files import is_no_space, write_synced

logger = logging.getLogger(__name__)

_TOLD_MAX = 1_000
"""More places than this that show something else, and clients are told to reload everything."""
_MISROUTED_MAX = 100_000
"""So many records are routed anew at once; another replay does the rest."""
_REPORT_S = 0.5
_RETRY_MS = 10_000
_BYTES_AT_ONCE = 1 << 20
_KILLED = {-signal.SIGKILL, 255}
"""How a child ends that was killed, or with it the server that it was forked from."""
_NICENESS = 10
"""Of the children: whoever serves requests comes first."""
_MADE_ANEW: frozenset[Phase] = frozenset({"waiting", "folding", "comparing", "ready", "preparing"})
"""What was made so far is thrown away if an erasure, or a power cut, comes in these phases."""
_REPLAYED = "replayed"
"""The fact that says which run made a state, doubled; and one more if it was rolled back to."""


class InterruptedReplayError(Exception):
    """What was being done is not wanted any more, or not now."""


class Replayer:
    """Does what one partition was told to do about its history. One thread uses it."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._spec = partition.spec
        self._directory = partition.spec.directory
        self._order = Order(0, "cancel")
        self._made = Makings(partition, 0)
        self._not_before = Millis(0)
        self._told_at = 0.0

    def work(self, now: Millis) -> None:
        """Do the next step; blocks for as long as it takes."""
        order = read_order(self._directory)
        if order is None or now < self._not_before or not self._partition.is_readable:
            return
        self._order, self._made = order, Makings(self._partition, order.run)
        report = read_report(self._directory)
        if report is None or report.run != order.run:
            report = self._begun(order, now)
        try:
            self._step(order, self._checked(report, now), now)
        except InterruptedReplayError:
            return
        except RecordCorruptError as error:  # it is repaired
            self._put_off(error, now)
        except (DiskFullError, OSError) as error:
            if isinstance(error, OSError) and not is_no_space(error.errno):
                raise
            self._not_before = Millis(now + _RETRY_MS)
            self._give_space_back(f"the disk is full: {error}")
        except AiryError as error:
            if isinstance(error, ChildDiedError) and error.exit_code in _KILLED:
                self._put_off(error, now)  # perhaps for want of memory, but not by damage
                return
            logger.exception("partition %s: the replay failed", self._spec.name)
            self._tell_error(str(error), phase="failed")

    def _put_off(self, error: AiryError, now: Millis) -> None:
        self._not_before = Millis(now + _RETRY_MS)
        self._tell_error(str(error))

    def _give_space_back(self, error: str) -> None:
        """Give up what had no space; a swap that has begun goes on once there is some."""
        report = read_report(self._directory)
        if report is None or report.run != self._order.run:
            return
        is_given_up = report.phase in _MADE_ANEW
        if is_given_up:
            self._made.wipe(report)
            logger.error("partition %s: no space for the replay", self._spec.name)
        self._tell(report, error=error, phase="failed" if is_given_up else report.phase)

    def _tell_error(self, error: str, **different: Any) -> None:
        report = read_report(self._directory)
        if report is not None:
            self._tell(report, error=error, **different)

    def _step(self, order: Order, report: Report, now: Millis) -> None:
        match order.wanted, report.phase:
            case "cancel" | "roll back", (
                "waiting" | "folding" | "comparing" | "ready" | "preparing"
            ):
                self._made.wipe(report)
                self._tell(report, phase="cancelled")
            case "compare" | "swap", "waiting" | "folding":
                self._build(order, report)
            case "compare" | "swap", "comparing":
                self._compare(order, report)
            case "swap", "ready" | "preparing":
                self._prepare(report, self._made.fresh, "swapping")
            case _, "swapping":
                self._settle(report, now, "swapped")
            case "roll back", "swapped":
                path = generations.path_of(self._directory, report.before or 0)
                self._prepare(report, path, "rolling back")
            case _, "rolling back":
                self._settle(report, now, "rolled back")
            case _, "swapped" | "rolled back" if report.before is not None:
                self._let_go(order, report, now)

    def _begun(self, order: Order, now: Millis) -> Report:
        self._made.wipe(read_report(self._directory))
        self._made.drop_older()  # nobody can roll back to what an earlier replay has left
        self._made.aside("").mkdir(mode=0o700)
        (self._directory / DIFFERENCES).unlink(missing_ok=True)
        phase: Phase = "waiting" if order.wanted in ("compare", "swap") else "cancelled"
        report = Report(
            order.run,
            phase,
            now,
            erased=self._erased(),
            boot=self._boot(),
            projection=PROJECTION_VERSION,
        )
        return self._tell(report)

    def _checked(self, report: Report, now: Millis) -> Report:
        """Return a report after what happened meanwhile: an erasure, an upgrade, a boot."""
        if self._partition.offered is not None:
            return report  # nobody erases meanwhile
        is_made_anew = report.phase in _MADE_ANEW or (
            report.phase == "swapping" and not self._is_taken(report)
        )
        if report.projection != PROJECTION_VERSION and is_made_anew:
            self._made.wipe(report)
            return self._tell(report, phase="failed", error="another release began it: start anew")
        if report.erased != self._erased():
            logger.info(
                "partition %s: an erasure was done, what a replay left goes", self._spec.name
            )
            if is_made_anew:
                return self._begun(self._order, now)
            (self._directory / DIFFERENCES).unlink(missing_ok=True)
            return self._tell(report, samples=(), erased=self._erased(), before=None)
        if report.boot != self._boot() and is_made_anew:
            return self._begun(self._order, now)
        return report

    def _build(self, order: Order, report: Report) -> None:
        """Fold the history that is meant into a new state."""
        if repair.is_erasing(self._partition.tail):
            raise InterruptedReplayError
        report = self._tell(report, phase="folding", error=None)
        if not order.selection.is_all and not self._made.fresh.exists():
            part = building.begin_part
            for done, total in self._watched(part, self._spec, order.selection, self._made.fresh):
                report = self._progress(report, done, total)
        head = self._partition.tail.head
        for done in self._watched(building.fold_on, self._spec, self._made.fresh, None):
            report = self._progress(report, done, max(head, done))
        with closing(State(self._made.fresh)) as state:
            selection, applied = order.selection.told(), state.applied
            state.set_origin(origin("replay", applied, run=order.run, selection=selection))
        total = max(report.total, applied)
        chosen = building.conversations_chosen(self._made.fresh)
        self._tell(report, phase="comparing", done=total, total=total, conversations=chosen)

    def _compare(self, order: Order, report: Report) -> None:
        """Hold the new state against the present one as it is at one moment."""
        with closing(State(self._made.fresh)) as fresh:
            if fresh.applied > self._partition.applied:
                raise InterruptedReplayError  # the owner is behind: they would differ in that
        present = self._made.aside("present")
        (applied,) = self._watched(building.copy_present, self._spec, present)
        for _ in self._watched(building.fold_on, self._spec, self._made.fresh, applied):
            pass
        unsent = tuple(self._watched(building.drop_unsent, present, self._made.fresh))
        found: Any = None
        file = self._made.aside("diff")
        for found in self._watched(_compared, present, self._made.fresh, file):
            if isinstance(found, int):
                report = self._progress(report, report.total, report.total)
        shutil.rmtree(present, ignore_errors=True)
        file.replace(self._directory / DIFFERENCES)
        misrouted = building.misrouted(self._made.fresh) if order.selection.is_all else ()
        swapped = HistorySwapped(
            order.run,
            found.told,
            found.is_told_whole,
            unsent,
            misrouted[:_MISROUTED_MAX],
            found.channels,
        )
        write_synced(self._made.aside("told"), encode_event(swapped))
        vanishing = sum(each.only_before for each in found.counts if each.table == "messages")
        self._tell(
            report,
            phase="ready",
            is_compared=True,
            counts=found.counts,
            samples=found.samples,
            messages=found.messages,
            vanishing=vanishing,
            unsent=len(unsent),
            misrouted=len(misrouted),
            before=self._partition.generation.number,
        )

    def _prepare(self, report: Report, state: Path, then: Phase) -> None:
        """Bring a state level with the log, and offer it to the owner."""
        state = self._made.placed(report) or state
        if not state.exists():
            self._tell(
                report, phase="failed", error="the generation to go to is not there any more"
            )
            return
        if then == "rolling back":
            self._made.close_left(state)
            if not is_readable(_version(state)):
                self._tell(report, phase="failed", error="this release cannot read what was before")
                return
        report = self._tell(report, phase="preparing" if then == "swapping" else report.phase)
        with_index = self._spec.index != REGISTRY
        for _ in self._watched(building.make_ready, self._spec, state, with_index):
            pass
        if repair.is_erasing(self._partition.tail):
            raise InterruptedReplayError
        with closing(State(state)) as opened, opened.environment.write() as transaction:
            opened.set_fact(transaction, _REPLAYED, _made_by(report, then))
        self._offer(report, state, then)

    def _offer(self, report: Report, state: Path, then: Phase) -> None:
        """Have a state taken; what is told first leads whoever goes on to where it is then."""
        present = self._partition.generation
        number = generations.unused_number(self._directory, present)
        if state == self._made.placed(report):
            assert report.after is not None
            number = report.after
        before = present.number if then == "swapping" else report.before
        head = self._partition.tail.head
        self._tell(report, phase=then, before=before, after=number, offered_at=head)
        self._partition.offer(state, number)

    def _is_taken(self, report: Report) -> bool:
        """Whether the owner has taken what it was offered; it may have died, or rebuilt."""
        if self._partition.generation.number != report.after:
            return False
        return self._partition.state.fact(_REPLAYED) == _made_by(report, report.phase)

    def _settle(self, report: Report, now: Millis, then: Phase) -> None:
        """Once the owner has taken the new generation, say in the log what is different."""
        if self._partition.offered is not None:
            return
        if not self._is_taken(report):
            self._tell(report, phase="preparing" if then == "swapped" else "swapped")
            return
        if not self._is_swap_told(report):
            self._append_swap(report, now)
        logger.info("partition %s: generation %s", self._spec.name, then)
        self._tell(report, phase=then, swapped_at=now, pause_ms=self._partition.takeover_s * 1_000)

    def _is_swap_told(self, report: Report) -> bool:
        """Whether whoever began to settle it has got as far as that."""
        first, end = report.offered_at, self._partition.tail.head
        records = self._partition.history.records(first, end, _BYTES_AT_ONCE)
        return any(record.kind == "swap" for _, record in records)

    def _append_swap(self, report: Report, now: Millis) -> None:
        """Say what is different; of messages that nobody is to send, when they appear."""
        told = self._made.aside("told")
        swapped = HistorySwapped(report.run, (), is_whole=False)
        if told.exists():  # else an erasure has deleted it
            swapped = decode_event(told.read_bytes())
        if report.phase == "rolling back":
            swapped = msgspec.structs.replace(swapped, unsent=(), misrouted=())
        body = encode_event(swapped)
        record = Record(Micros(now * 1_000), "swap", "", body, payload_id(body))
        self._partition.tail.append([prepare(record)])

    def _let_go(self, order: Order, report: Report, now: Millis) -> None:
        """Delete the generation before, once nobody is to roll back to it any more."""
        if report.swapped_at is None or now < report.swapped_at + order.keep_ms:
            return
        self._made.drop_older()
        self._made.wipe(report)
        self._tell(report, before=None)

    def _watched(self, work: Any, *args: Any) -> Iterator[Any]:
        """Yield what a child does, as long as it is wanted."""
        looked_at = time.monotonic()
        erased = self._erased()
        for step in child.results(_at_ease, work, *args):
            yield step
            if self._partition.is_closing:
                raise InterruptedReplayError
            if time.monotonic() > looked_at + _REPORT_S:
                looked_at = time.monotonic()
                if read_order(self._directory) != self._order or self._erased() != erased:
                    raise InterruptedReplayError
        if read_order(self._directory) != self._order:
            raise InterruptedReplayError

    def _progress(self, report: Report, done: int, total: int) -> Report:
        """Tell how far it is, every now and then."""
        now = time.monotonic()
        if now < self._told_at + _REPORT_S:
            return report
        since_s, self._told_at = now - self._told_at, now
        per_second = max(0.0, (done - report.done) / since_s) if report.total == total else 0.0
        return self._tell(report, done=done, total=total, per_second=per_second)

    def _tell(self, report: Report, **different: Any) -> Report:
        told: Report = msgspec.structs.replace(report, **different)
        write_report(self._directory, told)
        if told.phase != report.phase:
            logger.info("partition %s: replay %d is %s", self._spec.name, told.run, told.phase)
        return told

    def _erased(self) -> int:
        return repair.erased_before(self._partition.tail, repair.ERASED_LOG)

    def _boot(self) -> str:
        present = ownership.here(self._directory)
        return f"{present.machine} {present.boot}"


def _version(path: Path) -> int:
    with closing(State(path)) as state:
        return state.version


def _at_ease(work: Callable[..., Iterator[Any]], *args: Any) -> Iterator[Any]:
    os.nice(_NICENESS)
    yield from work(*args)


def _made_by(report: Report, then: Phase) -> int:
    """Return what the state that takes over is marked with."""
    return report.run << 1 | (then == "rolling back")


def _compared(before: Path, after: Path, file: Path) -> Iterator[Any]:
    from airy_ray.replay import diff  # loads Arrow

    yield from diff.compare(before, after, file, _TOLD_MAX)
