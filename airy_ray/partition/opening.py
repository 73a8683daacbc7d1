"""How a process comes to own a partition: its log and state are brought in order first.

A state that cannot be trusted is begun anew. That of an earlier projection is gone on with if its
rows can be read, until a replay has made another; else it is begun anew as well. That of a later
one is left alone.
"""

import logging
import shutil
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import DamagedError, NewerStateError, StateError
from airy_ray.partition import generations, ownership, repair
from airy_ray.partition.generations import Generation
from airy_ray.partition.ownership import OwnerLock
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.tail import LogTail, number_in_use
from airy_ray.rawlog.tail import path_of as log_path
from airy_ray.state import snapshot
from airy_ray.state.origin import Kind, origin
from airy_ray.state.snapshot import check_in_child
from airy_ray.state.state import State
from airy_ray.state.tables import PROJECTION_VERSION, is_readable

logger = logging.getLogger(__name__)

_STARTS_KEPT = 5
_SUSPICIOUS_STARTS = 3
_SUSPICIOUS_WITHIN_MS = 120_000
"""So many starts without an end in so short a time: perhaps a damaged page kills the owner."""


class Owned(NamedTuple):
    """What an owner has of a partition."""

    lock: OwnerLock
    tail: LogTail
    generation: Generation

    def give_back(self) -> None:
        """Leave it to others."""
        self.tail.close()
        self.lock.release()


def own(spec: PartitionSpec, now: Millis) -> Owned:
    """Become the owner of a partition, and bring its log and state in order.

    Raises:
        PartitionUnavailableError: another process owns it.
        NewerStateError: a newer release has made its state, which stays as it is.
    """
    lock = OwnerLock(spec.directory)
    with ExitStack() as failed:
        failed.callback(lock.release)
        lock.acquire()
        present = ownership.here(spec.directory)
        mark = ownership.left_running(spec.directory) or present
        starts = (*mark.starts, now)[-_STARTS_KEPT:]
        # first of all: opening what is damaged may kill this process, and that must be counted
        ownership.mark_running(spec.directory, msgspec.structs.replace(mark, starts=starts))
        if _is_suspicious(starts, now):
            _drop_unsound(spec)
        tail = _sound_tail(spec, now)
        failed.callback(tail.close)
        generation = generations.live(tail)
        why = _why_anew(spec, tail, generation, is_same_boot=ownership.is_same_boot(mark, present))
        if generation is None or why is not None:
            generation = _new_generation(spec, tail, why or "live")
        # last of all: until the state that was not synced is given up, its mark must tell of it
        ownership.mark_running(spec.directory, msgspec.structs.replace(present, starts=starts))
        failed.pop_all()
    return Owned(lock, tail, generation)


def _is_suspicious(starts: tuple[int, ...], now: Millis) -> bool:
    recent = [start for start in starts if start > now - _SUSPICIOUS_WITHIN_MS]
    return len(recent) > _SUSPICIOUS_STARTS


def _drop_unsound(spec: PartitionSpec) -> None:
    """Check the newest state without opening it here, and delete it if it is damaged."""
    path = _newest_state(spec)
    if path is None:
        return
    try:
        check_in_child(path)
    except DamagedError as error:
        logger.error("partition %s: the state is damaged: %s", spec.name, error)
        shutil.rmtree(path, ignore_errors=True)


def _sound_tail(spec: PartitionSpec, now: Millis) -> LogTail:
    """Return the log, repaired first if it is damaged, in doubt, or has lost its end."""
    folded = _folded(spec)
    path = log_path(spec.directory, number_in_use(spec.directory))
    if repair.is_sound(path):
        tail = LogTail(spec.directory)
        tail.beacon.use(tail.number)
        if not tail.beacon.is_in_doubt and tail.head >= max(folded, tail.beacon.head):
            tail.beacon.reach(tail.head)
            return tail
        tail.close()
    logger.error("partition %s: the log is damaged", spec.name)
    repair.repair_tail(spec, folded, now)
    return LogTail(spec.directory)


def _folded(spec: PartitionSpec) -> int:
    """Return how many records the newest state holds: the log was as long; 0 if it cannot tell."""
    path = _newest_state(spec)
    if path is None:
        return 0
    try:
        state = State(path)
    except DamagedError:
        return 0
    try:
        return state.applied
    except (StateError, DamagedError):
        return 0
    finally:
        state.close()


def _newest_state(spec: PartitionSpec) -> Path | None:
    number = generations.unused_number(spec.directory, None) - 1
    path = generations.path_of(spec.directory, number)
    return path if (path / "data.mdb").exists() else None


def _why_anew(
    spec: PartitionSpec, tail: LogTail, generation: Generation | None, *, is_same_boot: bool
) -> Kind | None:
    """Return why a new generation is to be made at a start; None if the live one is gone on with.

    Raises:
        NewerStateError: a newer release has made it.
    """
    if generation is None:
        return "restore" if generations.is_restored(tail) else "live"
    path = generations.path_of(spec.directory, generation.number)
    if not (is_same_boot and (path / "data.mdb").exists()):
        return "repair"
    try:
        with closing(State(path)) as state:
            version, is_whole = state.version, state.applied <= tail.head
    except (StateError, DamagedError) as error:
        logger.error("partition %s: the state is damaged: %s", spec.name, error)
        return "repair"
    if version > PROJECTION_VERSION:
        raise NewerStateError(version, PROJECTION_VERSION)
    if not is_whole:
        return "repair"
    return None if is_readable(version) else "upgrade"


def _new_generation(spec: PartitionSpec, tail: LogTail, why: Kind) -> Generation:
    head = tail.head
    present = generations.live(tail)
    number = generations.unused_number(spec.directory, present)
    generation = Generation(number, head or None, 0 if present is None else present.descent)
    generations.set_live(tail, generation)
    begin_state(spec, generation, head, why).close()
    return generation


def begin_state(spec: PartitionSpec, generation: Generation, head: int, why: Kind) -> State:
    """Begin a new generation from the newest snapshot that is sound; the others go."""
    path = generations.path_of(spec.directory, generation.number)
    held = snapshot.restore_newest(
        spec.directory / "snapshots", path, before=head, descent=generation.descent
    )
    generations.drop_others(spec.directory, generation.number)
    if head:
        logger.warning(
            "partition %s: rebuilding the state from offset %d of %d", spec.name, held, head
        )
    state = State(path)
    state.set_origin(origin(why, head))
    return state
