"""How far a webhook is in a feed: up to the first change that is still on its way."""

from heapq import heappop, heappush


class Progress:
    """The place of one webhook in one partition's feed.

    What was begun is finished once it is delivered, given up, or kept elsewhere. Changes are begun
    in the order of the feed and finished in any.
    """

    def __init__(self, place: int) -> None:
        self._read = place
        self._open: dict[int, int] = {}
        self._order: list[int] = []

    @property
    def place(self) -> int:
        """From where to read on after a restart: nothing before it is still on its way."""
        while self._order and self._order[0] not in self._open:
            heappop(self._order)
        return self._order[0] if self._order else self._read

    def begin(self, sequence: int) -> None:
        """Note that an event of the change at `sequence` is on its way; one may make several."""
        if sequence not in self._open:
            heappush(self._order, sequence)
        self._open[sequence] = self._open.get(sequence, 0) + 1

    def finish(self, sequence: int) -> None:
        """Note that one of its events is not any more."""
        left = self._open[sequence] - 1
        if left:
            self._open[sequence] = left
        else:
            del self._open[sequence]

    def read_to(self, place: int) -> None:
        """Note that everything before `place` has begun."""
        self._read = place
