"""What the publisher remembers, in an LMDB environment of its own below the data directory.

1. A webhook's places are written together with what waits that they have gone past, so a crash
   loses nothing; what was sent after the last write is sent again, under the same id.
2. The log says who is called; it gets no record of deliveries. All of this is written at most ten
   times a second, and only while something happens.
3. Nothing here holds what anybody wrote: events are read from the rows when they are sent, and
   what was answered is elsewhere (`webhook_answers`).
4. `scope` is a webhook and the record it began with: one that is subscribed anew begins anew. Its
   attempts, what has failed for good and its standing are kept.
"""

from collections.abc import Iterator

import msgspec

from airy_ray.clock import Micros, Millis
from airy_ray.model.ids import ID_BYTES, PartitionIndex, format_id
from airy_ray.model.webhook import Webhook
from airy_ray.publishing.schedule import Fate
from airy_ray.publishing.waiting import LANE_BYTES, Waiting
from airy_ray.storage.shelf import Shelf

TABLES = ("places", "waiting", "dead", "attempts", "standings")

ATTEMPTS_KEPT = 10_000
"""How many attempts of a webhook are remembered, the newest."""
DEAD_KEPT = 10_000
"""How many events that have failed for good are remembered, the newest."""
WAITING_MAX = 50_000
"""How many events of a webhook wait here; what comes then waits in the feed."""
GAPS_KEPT = 20

_PAGE = 500
_PARTITIONS_MAX = 65_536
_SCOPE_BYTES = ID_BYTES + 8


