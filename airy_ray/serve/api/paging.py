"""Pages of a list (contract: platform API §1.3)."""

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
