"""A conversation, and the JSON that clients read it as (contract: platform API §4.3).

What the registry owns, the channel, is not in the stored row: the reader splices it in.
"""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text, message
from airy_ray.model.ids import ChannelId, ConversationId, MessageId, format_id
from airy_ray.model.metadata import EMPTY_DOCUMENT


class Conversation(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One conversation as the state keeps it.

    Attributes:
        source_conversation_id: whom we write to: what the source calls the contact or the chat.
        created_at: `sent_at` of the first message that was projected; never changes.
        unread_count: contact messages that nobody has read; None until it was ever counted.
        display_name: the contact's name if one was given; without, readers show a default.
        metadata: the document as stored: without unread count and default name.
        last_message: JSON of the newest message up to its sender.
        message_count: how many messages it holds.
        last_inbound_at: when the contact last wrote, which opens a window for answers.
        is_contactless: whether its contact was deleted; the next message brings it one again.
        erased_at: until when it was erased, of one that began anew after that.
        is_with_people: whether bots are to keep out of it.
    """

    id: ConversationId
    channel_id: ChannelId
    source: str
    source_conversation_id: str
    created_at: Millis
    unread_count: int | None
    display_name: str | None
    metadata: bytes
    last_message_id: MessageId
    last_message_at: Millis
    last_sender_id: str
    last_message: bytes
    message_count: int = 1
    last_inbound_at: Millis | None = None
    is_contactless: bool = False
    erased_at: Millis | None = None
    is_with_people: bool = False


def default_name(source: str, conversation: ConversationId) -> str:
    """Return the name of a contact who told none: `Facebook 1a2b3`, `Sms 1a2b3`."""
    kind = source.rpartition(".")[2]
    return f"{kind[:1].upper()}{kind[1:]} {format_id(conversation)[-5:]}"


def rendered(
    conversation: Conversation, channel: bytes, known_sender: bytes | None = None
) -> bytes:
    """Return a conversation as the API shows it, with the JSON of its channel.

    `known_sender` is the end of its last message, if a user of the directory sent that.
    """
    return b"".join(
        (
            b'{"id":"',
            format_id(conversation.id).encode(),
            b'","created_at":"',
            json_text.instant(conversation.created_at).encode(),
            b'","channel":',
            channel,
            b',"metadata":',
            served_metadata(conversation),
            b',"last_message":',
            conversation.last_message,
            known_sender or message.sender(conversation.last_sender_id),
            b"}",
        )
    )


class _Direction(msgspec.Struct):
    from_contact: bool


_direction_decoder = msgspec.json.Decoder(_Direction)


def is_last_from_contact(conversation: Conversation) -> bool:
    """Whether the contact wrote the last message. Takes parsing it; ask only when it matters."""
    return json_text.decode_with(_direction_decoder, conversation.last_message + b"}").from_contact


def served_metadata(conversation: Conversation) -> bytes:
    """Return the document that the API shows: always with a display name and an unread count."""
    document = conversation.metadata
    if conversation.display_name is None:
        document = _with_default_name(conversation)
    count = b"0" if conversation.unread_count is None else b"%d.0" % conversation.unread_count
    return document[:-1] + b',"unread_count":' + count + b"}"


def counted_metadata(metadata: bytes, unread_count: int) -> bytes:
    """Return the document that events show: as stored, with the unread count."""
    comma = b"" if metadata == EMPTY_DOCUMENT else b","
    return b'%s%s"unread_count":%d.0}' % (metadata[:-1], comma, unread_count)


def _with_default_name(conversation: Conversation) -> bytes:
    name = default_name(conversation.source, conversation.id)
    if conversation.metadata == EMPTY_DOCUMENT:
        return b'{"contact":{"display_name":' + json_text.quote(name) + b"}}"
    document = json_text.decode(conversation.metadata)
    contact = document.get("contact")
    named = {"display_name": name} | (contact if isinstance(contact, dict) else {})
    return json_text.unshield(json_text.encode(document | {"contact": named}))
