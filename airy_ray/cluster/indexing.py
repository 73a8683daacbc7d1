"""The search index of a partition, fed beside its owner's folding, which never waits for it.

1. What changed alone is found within a quarter of a second: it is written at once, and the next
   writing waits until 0.2 s after that, to take what gathers.
2. Under load the feeding takes a tenth of a core, and falls behind rather than to take more; while
   nothing is folded, half of one, until it is up to date.
3. At rest it costs nothing but a look each few seconds whether a reader found the index damaged.
"""

import logging
import threading
import time
from collections.abc import Callable

from airy_ray.errors import DamagedError, DiskFullError, IndexingError, RowCorruptError
from airy_ray.partition.partition import Partition
from airy_ray.state.search.indexer import Indexer

logger = logging.getLogger(__name__)

_COMMITS_APART_S = 0.2
_REST_IDLE = 1.0
_REST_BUSY = 9.0
"""How long to rest after a step, as a multiple of what it took."""
_REST_S_MAX = 2.0
_LOOK_S = 5.0
"""How long after the last change memory is given back, and how often to look for damage."""
_RETRY_S = 1.0


class SearchFeeder:
    """Feeds the index of one partition on a thread of its own, from `start` to `stop`."""

    def __init__(
        self, name: str, partition: Callable[[], Partition | None], *, distrust: Callable[[], None]
    ) -> None:
        """Feed the index of the partition once there is one.

        `distrust` is called when its state turns out to be damaged.
        """
        self._name = name
        self._partition = partition
        self._distrust = distrust
        self._indexer: Indexer | None = None
        self._folded = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"search-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Say that something was folded. Cheap, and safe to repeat."""
        self._folded.set()

    def stop(self) -> None:
        """Finish the step that is begun, and give everything back."""
        self._stop.set()
        self._folded.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._folded.clear()
            began = time.monotonic()
            has_more = self._step()
            took_s = time.monotonic() - began
            times = _REST_BUSY if self._folded.is_set() else _REST_IDLE
            rest_s = min(took_s * times, _REST_S_MAX)
            if not has_more:
                rest_s = max(rest_s, _COMMITS_APART_S - took_s)
            self._stop.wait(rest_s)
            while not has_more and not self._folded.wait(_LOOK_S):
                has_more = self._look()
        self._rest()

    def _step(self) -> bool:
        """Do the next piece of work; return whether there is more."""
        partition = self._partition()
        if partition is None or not partition.is_readable:
            return False
        if self._indexer is None or self._indexer.state is not partition.state:
            self._rest()
            self._indexer = Indexer(partition.state)
        try:
            return self._indexer.step()
        except IndexingError as error:
            logger.error("partition %s: the search index is built anew: %s", self._name, error)
            self._indexer.rebuild()
        except DiskFullError:
            logger.error("partition %s: no space for the search index", self._name)
            self._indexer.give_up()
        except (RowCorruptError, DamagedError):
            self._indexer.give_up()
            self._distrust()
        except Exception:  # whatever it is, it must not end the thread
            logger.exception("partition %s: indexing failed", self._name)
            self._indexer.give_up()
        self._stop.wait(_RETRY_S)
        return True

    def _look(self) -> bool:
        """Give memory back; return whether there is something to do all the same."""
        self._rest()
        partition = self._partition()
        if partition is None or not partition.is_readable:
            return False
        is_ours = self._indexer is not None and self._indexer.state is partition.state
        return not is_ours or (self._indexer is not None and not self._indexer.is_trusted)

    def _rest(self) -> None:
        if self._indexer is None:
            return
        try:
            self._indexer.rest()
        except (DiskFullError, IndexingError) as error:  # what it said last is true as well
            logger.warning("partition %s: %s", self._name, error)
