"""What both sides settle when they connect: the version, and who beats how often."""

import re
from typing import NamedTuple

from airy_ray.errors import ProtocolError
from airy_ray.stomp.frame import Version

_NEWEST_FIRST: tuple[Version, ...] = ("1.2", "1.1", "1.0")
_BEATS = re.compile(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", re.ASCII)


class HeartBeats(NamedTuple):
    """How often one side can beat, and wants the other to; milliseconds, 0 for never."""

    sends_ms: int
    wants_ms: int

    def __str__(self) -> str:
        return f"{self.sends_ms},{self.wants_ms}"


def settled_version(accepted: str | None) -> Version:
    """Return the newest version in `accept-version`; without that header it is 1.0.

    Raises:
        ProtocolError: none of ours is among them.
    """
    if accepted is None:
        return "1.0"
    offered = {each.strip() for each in accepted.split(",")}
    for version in _NEWEST_FIRST:
        if version in offered:
            return version
    raise ProtocolError("supported versions are 1.0, 1.1 and 1.2")


def told_beats(header: str | None) -> HeartBeats:
    """Return what a `heart-beat` header says; without one its side neither beats nor listens.

    Raises:
        ProtocolError: it is not two numbers.
    """
    if header is None:
        return HeartBeats(0, 0)
    told = _BEATS.fullmatch(header)
    if told is None:
        raise ProtocolError("heart-beat has to be two numbers of milliseconds")
    return HeartBeats(int(told[1]), int(told[2]))


def settled_beats(ours: HeartBeats, theirs: HeartBeats) -> HeartBeats:
    """Return how often we beat and how often we are to hear something; 0 where one side won't."""
    return HeartBeats(
        _slower(ours.sends_ms, theirs.wants_ms), _slower(theirs.sends_ms, ours.wants_ms)
    )


def _slower(sends_ms: int, wants_ms: int) -> int:
    return max(sends_ms, wants_ms) if sends_ms and wants_ms else 0
