"""Newest first over all partitions: what each has for a page, merged, and where the next begins.

A page begins at a position of its own in each partition, which its cursor holds: what is written
meanwhile moves nothing. Of many rows that a filter leaves out only some are looked at for one page,
which is then short; the list is at its end when there is no next cursor.
"""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

Row = TypeVar("Row")

LOOKED_AT_MAX = 5_000
"""How many rows of a partition are looked at for one page, whatever is asked for."""
LOOKED_AT_ONCE = 500
CLOCKS_APART_MS = 3_600_000
"""How far from the order of time the order of a partition's log may be."""

_POSITION_MAX = 1 << 63


class Found(NamedTuple, Generic[Row]):
    """What one partition has for a page.

    Attributes:
        rows: with their offsets, newest first.
        end: the offset before which to go on once they are taken; None if that is the end.
    """

    rows: list[tuple[int, Row]]
    end: int | None


class Placed(NamedTuple, Generic[Row]):
    """A row, the partition that it is of, and its offset there."""

    partition: int
    offset: int
    row: Row


def merged(
    found: Sequence[Found[Row]], positions: list[int], size: int, at: Callable[[Row], int]
) -> tuple[list[Placed[Row]], list[int]]:
    """Return the newest rows of all partitions, and before which offset of each to go on.

    Where a partition was not looked through to its end, nothing older than what it has is taken.
    """
    taken: list[Placed[Row]] = []
    nexts = [0] * len(found)
    following = list(positions)
    while len(taken) < size:
        heads = [
            (-at(each.rows[nexts[index]][1]), index)
            for index, each in enumerate(found)
            if nexts[index] < len(each.rows)
        ]
        is_cut = any(
            nexts[index] == len(each.rows) and each.end is not None
            for index, each in enumerate(found)
        )
        if not heads or is_cut:
            break
        _, index = min(heads)
        following[index], row = found[index].rows[nexts[index]]
        nexts[index] += 1
        taken.append(Placed(index, following[index], row))
    for index, each in enumerate(found):
        if nexts[index] == len(each.rows):
            following[index] = each.end or 0
    return taken, following


def cursor_of(positions: list[int]) -> str | None:
    """Return where a page begins as text; None where nothing is left."""
    return ".".join(map(str, positions)) if any(positions) else None


def positions_of(cursor: str | None, partitions: int) -> list[int]:
    """Return the offset of each partition before which a page begins; 0 where nothing is left.

    Raises:
        ValueError: it is no cursor, or one of another installation.
    """
    if cursor is None:
        return [_POSITION_MAX] * partitions
    parts = cursor.split(".")
    if len(parts) != partitions or not all(_is_offset(part) for part in parts):
        raise ValueError("not a cursor of this list")
    return [int(part) for part in parts]


def _is_offset(part: str) -> bool:
    return part.isascii() and part.isdecimal() and len(part) <= 19 and int(part) <= _POSITION_MAX
