"""`messages.*` (contract: platform API §7.2)."""

import msgspec
from pydantic import Field

from airy_ray.errors import ConversationNotFoundError, RequestError
from airy_ray.model import commands, json_text, message
from airy_ray.model.conversation import Conversation
from airy_ray.model.custom_source import conversation_id
from airy_ray.model.ids import (
    ChannelId,
    ConversationId,
    MessageId,
    format_id,
    parse_id,
)
from airy_ray.model.message import Message
from airy_ray.serve.api import examples, shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, OptionalId, OptionalText, aliases
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import page, size_of
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.sources import whatsapp

_NO_RECIPIENT = "conversation_id, or channel_id and source_recipient_id, is required"


class ListMessages(Body):
    """Which page of whose messages."""

    model_config = example(conversation_id=examples.CONVERSATION_ID, page_size=50)
    conversation_id: Id
    cursor: OptionalText = None
    page_size: int | None = 20


class SendMessage(Body):
    """What to write, and to whom: a conversation, or somebody on a channel."""

    model_config = example(conversation_id=examples.CONVERSATION_ID, message=examples.ANSWER)
    message: object = Field(description="Any JSON but null, in the source's own form.")
    conversation_id: OptionalId = None
    channel_id: OptionalId = Field(None, description="With `source_recipient_id`.")
    source_recipient_id: OptionalText = Field(None, description="Whom the source writes to.")


class OneMessage(Body):
    """Which message."""

    model_config = example(message_id=examples.SENT_ID)
    message_id: Id


class Suggestion(Body):
    """One proposed answer."""

    content: object = Field(None, description="What a message would hold.")


class SuggestReplies(Body):
    """Proposed answers to a message, each under an id of the caller's."""

    model_config = example(message_id=examples.MESSAGE_ID, suggestions=examples.SUGGESTIONS)
    message_id: Id
    suggestions: dict[str, Suggestion] | None = None


async def list_messages(platform: Platform, _: Caller, asked: ListMessages) -> Response:
    """Return a page of a conversation's messages, newest first."""
    identifier = ConversationId(asked.conversation_id)
    conversation = await platform.partitions.conversation(identifier)
    if conversation is None:
        raise ConversationNotFoundError
    return await message_page(platform, conversation, asked.cursor, asked.page_size)


async def message_page(
    platform: Platform,
    conversation: Conversation,
    asked_cursor: str | None,
    page_size: int | None,
    *,
    with_metadata: bool = True,
) -> Response:
    """Return a page of a conversation's messages, newest first (§1.3)."""
    size = size_of(page_size, limit=platform.settings.limits.page_size)
    total = conversation.message_count
    cursor = asked_cursor.strip() if asked_cursor and total > size else ""
    start = await _start(platform, conversation.id, cursor) if cursor else None
    rows = await platform.partitions.messages(conversation.id, start, size + 1)
    shown = [
        message.rendered(row, with_metadata=with_metadata, known_sender=_sender(platform, row))
        for row in rows[:size]
    ]
    following = format_id(rows[size].id) if len(rows) > size else None
    return page(shown, previous=cursor or None, following=following, total=total)


async def send(platform: Platform, caller: Caller, asked: SendMessage) -> Response:
    """Send a message to a contact: in a conversation, or as the first of one on a channel.

    It is `pending` until its source has taken it (`delivered`) or has not (`failed`, with the
    reason in the metadata `error`), within 300 seconds. To a conversation that is not known yet it
    is sent once that appears within 30 seconds (202); else its metadata tells the `error`.
    """
    if asked.message is None:
        raise RequestError(400, "message: is required")
    written = message_text(caller.body)
    if asked.conversation_id is not None:
        identifier = ConversationId(asked.conversation_id)
        await _check_connected(platform, identifier)
        command = commands.SendMessage(
            **caller.signed(identifier), conversation_id=format_id(identifier), message=written
        )
        return await platform.carry_out(command)
    if asked.channel_id is None or not asked.source_recipient_id:
        raise RequestError(400, _NO_RECIPIENT)
    channel = platform.machine.registry.channel(ChannelId(asked.channel_id))
    if channel is None or not channel.connected:
        raise RequestError(403)
    recipient = asked.source_recipient_id
    if channel.source == whatsapp.Whatsapp.hook:  # as its answer will name the contact
        recipient = whatsapp.contact_of(recipient)
    identifier = conversation_id(channel.source, channel.id, recipient)
    command = commands.SendMessage(
        **caller.signed(identifier),
        conversation_id=format_id(identifier),
        message=written,
        channel_id=format_id(channel.id),
        source=channel.source,
        recipient_id=recipient,
    )
    return await platform.carry_out(command)


async def resend(platform: Platform, caller: Caller, asked: OneMessage) -> Response:
    """Send a message that failed once more."""
    command = commands.ResendMessage(
        **caller.signed(asked.message_id), message_id=format_id(asked.message_id)
    )
    return await platform.carry_out(command)


async def suggest_replies(platform: Platform, caller: Caller, asked: SuggestReplies) -> Response:
    """Propose answers to a message; those proposed before stay."""
    suggestions = {
        name: suggestion.content for name, suggestion in (asked.suggestions or {}).items()
    }
    command = commands.SuggestReplies(
        **caller.signed(asked.message_id),
        message_id=format_id(asked.message_id),
        suggestions=suggestions,
    )
    return await platform.carry_out(command)


def message_text(body: bytes) -> msgspec.Raw:
    """Return the `message` in a body as it was written."""
    return json_text.decode_with(_sent_decoder, body).message


class _Sent(msgspec.Struct):
    message: msgspec.Raw


_sent_decoder = msgspec.json.Decoder(_Sent)


async def _check_connected(platform: Platform, identifier: ConversationId) -> None:
    """Refuse to send on a channel that is disconnected; the registry knows it first."""
    known = await platform.partitions.conversation(identifier)
    if known is None:
        return
    channel = platform.machine.registry.channel(known.channel_id)
    if channel is None or not channel.connected:
        raise RequestError(403)


def _sender(platform: Platform, row: Message) -> bytes | None:
    return None if row.from_contact else platform.machine.registry.sender(row.sender_id)


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
        shapes.Page[shapes.Message],
        failures=(404,),
    ),
    Endpoint(
        "/messages.send",
        send,
        SendMessage,
        "Send a message",
        shapes.Message,
        examples={200: examples.SENT, 202: examples.SENT | {"source": ""}},
        also_answers={202: "It waits for its conversation to appear."},
        failures=(403,),
    ),
    Endpoint(
        "/messages.resend",
        resend,
        OneMessage,
        "Send a failed message once more",
        failures=(404, 409),
    ),
    *aliases(
        Endpoint(
            "/messages.suggest-replies",
            suggest_replies,
            SuggestReplies,
            "Propose answers to a message",
            shapes.Message,
            examples={200: examples.MESSAGE | {"metadata": {"suggestions": examples.SUGGESTIONS}}},
            failures=(404,),
        ),
        "/messages.suggestReplies",
    ),
]
