"""A message, and the JSON that clients read it as (contract: platform API §4.2)."""

from typing import Literal

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.ids import ChannelId, ConversationId, MessageId, format_id
from airy_ray.model.metadata import EMPTY_DOCUMENT

DeliveryState = Literal["pending", "failed", "delivered"]


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


def rendered(message: Message, *, with_metadata: bool = True) -> bytes:
    """Return a message as the API shows it; payloads built from it alone have null metadata."""
    metadata = message.metadata if with_metadata else b"null"
    return head(message) + metadata + sender(message.sender_id)


def head(message: Message) -> bytes:
    """Return the JSON of a message up to its metadata, which its readers add, and its sender."""
    return b"".join(
        (
            b'{"id":"',
            format_id(message.id).encode(),
            b'","content":',
            message.content,
            b',"sent_at":"',
            json_text.instant(message.sent_at).encode(),
            _STATE_AND_DIRECTION[message.delivery_state, message.from_contact],
            json_text.quote(message.source),
            b',"metadata":',
        )
    )


def sender(sender_id: str) -> bytes:
    """Return the end of a message's JSON. Names of users are the reader's to fill in."""
    return b',"sender":{"id":' + json_text.quote(sender_id) + b',"name":null,"avatar_url":null}}'


_STATE_AND_DIRECTION = {
    (state, from_contact): (
        f'","delivery_state":"{state}","from_contact":{str(from_contact).lower()},"source":'
    ).encode()
    for state in ("pending", "failed", "delivered")
    for from_contact in (True, False)
}
