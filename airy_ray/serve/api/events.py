"""What webhooks are called with when something happens (contract: §10.1), for the documentation."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from airy_ray.serve.api import examples
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.shapes import Channel, Document, Instant, Message, Shape

_AT = Field(description="When it happened: milliseconds since 1970.")


class PlacedMessage(Shape):
    """A message, and where it was written."""

    conversation_id: UUID
    channel_id: UUID
    message: Message


class ChangedConversation(Shape):
    """A conversation, with the id of its channel instead of that."""

    id: UUID
    created_at: Instant
    channel_id: UUID
    metadata: Document
    last_message: Message


class MessageCreated(Shape):
    """A message is new, or is sent once more after it failed. Its metadata is null."""

    model_config = example(
        type="message.created",
        payload={
            "conversation_id": examples.CONVERSATION_ID,
            "channel_id": examples.CHANNEL_ID,
            "message": examples.BARE_MESSAGE,
        },
        timestamp=examples.ASKED_AT_MS,
    )
    type: Literal["message.created"]
    payload: PlacedMessage
    timestamp: int = _AT


class MessageUpdated(Shape):
    """A message is new, or it or its metadata has changed."""

    model_config = example(
        type="message.updated",
        payload={
            "conversation_id": examples.CONVERSATION_ID,
            "channel_id": examples.CHANNEL_ID,
            "message": examples.SENT | {"delivery_state": "delivered"},
        },
        timestamp=examples.ANSWERED_AT_MS,
    )
    type: Literal["message.updated"]
    payload: PlacedMessage
    timestamp: int = _AT


class ConversationUpdated(Shape):
    """A message of a conversation, or the metadata of either, is new or has changed."""

    model_config = example(
        type="conversation.updated",
        payload={
            "id": examples.CONVERSATION_ID,
            "created_at": examples.ASKED_AT,
            "channel_id": examples.CHANNEL_ID,
            "metadata": examples.CONVERSATION["metadata"],
            "last_message": examples.MESSAGE,
        },
        timestamp=examples.ASKED_AT_MS,
    )
    type: Literal["conversation.updated"]
    payload: ChangedConversation
    timestamp: int = _AT


class ChannelUpdated(Shape):
    """A channel was connected or disconnected. Its metadata is null."""

    model_config = example(
        type="channel.updated",
        payload=examples.CHANNEL | {"metadata": None},
        timestamp=examples.ASKED_AT_MS,
    )
    type: Literal["channel.updated"]
    payload: Channel
    timestamp: int = _AT


class DisabledWebhook(Shape):
    """A webhook that is called no more, and why."""

    id: UUID
    name: str | None
    reason: str


class WebhookDisabled(Shape):
    """The platform has unsubscribed another webhook: it said 410, or failed for five days."""

    model_config = example(
        type="webhook.disabled",
        payload={
            "id": examples.WEBHOOK_ID,
            "name": "Reports",
            "reason": "all calls have failed for five days",
        },
        timestamp=examples.ASKED_AT_MS,
    )
    type: Literal["webhook.disabled"]
    payload: DisabledWebhook
    timestamp: int = _AT


EVENTS: dict[str, type[Shape]] = {
    "message.created": MessageCreated,
    "message.updated": MessageUpdated,
    "conversation.updated": ConversationUpdated,
    "channel.updated": ChannelUpdated,
    "webhook.disabled": WebhookDisabled,
}
"""The types of events that webhooks are called with; subscribing to others brings nothing."""
