"""Events that wait for another attempt, and what waits behind them in their lane."""

from collections.abc import Sequence

import msgspec

from airy_ray.clock import Millis
from airy_ray.publishing.events import Event

LANE_BYTES = 16


class Waiting(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An event that is kept until it is delivered, or given up.

    Attributes:
        due_at: when the next attempt is.
        attempts: how many there were.
        failed_at: when the first of them failed.
        is_aside: whether later events of its conversation have gone before it.
    """

    event: Event
    due_at: Millis
    attempts: int = 0
    failed_at: Millis | None = None
    is_aside: bool = False

    def failed(self, at: Millis, due_at: Millis) -> "Waiting":
        """Return it after another attempt that failed."""
        first = at if self.failed_at is None else self.failed_at
        return msgspec.structs.replace(
            self, attempts=self.attempts + 1, failed_at=first, due_at=due_at
        )

    def again(self, at: Millis) -> "Waiting":
        """Return it as if it had never failed."""
        return Waiting(self.event, at)


def lane_aside(event: Event) -> bytes:
    """Return a lane in which nothing but `event` is."""
    alone = event.partition.to_bytes(2, "big") + event.place
    return alone.rjust(LANE_BYTES, b"\xff")


def may_step_aside(head: Waiting, at: Millis, hold_ms: int) -> bool:
    """Whether what waits behind the first of a lane has waited long enough for it."""
    if head.failed_at is None or head.due_at <= at:
        return False
    return at >= head.failed_at + hold_ms


def lane_due_at(lane: Sequence[Waiting], hold_ms: int) -> Millis | None:
    """Return when something is to be done about a lane, of which the first two are told.

    That is an attempt of its first event, or that this one steps aside; None if it is empty.
    """
    if not lane:
        return None
    head = lane[0]
    if len(lane) == 1 or head.failed_at is None:
        return head.due_at
    return Millis(min(head.due_at, head.failed_at + hold_ms))
