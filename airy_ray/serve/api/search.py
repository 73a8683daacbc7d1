"""`messages.search`: full text, beyond the contract."""

from dataclasses import replace

from pydantic import Field

from airy_ray.cluster.partitions import Ranked
from airy_ray.errors import RequestError
from airy_ray.filters.fulltext import FullText, full_text, snippet
from airy_ray.model import json_text, message
from airy_ray.model.ids import ConversationId, format_id
from airy_ray.model.message import Message
from airy_ray.serve.api import shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, OptionalId, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import ranked_page, size_of
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.state.search.documents import text_of

_PAGE_SIZE_MAX = 1_000


class SearchMessages(Body):
    """What to look for, and which page of it."""

    model_config = example(query="ship icel")
    query: str = Field(
        max_length=1_000, description="Words, all of which must occur; of the last the beginning."
    )
    conversation_id: OptionalId = Field(None, description="The only conversation to look in.")
    cursor: OptionalText = None
    page_size: int | None = 20


async def search(platform: Platform, _: Caller, asked: SearchMessages) -> Response:
    """Return a page of the messages that hold some words, newest first, with where they do."""
    within = None if asked.conversation_id is None else ConversationId(asked.conversation_id)
    wanted = full_text(asked.query, conversation=within)
    if wanted is None:
        raise RequestError(400, "query: has no word to look for")
    size = size_of(asked.page_size, limit=_PAGE_SIZE_MAX)

    async def find(until: int | None, limit: int) -> tuple[int, Ranked[Message]]:
        older = replace(wanted, until=until)
        return await platform.partitions.found_messages(older, limit)

    return await ranked_page(find, asked.cursor, size, lambda row: _rendered(row, wanted))


def _rendered(row: Message, wanted: FullText) -> bytes:
    return b'{"message":%b,"conversation_id":"%b","snippet":%b}' % (
        message.rendered(row),
        format_id(row.conversation_id).encode(),
        json_text.quote(snippet(text_of(row), wanted)),
    )


ENDPOINTS = [
    Endpoint(
        "/messages.search",
        search,
        SearchMessages,
        "Find messages by their words",
        shapes.Page[shapes.FoundMessage],
    ),
]
