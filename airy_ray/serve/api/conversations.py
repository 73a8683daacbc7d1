"""`conversations.*` (contract: platform API §7.1)."""

import re
from typing import Any

import msgspec
from pydantic import Field

from airy_ray.cluster.partitions import Ranked
from airy_ray.errors import ConversationNotFoundError, RequestError
from airy_ray.filters.query import Combined, Numbers, Query, Word
from airy_ray.filters.syntax import parse
from airy_ray.model import conversation
from airy_ray.model.commands import DescribeConversation, MarkRead
from airy_ray.model.conversation import Conversation
from airy_ray.model.ids import ConversationId, format_id
from airy_ray.serve.api import examples, shapes
from airy_ray.serve.api import reach as reaches
from airy_ray.serve.api.callers import Reach
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, OptionalText, aliases
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import cursor, page, placed, ranked_page
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response

_INTEGER = re.compile(r"-?[0-9]{1,100}")


class ListConversations(Body):
    """Which page of which conversations."""

    model_config = example(filters="unread_count:[1 TO *]", page_size=50)
    filters: str | None = Field(
        None, description="Which ones, in the syntax of Lucene: `unread_count:[1 TO *]`."
    )
    cursor: OptionalText = Field(
        None,
        description="`next_cursor` of the page before; or an offset, which does not hold still.",
    )
    page_size: int | None = 20


class OneConversation(Body):
    """Which conversation."""

    model_config = example(conversation_id=examples.CONVERSATION_ID)
    conversation_id: Id


class TaggedConversation(OneConversation):
    """Which conversation, which tag."""

    model_config = example(conversation_id=examples.CONVERSATION_ID, tag_id=examples.TAG_ID)
    tag_id: Id


class ConversationState(OneConversation):
    """Which conversation, and how far it is."""

    model_config = example(conversation_id=examples.CONVERSATION_ID, state="CLOSED")
    state: str = Field(min_length=1)


class NamedContact(OneConversation):
    """Which conversation, and what its contact is called."""

    model_config = example(conversation_id=examples.CONVERSATION_ID, display_name="Ada")
    display_name: str = Field(min_length=1)


async def list_conversations(
    platform: Platform, caller: Caller, asked: ListConversations
) -> Response:
    """Return a page of conversations, all or filtered, by their last message, newest first."""
    size = max(0, min(asked.page_size or 0, platform.settings.limits.page_size))
    reach = caller.grant.reach
    if asked.filters is not None:
        query = parse(asked.filters)
        if reach is not None:
            query = Combined(must=(query, _within(platform, reach)))
        return await _filtered(platform, query, asked.cursor, size)
    if reach is not None:
        return await _list_within(platform, reach, _offset(asked.cursor), size)
    total = await platform.partitions.conversation_count()
    if asked.cursor is not None and _INTEGER.fullmatch(asked.cursor):
        return await _page_at(platform, int(asked.cursor), size, total)
    return await _page_of_walk(platform, asked.cursor, size, total)


class _WalkedTo(msgspec.Struct, frozen=True, array_like=True, tag="conversations"):
    """How far the list has been walked: where the feeds were when that began, the last key."""

    since: list[int]
    key: bytes


async def _page_at(platform: Platform, offset: int, size: int, total: int) -> Response:
    is_within = 0 <= offset < total
    rows = await platform.partitions.conversations(offset, size) if is_within else []
    following = str(offset + size) if rows and offset + size < total else None
    shown = [rendered(platform, row) for row in rows]
    return page(shown, previous=str(offset), following=following, total=total)


async def _page_of_walk(platform: Platform, asked: str | None, size: int, total: int) -> Response:
    if asked is None:
        rows, since = await platform.partitions.begin_walk(size + 1)
    else:
        walked = placed(asked, _WalkedTo)
        since = walked.since
        rows = await platform.partitions.walk_on(since, walked.key, size + 1)
    shown = [rendered(platform, row) for _, row in rows[:size]]
    following = None
    if shown and len(rows) > size:
        following = cursor(_WalkedTo(since, rows[size - 1][0]))
    return page(shown, previous=asked or "0", following=following, total=total)


async def _list_within(platform: Platform, reach: Reach, offset: int, size: int) -> Response:
    """Return a page of the conversations within reach; takes looking at all there are."""
    channels = reaches.channels_within(platform, reach)
    rows, total = await platform.partitions.conversations_on(channels, max(offset, 0), size)
    if offset < 0:
        rows = []
    following = str(offset + size) if rows and offset + size < total else None
    shown = [rendered(platform, row) for row in rows]
    return page(shown, previous=str(offset), following=following, total=total)


def _within(platform: Platform, reach: Reach) -> Query:
    """Return a filter for what is within reach of a limited token."""
    channels = reaches.channels_within(platform, reach)
    return Combined(should=tuple(Word("channel_id", format_id(each)) for each in sorted(channels)))


async def _filtered(platform: Platform, query: Query, asked: str | None, size: int) -> Response:
    if asked is not None and _INTEGER.fullmatch(asked):
        offset = int(asked)
        start, wanted = (offset, size) if offset >= 0 else (0, 0)
        total, rows = await platform.partitions.filtered_conversations(query, start, wanted)
        following = str(offset + size) if wanted and offset + size < total else None
        shown = [rendered(platform, row) for _, row in rows]
        return page(shown, previous=asked, following=following, total=total)

    async def find(until: int | None, limit: int) -> tuple[int, Ranked[Conversation]]:
        older = Numbers("last_message_at", None, until)
        wanted = query if until is None else Combined(must=(query, older))
        return await platform.partitions.filtered_conversations(wanted, 0, limit)

    return await ranked_page(find, asked, size, lambda row: rendered(platform, row), first="0")


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if _INTEGER.fullmatch(cursor) is None:
        raise RequestError(400, "cursor: not a cursor")
    return int(cursor)


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
    """Return a conversation's JSON, with its channel and users as the registry has them now."""
    registry = platform.machine.registry
    sender = registry.sender(row.last_sender_id)
    if sender is not None and conversation.is_last_from_contact(row):
        sender = None  # some sources let contacts choose their ids
    return conversation.rendered(row, registry.rendered(row.channel_id), sender)


ENDPOINTS = [
    Endpoint(
        "/conversations.list",
        list_conversations,
        ListConversations,
        "List conversations, newest last message first",
        shapes.Page[shapes.Conversation],
        examples={200: examples.page(examples.CONVERSATION, previous="0")},
        may_be_empty=True,
    ),
    Endpoint(
        "/conversations.info",
        conversation_info,
        OneConversation,
        "Get one conversation",
        shapes.Conversation,
        failures=(404,),
    ),
    Endpoint(
        "/conversations.mark-read",
        mark_read,
        OneConversation,
        "Mark a conversation as read",
        status=204,
    ),
    Endpoint(
        "/conversations.tag",
        tag,
        TaggedConversation,
        "Put a tag to a conversation",
        status=204,
        failures=(404,),
    ),
    Endpoint(
        "/conversations.untag",
        untag,
        TaggedConversation,
        "Take a tag from a conversation",
        status=204,
        failures=(404,),
    ),
    *aliases(
        Endpoint(
            "/conversations.set-state",
            set_state,
            ConversationState,
            "Set a conversation's state",
            status=204,
            failures=(404,),
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
            failures=(404,),
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
            failures=(404,),
        ),
        "/conversations.updateContact",
    ),
    Endpoint(
        "/conversations.refetch",
        refetch,
        OneConversation,
        "Fetch a contact's profile again",
        status=202,
        failures=(404,),
    ),
]