class Attempt(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One call, and what came of it.

    Attributes:
        slot: where what was answered is, if anything was.
    """

    event_id: str
    kind: str
    subject: bytes
    at: Millis
    number: int
    took_ms: int
    status: int | None
    error: str
    fate: Fate
    is_aside: bool
    slot: int | None = None


class Gap(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a webhook did not hear of, because it was too old when its turn came."""

    partition: PartitionIndex
    first: int
    end: int
    noticed_at: Millis


class Standing(msgspec.Struct, gc=False, array_like=True):
    """How it is with a webhook.

    Attributes:
        delivered, failed: how many events, and how many attempts.
        failing_since: since when every call has failed; None if the last one did not.
        ordered: the number of the last order that was carried out.
        answers: how many answers were kept, over those that are overwritten by now.
    """

    delivered: int = 0
    failed: int = 0
    waiting: int = 0
    dead: int = 0
    attempts: int = 0
    failing_since: Millis | None = None
    delivered_at: Millis | None = None
    ordered: int = -1
    gaps: tuple[Gap, ...] = ()
    answers: int = 0


_encode = msgspec.msgpack.encode
_decode_waiting = msgspec.msgpack.Decoder(Waiting).decode
_decode_attempt = msgspec.msgpack.Decoder(Attempt).decode
_decode_standing = msgspec.msgpack.Decoder(Standing).decode


def scope_of(webhook: Webhook) -> bytes:
    """Return what keys of a webhook's places and of what waits for it begin with."""
    return webhook.id + webhook.began.to_bytes(8, "big")


class Backlog:
    """The rows of one webhook; its lanes are the conversations and channels of its events."""

    def __init__(self, shelf: Shelf, scope: bytes) -> None:
        self._shelf = shelf
        self._scope = scope
        self._id = scope[:ID_BYTES]
        row = shelf.get("standings", self._id)
        self.standing = Standing() if row is None else _decode_standing(row)
        self._standing_row = row
        self._attempt = 0

    @property
    def name(self) -> str:
        """What the log calls the webhook."""
        return format_id(self._id)

    def place(self, partition: PartitionIndex) -> int | None:
        """Return from where a feed is to be read on; None if it was not begun."""
        row = self._shelf.get("places", self._place_key(partition))
        return None if row is None else int.from_bytes(row, "big")

    def put_place(self, partition: PartitionIndex, place: int) -> None:
        """Have a feed read on from a place."""
        self._shelf.put("places", self._place_key(partition), place.to_bytes(8, "big"))

    def keep(self, waiting: Waiting, lane: bytes) -> bool:
        """Keep an event, in the order of its lane; return whether it is new there."""
        key = self._scope + lane + waiting.event.place
        is_new = self._shelf.get("waiting", key) is None
        self._shelf.put("waiting", key, _encode(waiting))
        self.standing.waiting += is_new
        return is_new

    def remove(self, waiting: Waiting, lane: bytes) -> None:
        """Keep an event no longer."""
        key = self._scope + lane + waiting.event.place
        if self._shelf.get("waiting", key) is not None:
            self._shelf.delete("waiting", key)
            self.standing.waiting -= 1

    def first_of(self, lane: bytes, count: int) -> list[Waiting]:
        """Return the first events of a lane."""
        rows = self._shelf.under("waiting", self._scope + lane, count)
        return [_decode_waiting(row) for _, row in rows]

    def all_waiting(self) -> Iterator[tuple[bytes, Waiting]]:
        """Yield all events with their lanes, lane by lane, each in order."""
        start = b""
        while rows := self._shelf.under("waiting", self._scope, _PAGE, start=start):
            for key, row in rows:
                yield key[_SCOPE_BYTES : _SCOPE_BYTES + LANE_BYTES], _decode_waiting(row)
            start = rows[-1][0] + b"\0"

    def bury(self, waiting: Waiting, at: Millis) -> None:
        """Remember an event that has failed for good, in place of the oldest if there are many."""
        event = waiting.event
        from_where = event.partition.to_bytes(2, "big") + event.place
        key = self._id + at.to_bytes(8, "big") + from_where
        self._shelf.put("dead", key, _encode(waiting))
        self.standing.dead += 1
        if self.standing.dead > DEAD_KEPT:
            for oldest, _ in self._shelf.under("dead", self._id, 1):
                self._shelf.delete("dead", oldest)
                self.standing.dead -= 1

    def exhume(self, since: Millis) -> Iterator[Waiting]:
        """Yield the events that failed for good since an instant, and remember them no longer."""
        first = self._id + max(since, 0).to_bytes(8, "big")
        while rows := self._shelf.under("dead", self._id, _PAGE, start=first):
            for key, row in rows:
                self._shelf.delete("dead", key)
                self.standing.dead -= 1
                yield _decode_waiting(row)

    def all_dead(self) -> Iterator[Waiting]:
        """Yield the events that have failed for good, oldest first."""
        start = self._id
        while rows := self._shelf.under("dead", self._id, _PAGE, start=start):
            yield from (_decode_waiting(row) for _, row in rows)
            start = rows[-1][0] + b"\0"

    def note(self, attempt: Attempt, at: Micros) -> None:
        """Write an attempt down, in place of the oldest if there are many."""
        self._attempt = (self._attempt + 1) % 65_536
        key = self._id + at.to_bytes(8, "big") + self._attempt.to_bytes(2, "big")
        self._shelf.put("attempts", key, _encode(attempt))
        self.standing.attempts += 1
        if self.standing.attempts > ATTEMPTS_KEPT:
            for oldest, _ in self._shelf.under("attempts", self._id, 1):
                self._shelf.delete("attempts", oldest)
                self.standing.attempts -= 1

    def next_slot(self) -> int:
        """Return where the next answer is to be kept: in place of the oldest if there are many."""
        slot = self.standing.answers % ATTEMPTS_KEPT
        self.standing.answers += 1
        return slot

    def put_standing(self) -> None:
        """Have the standing written as it is now, if it has changed."""
        row = _encode(self.standing)
        if row != self._standing_row:
            self._standing_row = row
            self._shelf.put("standings", self._id, row)

    def end(self, at: Millis, *, buries: bool) -> None:
        """Forget places and what waits; with `buries` remember this as failed for good."""
        if buries:
            for _, waiting in self.all_waiting():
                self.bury(waiting, at)
        self._shelf.delete_under("places", self._scope)
        self._shelf.delete_under("waiting", self._scope)
        self.standing.waiting = 0
        self.standing.failing_since = None
        self.put_standing()

    def _place_key(self, partition: PartitionIndex) -> bytes:
        return self._scope + partition.to_bytes(2, "big")


def began_scopes(shelf: Shelf) -> set[bytes]:
    """Return the scopes of which places are kept."""
    found: set[bytes] = set()
    start = b""
    while rows := shelf.under("places", b"", _PAGE, start=start):
        found |= {key[:_SCOPE_BYTES] for key, _ in rows}
        start = rows[-1][0] + b"\0"
    return found


def standing_of(shelf: Shelf, webhook: bytes) -> Standing:
    """Return how it is with a webhook, as it was last written."""
    row = shelf.get("standings", webhook)
    return Standing() if row is None else _decode_standing(row)


def places_of(shelf: Shelf, webhook: Webhook) -> dict[PartitionIndex, int]:
    """Return from where a webhook's feeds are read on, as it was last written."""
    rows = shelf.under("places", scope_of(webhook), _PARTITIONS_MAX)
    return {
        PartitionIndex(int.from_bytes(key[_SCOPE_BYTES:], "big")): int.from_bytes(row, "big")
        for key, row in rows
    }


def attempts_of(
    shelf: Shelf, webhook: bytes, before: bytes, limit: int
) -> list[tuple[bytes, Attempt]]:
    """Return attempts with their keys, which are less than `before`, newest first."""
    rows = shelf.last_under("attempts", webhook, before, limit)
    return [(key, _decode_attempt(row)) for key, row in rows]
