"""Pages of a list (contract: platform API §1.3)."""

import base64
import binascii
from typing import TypeVar

import msgspec

from airy_ray.errors import RequestError
from airy_ray.model import json_text
from airy_ray.serve.http import Response


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


Place = TypeVar("Place", bound=msgspec.Struct)


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
