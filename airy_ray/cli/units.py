"""Instants, ages, sizes and ids as people read and write them."""

import re
from datetime import UTC, datetime, timedelta

from airy_ray.clock import Micros, Millis
from airy_ray.errors import ConfigError
from airy_ray.model.ids import parse_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGE = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def instant(at: Millis | int) -> str:
    """Return an instant as UTC, to the millisecond."""
    told = datetime.fromtimestamp(at / 1_000, UTC)
    return told.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1_000:03}Z"


def parsed_instant(name: str, text: str, now: Millis) -> Micros:
    """Return the instant that a person means: `2026-11-25T14:00`, UTC unless it says otherwise.

    `30m`, `2h` or `7d` is so long before `now`.

    Raises:
        ConfigError: it is neither; the text begins with `name`.
    """
    if age := _AGE.fullmatch(text):
        return Micros(now * 1_000 - int(age[1]) * _SECONDS[age[2]] * 1_000_000)
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{name}: expected a time such as 2026-11-25T14:00, or an age such as 30m, 2h or 7d"
        ) from None
    told = told if told.tzinfo else told.replace(tzinfo=UTC)
    return Micros((told - _EPOCH) // timedelta(microseconds=1))


def parsed_id(name: str, text: str) -> bytes:
    """Return the id that a person means.

    Raises:
        ConfigError: it is none; the text begins with `name`.
    """
    try:
        return parse_id(text)
    except ValueError:
        raise ConfigError(f"{name}: {text} is not an id") from None


def seconds(name: str, text: str) -> int:
    """Return how long `30m`, `2h` or `7d` is.

    Raises:
        ConfigError: it is no such length of time; the text begins with `name`.
    """
    if (length := _AGE.fullmatch(text)) is None:
        raise ConfigError(f"{name}: expected a length of time such as 30m, 2h or 7d")
    return int(length[1]) * _SECONDS[length[2]]


def size(length: int) -> str:
    """Return a number of bytes in a unit that keeps it short."""
    amount = float(length)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1_024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1_024
    return f"{amount:.1f} TiB"


def age(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    left = int(seconds)
    if left < 60:
        return f"{seconds:.1f} s"
    parts = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if left >= length:
            parts.append(f"{left // length} {unit}")
            left %= length
    return " ".join(parts[:2])


def ranges(offsets: list[tuple[int, int]]) -> str:
    """Return ranges of offsets, ends inclusive, the first few of them."""
    told = [str(first) if first == last else f"{first}-{last}" for first, last in offsets[:5]]
    more = len(offsets) - len(told)
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")
