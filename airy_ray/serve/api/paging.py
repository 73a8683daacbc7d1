"""Pages of a list (contract: platform API §1.3)."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from airy_ray.errors import RequestError
from airy_ray.model import json_text
from airy_ray.partition.newest import cursor_of, positions_of
from airy_ray.serve.http import Response

_PAGE_SIZE = 10
"""The size of a page when none, zero or less is asked for."""


def size_of(asked: int | None, *, limit: int, default: int = _PAGE_SIZE) -> int:
    """Return how many items a page may hold; `default` if none, zero or less is asked for."""
    return min(asked if asked and asked > 0 else default, limit)


def page(
    items: list[bytes], *, previous: str | None, following: str | None, total: int
) -> Response:
    """Return a page of items that are JSON already."""
    cursors = {"previous_cursor": previous, "next_cursor": following, "total": total}
    body = b'{"data":[%b],"pagination_data":%b}' % (b",".join(items), json_text.encode(cursors))
    return Response(body=body)


def items(rows: list[bytes]) -> Response:
    """Return a list that is not cut into pages."""
    return Response(body=b'{"data":[%b]}' % b",".join(rows))


def newest_page(items: list[bytes], following: list[int]) -> Response:
    """Return a page of a list that is newest first, and where the next one begins."""
    told = json_text.encode({"next_cursor": cursor_of(following)})
    return Response(body=b'{"data":[%b],"pagination_data":%b}' % (b",".join(items), told))


def positions_in(cursor: str | None, partitions: int) -> list[int]:
    """Return where in each partition a page of such a list begins.

    Raises:
        RequestError: 400, the text is none of its cursors.
    """
    try:
        return positions_of(cursor, partitions)
    except ValueError as error:
        raise RequestError(400, f"cursor: {error}") from None


Place = TypeVar("Place", bound=msgspec.Struct)
Row = TypeVar("Row")

Find = Callable[[int | None, int], Awaitable[tuple[int, list[tuple[int, Row]]]]]
"""Return how many rows there are of a rank at most, or of any, and the first of them, ranked."""


def cursor(place: msgspec.Struct) -> str:
    """Return a place in a list as text that callers hand back and cannot read."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


def placed(text: str, kind: type[Place]) -> Place:
    """Return the place that a cursor stands for.

    Raises:
        RequestError: 400, the text is none of our cursors, or one of another list.
    """
    try:
        padded = text + "=" * (-len(text) % 4)
        packed = base64.b64decode(padded, altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(packed, type=kind)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise RequestError(400, "cursor: not a cursor") from None


class _Ranked(msgspec.Struct, frozen=True, array_like=True, tag="ranked"):
    """Where a page begins: at a rank, after `shown` rows of that rank."""

    rank: int
    shown: int


async def ranked_page(
    find: Find[Row],
    asked: str | None,
    size: int,
    rendered: Callable[[Row], bytes],
    *,
    first: str | None = None,
) -> Response:
    """Return a page of rows that come by their rank, greatest first; new ones do not shift it.

    `asked` is the cursor of the request, `first` what the first page is told to be.
    """
    begun = None if asked is None else placed(asked, _Ranked)
    shown_before = 0 if begun is None else begun.shown
    total, rows = await find(None if begun is None else begun.rank, shown_before + size + 1)
    if begun is not None:
        total = (await find(None, 0))[0]
        rows = rows[sum(rank == begun.rank for rank, _ in rows[:shown_before]) :]
    following = None
    if size > 0 and len(rows) > size:
        rank = rows[size][0]
        shown = sum(each == rank for each, _ in rows[:size])
        shown += shown_before if begun is not None and rank == begun.rank else 0
        following = cursor(_Ranked(rank, shown))
    found = [rendered(row) for _, row in rows[:size]]
    return page(found, previous=asked or first, following=following, total=total)
