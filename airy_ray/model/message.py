"""A message, and the JSON that clients read it as (contract: platform API §4.2)."""

from functools import lru_cache
from typing import Literal

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text, persistent_copies
from airy_ray.model.ids import ChannelId, ConversationId, MessageId, format_id
from airy_ray.model.metadata import EMPTY_DOCUMENT

DeliveryState = Literal["pending", "failed", "delivered"]

_RECALLED = "recalled"
"""The header of messages that came with a source's history."""


class Message(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One message as the state keeps it.

    Attributes:
        sender_id: for a contact's message what the source calls the contact, else the user or app.
        content: JSON text in the source's own form, never interpreted.
        updated_at: None while the message is as it was first stored, which is what makes it *new*.
        source_message_id: what its source calls it, once that is known.
        recipient_id: to whom we sent it, when the conversation does not say so.
        headers: `postback.payload` and the like, for those who build on the API.
        metadata: the document of its metadata as served.
    """

    id: MessageId
    conversation_id: ConversationId
    channel_id: ChannelId
    source: str
    sender_id: str
    content: bytes
    sent_at: Millis
    from_contact: bool
    delivery_state: DeliveryState = "delivered"
    source_message_id: str | None = None
    updated_at: Millis | None = None
    headers: dict[str, str] | None = None
    metadata: bytes = EMPTY_DOCUMENT
    recipient_id: str | None = None


def recalled(message: Message) -> Message:
    """Return a message marked as one that came with its source's history."""
    return msgspec.structs.replace(message, headers=(message.headers or {}) | {_RECALLED: "true"})


def is_recalled(message: Message) -> bool:
    """Whether a message came with its source's history, and so was never news."""
    return message.headers is not None and _RECALLED in message.headers


def rendered(
    message: Message, *, with_metadata: bool = True, known_sender: bytes | None = None
) -> bytes:
    """Return a message as the API shows it; payloads built from it alone have null metadata.

    `known_sender` is its end, if a user of the directory sent it.
    """
    metadata = message.metadata if with_metadata else b"null"
    return head(message) + metadata + (known_sender or sender(message.sender_id))


def head(message: Message) -> bytes:
    """Return the JSON of a message up to its metadata, which its readers add, and its sender."""
    return b"".join(
        (
            b'{"id":"',
            format_id(message.id).encode(),
            b'","content":',
            persistent_copies.shown(message.content, message.metadata),
            b',"sent_at":"',
            json_text.instant(message.sent_at).encode(),
            _middle(message.delivery_state, message.from_contact, message.source),
        )
    )


def sender(sender_id: str, name: str | None = None, avatar_url: str | None = None) -> bytes:
    """Return the end of a message's JSON. Names of users are the reader's to fill in."""
    return b',"sender":{"id":%b,"name":%b,"avatar_url":%b}}' % (
        json_text.quote(sender_id),
        b"null" if name is None else json_text.quote(name),
        b"null" if avatar_url is None else json_text.quote(avatar_url),
    )


@lru_cache(maxsize=256)
def _middle(state: DeliveryState, from_contact: bool, source: str) -> bytes:
    return b'","delivery_state":%b,"from_contact":%b,"source":%b,"metadata":' % (
        json_text.encode(state),
        json_text.encode(from_contact),
        json_text.quote(source),
    )
