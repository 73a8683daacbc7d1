"""`conversations.*` (contract: platform API §7.1)."""

import re
from typing import Any

from pydantic import Field

from airy_ray.errors import ConversationNotFoundError, RequestError
from airy_ray.filters.query import Query
from airy_ray.filters.syntax import parse
from airy_ray.model import conversation
from airy_ray.model.commands import DescribeConversation, MarkRead
from airy_ray.model.conversation import Conversation
from airy_ray.model.ids import ConversationId, format_id
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, aliases
from airy_ray.serve.api.paging import page
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response

_INTEGER = re.compile(r"-?[0-9]{1,100}")


class ListConversations(Body):
    """Which page of which conversations."""

    filters: str | None = Field(
        None, description="Which ones, in the syntax of Lucene: `unread_count:[1 TO *]`."
    )
    cursor: str | None = Field(None, description="Offset of the page; `next_cursor` of the last.")
    page_size: int | None = 20


class OneConversation(Body):
    """Which conversation."""

    conversation_id: Id


class TaggedConversation(OneConversation):
    """Which conversation, which tag."""

    tag_id: Id


class ConversationState(OneConversation):
    """Which conversation, and how far it is."""

    state: str = Field(min_length=1)


class NamedContact(OneConversation):
    """Which conversation, and what its contact is called."""

    display_name: str = Field(min_length=1)


async def list_conversations(platform: Platform, _: Caller, asked: ListConversations) -> Response:
    """Return a page of conversations, all or filtered, by their last message, newest first."""
    offset = _offset(asked.cursor)
    size = min(asked.page_size or 0, platform.settings.limits.page_size)
    if asked.filters is not None:
        return await _filtered(platform, parse(asked.filters), offset, size)
    total = await platform.partitions.conversation_count()
    is_within = 0 <= offset < total
    rows = await platform.partitions.conversations(offset, size) if is_within else []
    following = str(offset + size) if rows and offset + size < total else None
    shown = [rendered(platform, row) for row in rows]
    return page(shown, previous=str(offset), following=following, total=total)


async def _filtered(platform: Platform, query: Query, offset: int, size: int) -> Response:
    start, wanted = (offset, max(size, 0)) if offset >= 0 else (0, 0)
    total, rows = await platform.partitions.filtered_conversations(query, start, wanted)
    following = str(offset + size) if wanted and offset + size < total else None
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
        **caller.signed(asked.conversation_id), conversation_id=format_id(asked.conversation_id)
    )
    return await platform.carry_out(command)


async def tag(platform: Platform, caller: Caller, asked: TaggedConversation) -> Response:
    """Put a tag to a conversation. Whether there is such a tag is not checked."""
    values = {f"tags.{format_id(asked.tag_id)}": ""}
    return await _describe(platform, caller, asked.conversation_id, values=values)


async def untag(platform: Platform, caller: Caller, asked: TaggedConversation) -> Response:
    """Take a tag from a conversation, if it has it."""
    removed = (f"tags.{format_id(asked.tag_id)}",)
    return await _describe(platform, caller, asked.conversation_id, removed=removed)


async def set_state(platform: Platform, caller: Caller, asked: ConversationState) -> Response:
    """Set the state of a conversation; user interfaces know `OPEN` and `CLOSED`."""
    values = {"state": asked.state}
    return await _describe(platform, caller, asked.conversation_id, values=values)


async def remove_state(platform: Platform, caller: Caller, asked: OneConversation) -> Response:
    """Leave a conversation without a state, which counts as `OPEN`."""
    return await _describe(platform, caller, asked.conversation_id, removed=("state",))


async def update_contact(platform: Platform, caller: Caller, asked: NamedContact) -> Response:
    """Set what a conversation calls its contact."""
    values = {"contact.display_name": asked.display_name}
    return await _describe(platform, caller, asked.conversation_id, values=values)


async def refetch(platform: Platform, caller: Caller, asked: OneConversation) -> Response:
    """Have the contact's profile fetched from its source again, where that can be asked."""
    removed = ("contact.fetch_state",)
    described = await _describe(platform, caller, asked.conversation_id, removed=removed)
    return Response(202) if described.status == 204 else described


async def _describe(
    platform: Platform,
    caller: Caller,
    identifier: bytes,
    *,
    values: dict[str, Any] | None = None,
    removed: tuple[str, ...] = (),
) -> Response:
    command = DescribeConversation(
        **caller.signed(identifier),
        conversation_id=format_id(identifier),
        values=values or {},
        removed=removed,
    )
    return await platform.carry_out(command)


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
    Endpoint(
        "/conversations.tag", tag, TaggedConversation, "Put a tag to a conversation", status=204
    ),
    Endpoint(
        "/conversations.untag",
        untag,
        TaggedConversation,
        "Take a tag from a conversation",
        status=204,
    ),
    *aliases(
        Endpoint(
            "/conversations.set-state",
            set_state,
            ConversationState,
            "Set a conversation's state",
            status=204,
        ),
        "/conversations.setState",
    ),
    *aliases(
        Endpoint(
            "/conversations.remove-state",
            remove_state,
            OneConversation,
            "Remove a conversation's state",
            status=204,
        ),
        "/conversations.removeState",
    ),
    *aliases(
        Endpoint(
            "/conversations.update-contact",
            update_contact,
            NamedContact,
            "Name a conversation's contact",
            status=204,
        ),
        "/conversations.updateContact",
    ),
    Endpoint(
        "/conversations.refetch",
        refetch,
        OneConversation,
        "Fetch a contact's profile again",
        status=202,
    ),
]
