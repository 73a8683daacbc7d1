"""What keeps a partition small and safe: syncing, sealing, trimming, snapshots, expiry.

Each step does one thing if it is due and may block for long; they run one after another on a
thread beside the one that projects. A range of the log leaves the live tail only when it is in a
synced archive file, that file is in the manifest, and the state that includes it is synced.
"""

import logging
from pathlib import Path

from airy_ray.clock import Millis
from airy_ray.errors import OffsetOutOfRangeError, RecordCorruptError
from airy_ray.partition import generations, retention
from airy_ray.partition.erasure import Eraser
from airy_ray.partition.forwarding import forwarded_until
from airy_ray.partition.partition import Partition
from airy_ray.projections.commands import REPEATED_WITHIN_MS
from airy_ray.projections.receipts import EARLY_RECEIPT_MS
from airy_ray.rawlog.record import opened
from airy_ray.state import snapshot
from airy_ray.state.expiry import Cutoffs, expire, folded_at
from airy_ray.state.state import State

logger = logging.getLogger(__name__)

_EXPIRY_MS = 60_000
_RETENTION_MS, _RETENTION_REST_MS = 86_400_000, 3_600_000
"""How often to look for what was kept for long enough, and when again if it was too much at once:
each time the whole log is rewritten."""
_CLOCKS_APART_MS = 3_600_000
_SEAL_RECORDS_MAX = 200_000
"""A file of more records than this would need too much memory to be made."""


class Caretaker:
    """Does the upkeep of one partition when it is due."""

    def __init__(self, partition: Partition, now: Millis) -> None:
        self._partition = partition
        self._state = partition.state
        self._synced = 0
        self._synced_at = now
        self._copied = partition.applied
        self._copied_of = snapshot.newest_descent(self._snapshots)
        self._copied_at = now
        self._expired_at = now
        self._eraser = Eraser(partition)
        self._retains_at = Millis(0)
        self._may_be_unnamed = True
        """Whether a file may be in the archive that was written and not named: one died between."""

    def work(self, now: Millis) -> None:
        """Do what is due. Blocks for as long as it takes.

        Raises:
            DamagedError: the state turned out to be damaged; it must be rebuilt.
        """
        self.sync(now)
        self.seal(now)
        self.trim()
        self.retain(now)
        self.erase(now)
        self.copy(now)
        self.expire(now)
        self._partition.tail.make_room()

    def retain(self, now: Millis) -> None:
        """Have conversations erased that were kept for long enough: once a day, unless many are."""
        partition = self._partition
        if now < self._retains_at or not partition.spec.retention.rules:
            return
        if not partition.is_readable:
            return
        count = retention.append_due(partition, now)
        is_all = count < retention.CONVERSATIONS_MAX
        self._retains_at = Millis(now + (_RETENTION_MS if is_all else _RETENTION_REST_MS))
        if count:
            logger.info("partition %s: %d conversations are to go", partition.spec.name, count)

    def erase(self, now: Millis) -> None:
        """Go on with the erasures that are due."""
        if self._eraser.work(now):
            self._copied, self._copied_at = 0, Millis(0)  # the snapshots are gone

    def sync(self, now: Millis) -> None:
        """Bring the state to the disk."""
        if now - self._synced_at < self._partition.spec.upkeep.sync_ms:
            return
        state = self._partition.state
        applied = state.applied
        if applied != self._synced_of(state):
            state.sync()
            self._state, self._synced = state, applied
        self._synced_at = now

    def _synced_of(self, state: State) -> int:
        """Return how much of a state is on the disk: nothing of one that was folded again since."""
        return self._synced if state is self._state else 0

    def seal(self, now: Millis) -> None:
        """Archive the oldest records that are not yet, once they are many or old."""
        partition = self._partition
        segments = partition.tail.segments()
        first = segments[-1].last + 1 if segments else 0
        count = min(partition.applied - first, _SEAL_RECORDS_MAX)
        if count <= 0:
            return
        try:
            if self._is_seal_due(first, count, now):
                self._seal(first, count)
        except (RecordCorruptError, OffsetOutOfRangeError):
            logger.exception("partition %s: sealing met a damaged record", partition.spec.name)
            partition.tail.distrust()

    def _seal(self, first: int, count: int) -> None:
        from airy_ray.rawlog import archive  # loads Arrow

        spec, tail = self._partition.spec, self._partition.tail
        values = tail.read(first, count, bytes_max=spec.upkeep.segment_bytes)
        if self._may_be_unnamed:
            archive.drop_unnamed(spec.archive, spec.index, tail.segments())
        self._may_be_unnamed = True
        segment = archive.seal(spec.archive, spec.index, values)
        tail.add_segment(segment)
        self._may_be_unnamed = False
        logger.info("partition %s: sealed %s", spec.name, segment.file)

    def trim(self) -> None:
        """Let the live tail go of what is archived and in the synced state."""
        partition = self._partition
        segments = partition.tail.segments()
        archived = segments[-1].last + 1 if segments else 0
        kept = partition.tail.head - partition.spec.upkeep.tail_records
        before = min(archived, self._synced_of(partition.state), partition.applied, kept)
        if before > partition.tail.first:
            partition.tail.trim(before)

    def copy(self, now: Millis) -> None:
        """Take a snapshot, once enough has happened since the last, or another state took over."""
        partition = self._partition
        generation, state = partition.generation, partition.state
        if state.path != generations.path_of(partition.spec.directory, generation.number):
            return  # another is just taking over
        is_due = self._is_copy_due(now) or generation.descent != self._copied_of
        if not is_due or generation.target is not None or self._eraser.is_at_work:
            return
        about = snapshot.take(state, self._snapshots, descent=generation.descent)
        self._copied, self._copied_at, self._copied_of = about.applied, now, about.descent
        logger.info("partition %s: snapshot at offset %d", partition.spec.name, about.applied)

    def _is_copy_due(self, now: Millis) -> bool:
        upkeep = self._partition.spec.upkeep
        fresh = self._partition.applied - self._copied
        is_old = now - self._copied_at >= upkeep.snapshot_age_ms
        return fresh >= upkeep.snapshot_records or (is_old and fresh > 0)

    @property
    def _snapshots(self) -> Path:
        return self._partition.spec.directory / "snapshots"

    def expire(self, now: Millis) -> None:
        """Delete rows that have served their time."""
        keep = self._partition.spec.retention
        if now - self._expired_at < min(_EXPIRY_MS, keep.changes_ms):
            return
        # what projections look at goes by the time of the records: a state that is behind, or being
        # rebuilt, must find what it found the first time, though clocks of processes differ a bit
        seen = Millis(min(now, folded_at(self._partition.state)) - _CLOCKS_APART_MS)
        cutoffs = Cutoffs(
            changes=Millis(now - keep.changes_ms),
            requests=Millis(seen - REPEATED_WITHIN_MS),
            ledger=Millis(now - keep.ledger_ms),
            orphans=Millis(seen - keep.orphans_ms),
            receipts=Millis(seen - EARLY_RECEIPT_MS),
            audit=Millis(now - keep.audit_ms),
        )
        expire(self._partition.state, cutoffs, forwarded=forwarded_until(self._partition))
        self._expired_at = now

    def _is_seal_due(self, first: int, count: int, now: Millis) -> bool:
        upkeep = self._partition.spec.upkeep
        tail = self._partition.tail
        if count >= _SEAL_RECORDS_MAX or count * tail.mean_bytes >= upkeep.segment_bytes:
            return True
        oldest = opened(tail.read(first, 1)[0][1], first)
        return now - oldest.at >= upkeep.segment_age_ms
