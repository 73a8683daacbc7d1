"""The life of a partition's owner: wait, fold, tell who waits, forward, take care.

Three threads: one folds and forwards, two do what may block for long, upkeep and replays. None is
the event loop of the actor around them, which only answers questions.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from airy_ray.clock import Millis, now_micros, now_millis
from airy_ray.cluster.doorbell import (
    Applied,
    Bell,
    Follow,
    Ringer,
    WakeMe,
    asking_bell,
    decode_asked,
    owner_bell,
    wait_for,
)
from airy_ray.errors import (
    DamagedError,
    DiskFullError,
    NewerStateError,
    PartitionUnavailableError,
    RowCorruptError,
)
from airy_ray.partition import forwarding, ownership
from airy_ray.partition.forwarding import Forward
from airy_ray.partition.partition import Partition, open_partition
from airy_ray.partition.routing import AliasLookup, ChannelLookup
from airy_ray.partition.spec import PartitionSpec
from airy_ray.partition.upkeep import Caretaker
from airy_ray.projections.view import Outgoing
from airy_ray.replay.replayer import Replayer
from airy_ray.state.state import State
from airy_ray.storage.beacon import is_alive

logger = logging.getLogger(__name__)

POLL_S = 0.05
"""How long a lost datagram can delay anything."""
_LOOK_S = 1.0
"""How long records lie unseen whose writer died before it could tell anybody of them."""
_GATHER_S_PER_RECORD = 0.005
_GATHER_S_MAX = 0.4
"""How long records that nobody waits for may gather after a batch, so that the next takes many.

Only where more come in a second than one for each of the former: what comes alone never waits.
"""
_FOLLOWED_GATHER_S = 0.004
"""How long they gather at most where somebody follows the change feed."""
_CHANGES = "changes"
_FOLLOWING_S = 10.0
"""How long somebody is told who does not say again that they follow."""
_ERRANDS_MS = 100
"""How long timers and forwards wait at most behind records that keep coming."""
_RETRY_S = 0.5
_UPKEEP_S = 1.0
_REPLAY_S = 0.2
_TAKEOVER_S = 5.0

Deliver = Callable[[list[Forward]], None]
"""Append records to other partitions' logs, in order; durable on return."""


