"""`messages.search`: full text, beyond the contract."""

import re
from typing import NamedTuple

from pydantic import Field

from airy_ray.errors import RequestError
from airy_ray.filters.fulltext import FullText, full_text, snippet
from airy_ray.model import json_text, message
from airy_ray.model.ids import ConversationId, format_id
from airy_ray.model.message import Message
from airy_ray.serve.api.endpoint import Body, Endpoint, OptionalId, OptionalText
from airy_ray.serve.api.paging import page
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.state.search.documents import text_of

_CURSOR = re.compile(r"(-?[0-9a-f]{1,16})\.([0-9]{1,6})")
_PAGE_SIZE = 10
"""The size of a page when a size of zero or less is asked for."""
_PAGE_SIZE_MAX = 1_000


class SearchMessages(Body):
    """What to look for, and which page of it."""

    query: str = Field(
        max_length=1_000, description="Words, all of which must occur; of the last the beginning."
    )
    conversation_id: OptionalId = Field(None, description="The only conversation to look in.")
    cursor: OptionalText = None
    page_size: int | None = 20


class _Cursor(NamedTuple):
    """Where a page begins: at a rank, after `shown` messages of that rank."""

    rank: int
    shown: int


async def search(platform: Platform, _: Caller, asked: SearchMessages) -> Response:
    """Return a page of the messages that hold some words, newest first, with where they do."""
    within = None if asked.conversation_id is None else ConversationId(asked.conversation_id)
    cursor = _cursor(asked.cursor)
    until = None if cursor is None else cursor.rank
    wanted = full_text(asked.query, conversation=within, until=until)
    if wanted is None:
        raise RequestError(400, "query: has no word to look for")
    size = asked.page_size if asked.page_size and asked.page_size > 0 else _PAGE_SIZE
    size = min(size, _PAGE_SIZE_MAX)
    shown_before = 0 if cursor is None else cursor.shown
    total, rows = await platform.partitions.found_messages(wanted, shown_before + size + 1)
    if cursor is not None:
        everything = full_text(asked.query, conversation=within)
        assert everything is not None  # there was a word
        total = (await platform.partitions.found_messages(everything, 0))[0]
        rows = rows[sum(rank == cursor.rank for rank, _ in rows[:shown_before]) :]
    following = None
    if len(rows) > size:
        rank = rows[size][0]
        shown = sum(each == rank for each, _ in rows[:size])
        shown += shown_before if cursor is not None and rank == cursor.rank else 0
        following = f"{rank:x}.{shown}"
    found = [_rendered(row, wanted) for _, row in rows[:size]]
    return page(found, previous=asked.cursor, following=following, total=total)


def _rendered(row: Message, wanted: FullText) -> bytes:
    return b'{"message":%b,"conversation_id":"%b","snippet":%b}' % (
        message.rendered(row),
        format_id(row.conversation_id).encode(),
        json_text.quote(snippet(text_of(row), wanted)),
    )


def _cursor(text: str | None) -> _Cursor | None:
    if text is None:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None or abs(rank := int(found[1], 16)) >= 1 << 63:
        raise RequestError(400, "cursor: not a cursor")
    return _Cursor(rank, int(found[2]))


ENDPOINTS = [
    Endpoint("/messages.search", search, SearchMessages, "Find messages by their words"),
]
