"""Fresh events of one webhook: in order within a lane, side by side across lanes."""

from collections import deque

from airy_ray.publishing.events import Event


class Queue:
    """Events that have had no attempt yet. Each lane has one event on its way at most."""

    def __init__(self) -> None:
        self._lanes: dict[bytes, deque[Event]] = {}
        self._ready: deque[bytes] = deque()
        self._on_their_way: set[bytes] = set()
        self._length = 0

    def __len__(self) -> int:
        """How many events there are, those on their way among them."""
        return self._length

    def add(self, event: Event) -> None:
        """Take an event in, behind those of its lane."""
        lane = self._lanes.get(event.lane)
        if lane is None:
            self._lanes[event.lane] = deque([event])
            self._ready.append(event.lane)
        else:
            lane.append(event)
        self._length += 1

    def begin(self) -> Event | None:
        """Return the next event whose turn it is; it ends with `finish` or `clear`."""
        if not self._ready:
            return None
        lane = self._ready.popleft()
        self._on_their_way.add(lane)
        return self._lanes[lane][0]

    def finish(self, event: Event) -> None:
        """Forget an event that had its attempt; the next of its lane follows."""
        lane = self._lanes[event.lane]
        lane.popleft()
        self._on_their_way.discard(event.lane)
        self._length -= 1
        if lane:
            self._ready.append(event.lane)
        else:
            del self._lanes[event.lane]

    def clear(self, event: Event) -> list[Event]:
        """Forget an event that had its attempt, and all behind it; return these, in order."""
        _, *behind = self._lanes.pop(event.lane)
        self._on_their_way.discard(event.lane)
        self._length -= 1 + len(behind)
        return behind

    def withdraw(self, lane: bytes) -> list[Event]:
        """Forget the events of a lane that are not on their way; return them, in order."""
        events = self._lanes.get(lane)
        if events is None:
            return []
        kept = [events.popleft()] if lane in self._on_their_way else []
        withdrawn = list(events)
        self._length -= len(withdrawn)
        if kept:
            self._lanes[lane] = deque(kept)
        else:
            del self._lanes[lane]
            self._ready.remove(lane)
        return withdrawn
