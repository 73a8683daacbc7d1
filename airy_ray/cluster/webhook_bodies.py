"""What webhooks are called with (contract: platform API §10.1): read from the rows as they are."""

from typing import NamedTuple

from airy_ray.model import channel, conversation, json_text, message, webhook
from airy_ray.model.ids import ChannelId, ConversationId, MessageId, format_busy_id, format_id
from airy_ray.publishing.events import Event
from airy_ray.state.queries import Reading


class Told(NamedTuple):
    """The JSON of an event.

    Attributes:
        erasure: what `erasure_of` says of its lane.
    """

    body: bytes
    erasure: int | None


def told_of(view: Reading, event: Event) -> Told | None:
    """Return the JSON of an event; None if what it is about is gone. A question for `ask`."""
    body = body_of(view, event)
    return None if body is None else Told(body, erasure_of(view, event.lane))


def erasure_of(view: Reading, lane: bytes) -> int | None:
    """Return the offset at which a conversation was erased last; it is another after each time."""
    tombstone = view.tombstone(lane)
    return None if tombstone is None else tombstone.offset


def body_of(view: Reading, event: Event) -> bytes | None:
    """Return the JSON of an event; None if what it is about is gone."""
    at, payload = int(event.at), None
    match event.kind:
        case "message.created" | "message.updated" | "message.corrected":
            stored = view.message(MessageId(event.subject))
            if stored is not None:
                at = max(at, stored.sent_at if stored.updated_at is None else stored.updated_at)
                payload = _message(stored, is_new=event.kind == "message.created")
                at = stored.sent_at if event.kind == "message.created" else at
        case "conversation.updated" | "conversation.corrected":
            found = view.conversation(ConversationId(event.subject))
            if found is not None:
                at = max(at, found.last_message_at)
                payload = _conversation(found)
        case "channel.updated":
            connected = view.channel(ChannelId(event.subject))
            if connected is not None:
                payload = channel.rendered(connected, with_metadata=False)
        case "webhook.disabled":
            disabled = view.webhook(event.subject)
            if disabled is not None:
                payload = json_text.unshield(json_text.encode(webhook.about_disabled(disabled)))
        case "webhook.test":
            payload = json_text.encode({"id": format_id(event.subject)})
    if payload is None:
        return None
    return b'{"type":"%b","timestamp":%d,"payload":%b}' % (event.kind.encode(), at, payload)


def _message(stored: message.Message, *, is_new: bool) -> bytes:
    return b'{"conversation_id":"%b","channel_id":"%b","message":%b}' % (
        format_busy_id(stored.conversation_id),
        format_busy_id(stored.channel_id),
        message.rendered(stored, with_metadata=not is_new),
    )


def _conversation(found: conversation.Conversation) -> bytes:
    return b'{"id":"%b","created_at":"%b","channel_id":"%b","metadata":%b,"last_message":%b%b}' % (
        format_busy_id(found.id),
        json_text.instant(found.created_at).encode(),
        format_busy_id(found.channel_id),
        conversation.served_metadata(found),
        found.last_message,
        message.sender(found.last_sender_id),
    )
