"""The time of day. Only the shell asks for it: what is stored takes its time from the record."""

import time
from typing import NewType

Millis = NewType("Millis", int)
"""An instant: milliseconds since 1970-01-01T00:00Z."""

Micros = NewType("Micros", int)
"""An instant: microseconds since 1970-01-01T00:00Z."""


def now_millis() -> Millis:
    """Return the present instant."""
    return Millis(time.time_ns() // 1_000_000)


def now_micros() -> Micros:
    """Return the present instant."""
    return Micros(time.time_ns() // 1_000)


def to_millis(at: Micros) -> Millis:
    """Return the millisecond that `at` lies in."""
    return Millis(at // 1_000)
