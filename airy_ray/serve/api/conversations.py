"""`conversations.*` (contract: platform API §7.1)."""

import re

from pydantic import Field

from airy_ray.errors import ConversationNotFoundError, RequestError
from airy_ray.model import conversation
from airy_ray.model.commands import MarkRead
from airy_ray.model.conversation import Conversation
from airy_ray.model.ids import ConversationId, format_id, slot_of
from airy_ray.serve.api.endpoint import Body, Endpoint, Id
from airy_ray.serve.api.paging import page
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response

_INTEGER = re.compile(r"-?[0-9]{1,100}")


class ListConversations(Body):
    """Which page of which conversations."""

    filters: str | None = Field(None, description="Not supported yet: null.")
    cursor: str | None = Field(None, description="Offset of the page; `next_cursor` of the last.")
    page_size: int | None = 20


class OneConversation(Body):
    """Which conversation."""

    conversation_id: Id


async def list_conversations(platform: Platform, _: Caller, asked: ListConversations) -> Response:
    """Return a page of conversations, by their last message, newest first."""
    if asked.filters is not None:
        raise RequestError(400, "filters: not supported yet")
    offset = _offset(asked.cursor)
    size = min(asked.page_size or 0, platform.settings.limits.page_size)
    total = await platform.partitions.conversation_count()
    is_within = 0 <= offset < total
    rows = await platform.partitions.conversations(offset, size) if is_within else []
    following = str(offset + size) if rows and offset + size < total else None
    shown = [rendered(platform, row) for row in rows]
    return page(shown, previous=str(offset), following=following, total=total)


async def conversation_info(platform: Platform, _: Caller, asked: OneConversation) -> Response:
    """Return one conversation."""
    row = await platform.partitions.conversation(ConversationId(asked.conversation_id))
    if row is None:
        raise ConversationNotFoundError
    return Response(body=rendered(platform, row))


async def mark_read(platform: Platform, caller: Caller, asked: OneConversation) -> Response:
    """Mark all that the contact wrote until now as read."""
    command = MarkRead(
        id=format_id(caller.command_id(slot_of(asked.conversation_id))),
        principal=caller.principal,
        conversation_id=format_id(asked.conversation_id),
    )
    return Response((await platform.partitions.carry_out(command)).status)


def rendered(platform: Platform, row: Conversation) -> bytes:
    """Return a conversation's JSON, with its channel as the registry has it now."""
    return conversation.rendered(row, platform.machine.registry.rendered(row.channel_id))


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if _INTEGER.fullmatch(cursor) is None:
        raise RequestError(400, "cursor: not a cursor")
    return int(cursor)


ENDPOINTS = [
    Endpoint(
        "/conversations.list",
        list_conversations,
        ListConversations,
        "List conversations, newest last message first",
        may_be_empty=True,
    ),
    Endpoint("/conversations.info", conversation_info, OneConversation, "Get one conversation"),
    Endpoint(
        "/conversations.mark-read",
        mark_read,
        OneConversation,
        "Mark a conversation as read",
        status=204,
    ),
]
