"""When a call that failed is made again, and when no more (Standard Webhooks, "Retries")."""

from typing import Literal, NamedTuple

from airy_ray.clock import Millis
from airy_ray.publishing.waiting import Waiting

DELAYS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""What follows each attempt but the last: three days and three hours in all."""
JITTER = 0.2
"""What part of a delay is left to chance, so that not everything comes back at once."""
ASKED_S_MAX = 86_400.0
"""The longest pause that an endpoint can ask for."""
DISABLED_AFTER_MS = 5 * 86_400_000
"""After what time in which every call failed nothing more is called."""

GONE = 410
_SLOW_DOWN = (429, 502, 504)


class Answer(NamedTuple):
    """What came of a call.

    Attributes:
        status: None if there was no answer.
        error: why there was none, or why it is none that counts.
        after_s: how long the endpoint asked us to wait.
        body: how it begins.
    """

    status: int | None
    error: str = ""
    after_s: float | None = None
    body: bytes = b""

    @property
    def is_taken(self) -> bool:
        """Whether the event was taken: any answer that is no failure (contract: §10.3)."""
        return self.status is not None and self.status < 400

    @property
    def asks_for_less(self) -> bool:
        """Whether the endpoint, or who stands before it, has too much to do."""
        return self.status in _SLOW_DOWN


Fate = Literal["delivered", "failed", "dead"]
"""What an attempt came to: `failed` is tried again, `dead` is not."""


def after_failure(waiting: Waiting, answer: Answer, at: Millis, chance: float) -> Waiting | None:
    """Return an event as it waits for its next attempt; None if there is none.

    `chance` is from 0 to 1, anew for each attempt.
    """
    attempts = waiting.attempts + 1
    if attempts > len(DELAYS_S):
        return None
    delay_s = DELAYS_S[attempts - 1] * (1 - JITTER + 2 * JITTER * chance)
    if answer.after_s is not None:
        delay_s = max(delay_s, min(answer.after_s, ASKED_S_MAX))
    return waiting.failed(at, Millis(at + int(delay_s * 1_000)))
