"""Whose turn it is: in order within a conversation, side by side across, so many for each source.

1. A conversation has one turn at a time, that of the message which became pending first.
2. A source that is slow, or down, holds up nobody else's messages.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from airy_ray.delivery.pacing import Bucket
from airy_ray.model.ids import ConversationId, MessageId, PartitionIndex


@dataclass(eq=False)
class Turn:
    """A message whose turn it is, and how far it is.

    Attributes:
        has_slot: whether its channel's pace allows the next call.
        calls_taken: how many of its calls its source took; a long message has several.
        known_as: what the source called it at the first of them.
        tries: how often the source did not take it.
        heard_of: the number of the newest attempt whose outcome is known here.
        has_renewed: whether another token was asked for, because it was refused with one.
        uploaded: what the platform calls files that it was given, by their addresses.
    """

    partition: PartitionIndex
    message_id: MessageId
    conversation_id: ConversationId
    source: str
    has_slot: bool = False
    calls_taken: int = 0
    known_as: str | None = None
    tries: int = 0
    heard_of: int = 0
    has_renewed: bool = False
    uploaded: dict[str, str] = field(default_factory=dict)

    def slot_in_s(self, bucket: Bucket, now_s: float) -> float:
        """Have a slot of its channel's; return in how many seconds it comes."""
        if self.has_slot:
            return 0.0
        self.has_slot = True
        return bucket.reserve(now_s)

    def begin_anew(self) -> None:
        """Forget how far it was: it is sent again."""
        self.has_slot = self.has_renewed = False
        self.calls_taken = self.tries = self.heard_of = 0
        self.known_as = None
        self.uploaded.clear()


class Lanes:
    """All messages that are on their way, each known once."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._known: set[MessageId] = set()
        self._waiting: dict[ConversationId, list[tuple[int, MessageId, Turn]]] = {}
        self._ready: dict[str, deque[Turn]] = defaultdict(deque)
        self._taking: dict[str, int] = defaultdict(int)

    def __len__(self) -> int:
        """How many messages are on their way."""
        return len(self._known)

    def add(self, turn: Turn, position: int) -> None:
        """Take a message in, unless it is known; in its conversation the lower position is first.

        One whose turn it is keeps it.
        """
        if turn.message_id in self._known:
            return
        self._known.add(turn.message_id)
        lane = self._waiting.get(turn.conversation_id)
        if lane is None:
            self._waiting[turn.conversation_id] = []
            self._ready[turn.source].append(turn)
        else:
            heappush(lane, (position, turn.message_id, turn))

    def begin(self) -> Iterator[Turn]:
        """Yield turns that can be taken now; each ends with `pause` or `finish`."""
        for source, ready in self._ready.items():
            while ready and self._taking[source] < self._at_once:
                self._taking[source] += 1
                yield ready.popleft()

    def pause(self, turn: Turn) -> None:
        """Make room for others; it stays the turn of its conversation until it goes on."""
        self._taking[turn.source] -= 1

    def go_on(self, turn: Turn) -> None:
        """Have a turn that paused begin again."""
        self._ready[turn.source].append(turn)

    def finish(self, turn: Turn) -> None:
        """End a turn; the next of its conversation follows."""
        self._taking[turn.source] -= 1
        self._known.discard(turn.message_id)
        lane = self._waiting[turn.conversation_id]
        if lane:
            _, _, following = heappop(lane)
            self._ready[following.source].append(following)
        else:
            del self._waiting[turn.conversation_id]
