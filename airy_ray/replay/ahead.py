"""What comes next is made ready on a thread, while the one that folds waits for the kernel."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Ahead(Generic[Item]):
    """Takes an iterator's items in order, the next one on a thread from `begin` on.

    That is best called just before LMDB commits, which does without Python for long. At any other
    time both threads would want the interpreter, and each call of LMDB's would hand it over: who
    wants it back waits for 5 ms.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._thread = ThreadPoolExecutor(1)
        self._next: Future[Item | None] | None = None

    def begin(self) -> None:
        """Have the next item made, if it is not being made already."""
        if self._next is None:
            self._next = self._thread.submit(next, self._items, None)

    def take(self) -> Item | None:
        """Return the next item, None after the last; raises what making it raised."""
        self.begin()
        assert self._next is not None
        following, self._next = self._next, None
        return following.result()

    def close(self) -> None:
        """Wait until nothing is made any more."""
        self._thread.shutdown()
