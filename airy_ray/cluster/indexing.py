"""The process that feeds the search indexes of a machine's partitions from their change feeds.

A process of its own: written in the owners, they took the interpreter and the processor from
folding, and webhooks came in at half the rate. It is started by the supervisor and ends with it.

1. What changed is found within a quarter of a second: it is written at once, and the next writing
   waits until 0.2 s after that, to take what gathers; where much changes, until 0.5 s after it.
2. Where it is behind while owners are busy, a twentieth of a core is taken, until they have had a
   second's rest. A few records each second keep nobody busy: an index is built beside them at once.
3. It looks for changes at the number of the last transaction, a word in shared memory.
"""

import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from airy_ray.cluster.child_process import ChildProcess, alone, is_over, received
from airy_ray.cluster.doorbell import Damaged, Ringer, asking_bell
from airy_ray.cluster.logs import log_to_stderr
from airy_ray.errors import (
    DamagedError,
    DiskFullError,
    IndexingError,
    RebuildingError,
    RowCorruptError,
)
from airy_ray.model.ids import REGISTRY
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.search.indexer import Indexer

logger = logging.getLogger(__name__)

_COMMITS_APART_S = 0.2
_BUSY_COMMITS_APART_S = 0.5
_FEW = 50
"""How many changes between two commits are few: each commit syncs a dozen files."""
_POLL_S = 0.05
_NICENESS = 5
_REST_BEHIND = 19.0
"""How long to rest after a step while it is behind, as a multiple of what that took."""
_REST_BEHIND_S_MAX = 1.0
_PRESSING_PER_S = 200
"""So many records each second keep an owner busy: what indexing takes, webhooks wait for."""
_PRESSURE_S = 0.25
"""How long to count them."""
_PRESSED_S = 1.0
"""How long it goes on to rest after that: owners fold in batches, with pauses."""
_REST_S = 5.0
"""How long after the last change memory is given back."""
_DOUBT_S = 1.0
"""How often to look whether a reader found an index damaged."""
_RETRY_S = 1.0


class IndexingProcess(ChildProcess):
    """The process as the supervisor holds it."""

    def __init__(self, specs: Sequence[PartitionSpec], run_directory: Path) -> None:
        super().__init__(__name__)
        named = [
            (spec.name, str(spec.directory)) for spec in specs if spec.index != REGISTRY
        ]  # the registry holds no conversations
        self.socket.sendall(msgspec.msgpack.encode(_Setup(str(run_directory), named)))
        self.socket.shutdown(socket.SHUT_WR)


class _Setup(msgspec.Struct, array_like=True):
    run_directory: str
    partitions: list[tuple[str, str]]


class SearchFeeder:
    """Feeds the index of one partition, in steps of some milliseconds."""

    def __init__(self, name: str, directory: Path, ringer: Ringer) -> None:
        self._name = name
        self._reader = PartitionReader(LogTail(directory))
        self._bell = asking_bell(name)
        self._ringer = ringer
        self._indexer: Indexer | None = None
        self._seen: int | None = None
        self._has_more = True
        self._ready_at = 0.0
        self._changed_at = 0.0
        self._doubted_at = 0.0
        self._counted_at = 0.0
        self._applied = 0
        self._is_pressed = False

    def step(self, now: float) -> bool:
        """Do the next piece of work, if there is any; return whether there is more at once."""
        if now < self._ready_at:
            return False
        try:
            if not self._is_due(now):
                return False
            self._has_more = self._feed()
        except RebuildingError:
            self._has_more = True  # what ends it is no commit to the state
            self._ready_at = now + _COMMITS_APART_S
            return False
        except Exception as error:
            self._recover(error)
            self._has_more = True
            self._ready_at = now + _RETRY_S
            return False
        self._changed_at = now
        if not self._has_more:
            is_busy = self._indexer is not None and self._indexer.taken > _FEW
            self._ready_at = now + (_BUSY_COMMITS_APART_S if is_busy else _COMMITS_APART_S)
        return self._has_more

    def is_pressed(self, now: float) -> bool:
        """Whether its owner has been busy lately, as far as was counted."""
        passed_s = now - self._counted_at
        if passed_s >= _PRESSURE_S:
            try:
                with self._reader.read() as view:
                    applied = view.applied()
            except (RebuildingError, DamagedError, RowCorruptError):
                return False  # the next step says so
            is_first = self._counted_at == 0
            self._is_pressed = not is_first and applied - self._applied > _PRESSING_PER_S * passed_s
            self._counted_at, self._applied = now, applied
        return self._is_pressed

    def close(self) -> None:
        """Give everything back."""
        self._rest()
        self._reader.close()

    def _is_due(self, now: float) -> bool:
        """Whether something changed, or a reader found the index damaged."""
        seen = self._reader.transaction_id
        if seen != self._seen or self._has_more:
            self._seen = seen
            return True
        if self._indexer is None:
            return False
        if now > self._changed_at + _REST_S:
            self._rest()
        if now > self._doubted_at + _DOUBT_S:
            self._doubted_at = now
            return not self._indexer.is_trusted
        return False

    def _feed(self) -> bool:
        state = self._reader.live()
        if self._indexer is None or self._indexer.state != state:
            if self._indexer is not None:
                self._indexer.give_up()
            self._indexer = Indexer(state)
        return self._indexer.step()

    def _recover(self, error: Exception) -> None:
        """Give up what was not committed; have built anew what is damaged."""
        match error:
            case IndexingError():
                logger.error("partition %s: the index is built anew: %s", self._name, error)
                if self._indexer is not None:
                    self._indexer.rebuild()
                return
            case DiskFullError():
                logger.error("partition %s: no space for the search index", self._name)
            case RowCorruptError() | DamagedError():
                self._ringer.ring(self._bell, msgspec.msgpack.encode(Damaged()))
            case _:  # whatever it is, it must not end the others' indexing
                logger.exception("partition %s: indexing failed", self._name, exc_info=error)
        if self._indexer is not None:
            self._indexer.give_up()

    def _rest(self) -> None:
        if self._indexer is None:
            return
        try:
            self._indexer.rest()
        except (DiskFullError, IndexingError) as error:  # what it said last is true as well
            logger.warning("partition %s: %s", self._name, error)


def main(descriptor: int) -> None:
    """Feed all indexes until the supervisor is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    log_to_stderr()
    os.nice(_NICENESS)
    with socket.socket(fileno=descriptor) as connection:
        setup = msgspec.msgpack.decode(received(connection), type=_Setup)
        run_directory = Path(setup.run_directory)
        with alone(run_directory / "indexing.lock", connection):
            ringer = Ringer(run_directory)
            feeders = [
                SearchFeeder(name, Path(directory), ringer) for name, directory in setup.partitions
            ]
            gc.freeze()
            pressed_at = 0.0
            while True:
                now = time.monotonic()
                behind = [feeder for feeder in feeders if feeder.step(now)]
                wait_s = _POLL_S
                if behind:
                    if any(feeder.is_pressed(now) for feeder in behind):
                        pressed_at = now
                    is_pressed = now < pressed_at + _PRESSED_S
                    took_s = time.monotonic() - now
                    wait_s = min(took_s * _REST_BEHIND, _REST_BEHIND_S_MAX) if is_pressed else 0
                if is_over(connection, wait_s):
                    break
            for feeder in feeders:
                feeder.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