class Owner:
    """Runs one partition on threads of its own until it is stopped."""

    def __init__(
        self,
        spec: PartitionSpec,
        run_directory: Path,
        *,
        channels: ChannelLookup,
        aliases: AliasLookup,
        deliver: Deliver,
    ) -> None:
        self.spec = spec
        self.partition: Partition | None = None
        self._channels = channels
        self._aliases = aliases
        self._deliver = deliver
        self._appended = Bell(run_directory, owner_bell(spec.name))
        self._asking = Bell(run_directory, asking_bell(spec.name))
        self._ringer = Ringer(run_directory)
        self._waiters: dict[str, int] = {}
        self._followers: dict[tuple[str, str], float] = {}
        self._told: dict[tuple[str, str], tuple[State, int]] = {}
        self._is_rung = True
        self._looked_at = 0.0
        self._gathers_until = 0.0
        self._errands_at = Millis(0)
        self._forwarded: tuple[State, int] | None = None
        self._stop = threading.Event()
        self._is_damaged = threading.Event()
        self._worker = threading.Thread(target=self._work, name=f"owner-{spec.name}", daemon=True)
        self._carer = threading.Thread(target=self._care, name=f"upkeep-{spec.name}", daemon=True)
        self._replayer = threading.Thread(
            target=self._replay, name=f"replay-{spec.name}", daemon=True
        )

    @property
    def projection(self) -> int | None:
        """The version of the projection that has made the rows; None if that cannot be told now."""
        try:
            return None if self.partition is None else self.partition.state.version
        except (RowCorruptError, DamagedError):
            return None

    def start(self) -> None:
        """Begin."""
        self._worker.start()
        self._carer.start()
        self._replayer.start()

    def stop(self) -> None:
        """Finish what is begun, sync, and give the partition up in order."""
        self._stop.set()
        if self.partition is not None:
            self.partition.is_closing = True
        self._worker.join()
        self._carer.join()
        self._replayer.join()
        if self.partition is not None:
            self.partition.close()
        self._appended.close()
        self._asking.close()
        self._ringer.close()

    def _work(self) -> None:
        partition = self._take()
        while partition is None and not self._stop.is_set():
            self._stop.wait(_RETRY_S)
            partition = self._take()
        self.partition = partition
        while partition is not None and not self._stop.is_set():
            try:
                if not self._step(partition):
                    self._listen(partition)
            except DiskFullError:
                logger.error("partition %s: the disk is full", self.spec.name)
                self._stop.wait(_RETRY_S)
            except Exception:  # whatever it is, the partition must not stand still for it
                logger.exception("partition %s: trying again", self.spec.name)
                self._stop.wait(_RETRY_S)

    def _take(self) -> Partition | None:
        """Become the owner; a process that still is and does not let go is killed after a while."""
        deadline = time.monotonic() + _TAKEOVER_S
        while not self._stop.is_set():
            try:
                return open_partition(self.spec, now_millis())
            except PartitionUnavailableError:
                if time.monotonic() > deadline:
                    _kill_holder(self.spec)
                self._stop.wait(POLL_S)
            except NewerStateError as error:  # no try again makes this release a newer one
                logger.error("partition %s: %s", self.spec.name, error)
                self._stop.wait()
            except Exception:  # the disk may be full; there is nothing to serve before it is not
                logger.exception("partition %s cannot be opened", self.spec.name)
                return None
        return None

    def _step(self, partition: Partition) -> bool:
        """Do the next piece of work; return whether there is more."""
        now = now_millis()
        if self._is_damaged.is_set():
            self._is_damaged.clear()
            partition.rebuild()
            return True
        if partition.settle_doubt(now) or partition.take_offered(now):
            return True
        was_readable = partition.is_readable
        has_more = self._project(partition, now)
        if has_more and now - self._errands_at < _ERRANDS_MS:
            return True
        self._errands_at = now
        has_run = self._run_errands(partition, now)
        return has_more or has_run or partition.is_readable != was_readable

    def _project(self, partition: Partition, now: Millis) -> bool:
        """Fold what there is to fold; return whether there is more."""
        looks_at = time.monotonic()
        if not (self._is_rung or partition.is_behind or looks_at > self._looked_at + _LOOK_S):
            return False
        self._is_rung = False
        self._looked_at = looks_at
        folded = partition.project_batch(now)
        if not folded:
            return False
        is_followed = any(table == _CHANGES for _, table in self._followers)
        longest_s = _FOLLOWED_GATHER_S if is_followed else _GATHER_S_MAX
        gathers_s = min(longest_s, folded * _GATHER_S_PER_RECORD)
        self._gathers_until = time.monotonic() + gathers_s
        self._tell(partition)
        self._tell_followers(partition)
        return partition.is_behind

    def _run_errands(self, partition: Partition, now: Millis) -> bool:
        """Let timers fall and forward what is for others; return whether there was anything."""
        try:
            due_at = partition.next_due()
            fallen = partition.fall_due(now) if due_at is not None and due_at <= now else 0
            pending = self._pending(partition)
        except (RowCorruptError, DamagedError):
            self._distrust(partition)
            return True
        for sequence, outgoing in pending:
            forwards = forwarding.records_of(
                partition, sequence, outgoing, self._channels, self._aliases, now_micros()
            )
            self._deliver(forwards)
        if pending:
            forwarding.mark_forwarded(partition, pending[-1][0])
        return fallen > 0 or bool(pending)

    def _pending(self, partition: Partition) -> list[tuple[int, Outgoing]]:
        """Return what is to be forwarded; looks only if something came since there was nothing."""
        written = partition.state, partition.state.batches_with("outbox")
        if written == self._forwarded:
            return []
        pending = forwarding.pending(partition)
        if not pending:
            self._forwarded = written
        return pending

    def _listen(self, partition: Partition) -> None:
        """Wait until something was appended; let more gather unless somebody waits for it."""
        due_at = partition.next_due()
        wait_s = POLL_S
        if due_at is not None:
            wait_s = min(wait_s, (due_at - now_millis()) / 1_000)
        wait_for([self._appended, self._asking], wait_s)
        self._is_rung = bool(self._appended.drain())
        if not self._hear() and self._is_rung:
            wait_for([self._asking], self._gathers_until - time.monotonic())
            self._appended.drain()
            self._hear()
        self._tell(partition)

    def _hear(self) -> bool:
        """Note who waits for what, and what is damaged; return whether anybody waits."""
        for said in self._asking.drain():
            try:
                asked = decode_asked(said)
            except msgspec.DecodeError:
                continue
            if isinstance(asked, WakeMe):
                self._waiters[asked.reply] = max(self._waiters.get(asked.reply, 0), asked.offset)
            elif isinstance(asked, Follow):
                self._followers[asked.reply, asked.table] = time.monotonic() + _FOLLOWING_S
            else:
                self._is_damaged.set()
        return bool(self._waiters)

    def _tell(self, partition: Partition) -> None:
        """Tell the processes that wait how far the partition is."""
        if not self._waiters:
            return
        applied = partition.applied
        said = msgspec.msgpack.encode(Applied(self.spec.index, applied))
        for reply, last in list(self._waiters.items()):
            self._ringer.ring(reply, said)
            if last < applied:
                del self._waiters[reply]

    def _tell_followers(self, partition: Partition) -> None:
        """Tell the processes that follow a table that there is more in it."""
        if not self._followers:
            return
        now = time.monotonic()
        said = msgspec.msgpack.encode(Applied(self.spec.index, partition.applied))
        for follower, until in list(self._followers.items()):
            reply, table = follower
            written = partition.state, partition.state.batches_with(table)
            if self._told.get(follower) != written:
                self._told[follower] = written
                self._ringer.ring(reply, said)
            if until < now:
                del self._followers[follower], self._told[follower]

    def _care(self) -> None:
        """Do the upkeep, on a thread of its own."""
        while self.partition is None and not self._stop.wait(POLL_S):
            pass
        if self.partition is None:
            return
        caretaker = Caretaker(self.partition, now_millis())
        while not self._stop.wait(_UPKEEP_S):
            try:
                caretaker.work(now_millis())
            except (RowCorruptError, DamagedError):
                self._distrust(self.partition)
            except Exception:  # the disk may be full; later it may not be
                logger.exception("partition %s: upkeep failed", self.spec.name)

    def _replay(self) -> None:
        """Process history again as it is told, on a thread of its own: it may take hours."""
        while self.partition is None and not self._stop.wait(POLL_S):
            pass
        if self.partition is None:
            return
        replayer = Replayer(self.partition)
        while not self._stop.wait(_REPLAY_S):
            try:
                replayer.work(now_millis())
            except Exception:  # whatever it is, the partition goes on
                logger.exception("partition %s: the replay failed", self.spec.name)
                self._stop.wait(_RETRY_S)

    def _distrust(self, partition: Partition) -> None:
        """Have the state rebuilt, unless it is the log that is damaged, which is known by then."""
        logger.exception("partition %s: something is damaged", self.spec.name)
        if not partition.tail.beacon.is_in_doubt:
            self._is_damaged.set()


def _kill_holder(spec: PartitionSpec) -> None:
    lock = ownership.OwnerLock(spec.directory)
    holder = lock.holder
    lock.release()
    if holder is not None and holder != os.getpid() and is_alive(holder):
        logger.warning("partition %s: killing its old owner, process %d", spec.name, holder)
        os.kill(holder, signal.SIGKILL)
