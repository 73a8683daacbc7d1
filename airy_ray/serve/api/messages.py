"""`messages.*` (contract: platform API §7.2)."""

from airy_ray.errors import ConversationNotFoundError, RequestError
from airy_ray.model import message
from airy_ray.model.ids import ConversationId, MessageId, format_id, parse_id
from airy_ray.model.message import Message
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, OptionalText
from airy_ray.serve.api.paging import page
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response

_PAGE_SIZE = 10
"""The size of a page when a size of zero or less is asked for."""


class ListMessages(Body):
    """Which page of whose messages."""

    conversation_id: Id
    cursor: OptionalText = None
    page_size: int | None = 20


async def list_messages(platform: Platform, _: Caller, asked: ListMessages) -> Response:
    """Return a page of a conversation's messages, newest first."""
    identifier = ConversationId(asked.conversation_id)
    conversation = await platform.partitions.conversation(identifier)
    if conversation is None:
        raise ConversationNotFoundError
    size = asked.page_size if asked.page_size and asked.page_size > 0 else _PAGE_SIZE
    size = min(size, platform.settings.limits.page_size)
    total = conversation.message_count
    cursor = asked.cursor.strip() if asked.cursor and total > size else ""
    start = await _start(platform, identifier, cursor) if cursor else None
    rows = await platform.partitions.messages(identifier, start, size + 1)
    shown = [message.rendered(row) for row in rows[:size]]
    following = format_id(rows[size].id) if len(rows) > size else None
    return page(shown, previous=cursor or None, following=following, total=total)


async def all_messages(platform: Platform, identifier: ConversationId) -> list[Message]:
    """Return the messages of a conversation, oldest first; of very many the newest."""
    rows = await platform.partitions.messages(identifier, None, platform.settings.limits.page_size)
    return rows[::-1]


async def _start(platform: Platform, conversation: ConversationId, cursor: str) -> bytes:
    """Return the key of the message that a page begins with."""
    try:
        key = await platform.partitions.message_key(MessageId(parse_id(cursor)))
    except ValueError:
        key = None
    if key is None or not key.startswith(conversation):
        raise RequestError(400, "cursor: no message of this conversation")
    return key


ENDPOINTS = [
    Endpoint(
        "/messages.list",
        list_messages,
        ListMessages,
        "List a conversation's messages, newest first",
    ),
]
