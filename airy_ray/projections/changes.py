"""The change feed: what WebSocket clients hear of a change (contract: platform API §9)."""

from airy_ray.clock import Millis
from airy_ray.model import channel, json_text, message, tag, webhook
from airy_ray.model.channel import Channel
from airy_ray.model.ids import (
    ChannelId,
    ContactId,
    ConversationId,
    MessageId,
    format_busy_id,
    format_id,
)
from airy_ray.model.message import Message
from airy_ray.model.metadata import EMPTY_DOCUMENT, Namespace
from airy_ray.model.tag import Tag
from airy_ray.model.webhook import Webhook
from airy_ray.projections.view import Change, View

SILENT = b""
"""What clients hear of a change that is none to them."""

RECALLED = "message.recalled"
"""What the feed calls a message that came with its source's history."""


ERASED = "conversation.erased"
"""What the feed calls that a conversation was forgotten; all messages go with it."""


def message_stored(view: View, stored: Message, head: bytes) -> None:
    """Tell of a new message, or of a new version of one; `head` is its JSON up to its metadata."""
    if view.is_history:
        return
    if stored.updated_at is None:
        kind, at = "message.created", stored.sent_at
    else:
        kind, at = "message.updated", stored.updated_at
    event = message_event(kind, at, stored, head)
    view.emit(Change(kind, stored.conversation_id, stored.id, event))


def message_event(kind: str, at: Millis, stored: Message, head: bytes) -> bytes:
    """Return what clients hear of a message; `head` is its JSON up to its metadata."""
    return b"".join(
        (
            b'{"type":"',
            kind.encode(),
            b'","timestamp":%d,"payload":{"conversation_id":"' % at,
            format_busy_id(stored.conversation_id),
            b'","channel_id":"',
            format_busy_id(stored.channel_id),
            b'","message":',
            head,
            b"null",
            message.sender(stored.sender_id),
            b"}}",
        )
    )


def message_recalled(view: View, stored: Message) -> None:
    """Have the search index and who keeps files hear of a message that is news to nobody."""
    view.emit(Change(RECALLED, stored.conversation_id, stored.id, SILENT))


def metadata_stored(
    view: View,
    namespace: Namespace,
    identifier: bytes,
    document: bytes,
    at: Millis,
    *,
    conversation: ConversationId | None = None,
) -> None:
    """Tell the metadata of a subject as it is now; clients hear nothing of an empty document."""
    if view.is_history:
        return
    if document == EMPTY_DOCUMENT:
        if namespace == "conversation":  # the search index must hear that the last key is gone
            view.emit(Change("metadata.updated", conversation, None, SILENT))
        elif namespace == "message":
            message_id = MessageId(identifier)
            view.whisper(Change("metadata.updated", conversation, message_id, SILENT))
        return
    event = metadata_event(namespace, identifier, document, at)
    subject = MessageId(identifier) if namespace == "message" else None
    view.emit(Change("metadata.updated", conversation, subject, event))


def metadata_event(namespace: Namespace, identifier: bytes, document: bytes, at: Millis) -> bytes:
    """Return what clients hear of the metadata of a subject."""
    return b"".join(
        (
            b'{"type":"metadata.updated","timestamp":%d,"payload":{"subject":"' % at,
            namespace.encode(),
            b'","identifier":"',
            format_busy_id(identifier),
            b'","metadata":',
            document,
            b"}}",
        )
    )


def gone(
    kind: str,
    conversation: ConversationId,
    channel: ChannelId | None,
    at: Millis,
    *,
    message: MessageId | None = None,
) -> Change:
    """Return that a conversation, or a message of it, is not there any more.

    It names the channel, as far as that is known, for nobody can look up whose it was.
    """
    payload = {"conversation_id": format_id(conversation)}
    if channel is not None:
        payload["channel_id"] = format_id(channel)
    if message is not None:
        payload["message_id"] = format_id(message)
    event = json_text.encode({"type": kind, "timestamp": at, "payload": payload})
    return Change(kind, conversation, message, event)


def contact_stored(view: View, contact: ContactId) -> None:
    """Tell those who keep copies of rows that what is known of a contact is another now."""
    view.whisper(Change("contact.updated", None, None, SILENT, contact))


def conversation_passed(view: View, conversation: ConversationId) -> None:
    """Tell those who keep copies of rows that a conversation is another contact's now."""
    view.whisper(Change("conversation.passed", conversation, None, SILENT))


def channel_stored(view: View, stored: Channel) -> None:
    """Tell that a channel was connected, disconnected or connected again."""
    shown = channel.rendered(stored, with_metadata=False)
    event = b'{"type":"channel.updated","timestamp":null,"payload":%b}' % shown
    view.emit(Change("channel.updated", None, None, event))


def tag_stored(view: View, stored: Tag, at: Millis) -> None:
    """Tell that a tag was made or changed."""
    shown = tag.rendered(stored)
    event = b'{"type":"tag.updated","timestamp":%d,"payload":%b}' % (at, shown)
    view.emit(Change("tag.updated", None, None, event))


def webhook_disabled(view: View, disabled: Webhook, at: Millis) -> None:
    """Tell that the platform has unsubscribed a webhook; not its address, which may be secret."""
    payload = json_text.unshield(json_text.encode(webhook.about_disabled(disabled)))
    event = b'{"type":"webhook.disabled","timestamp":%d,"payload":%b}' % (at, payload)
    view.emit(Change("webhook.disabled", None, None, event))


def records_lost(view: View, first: int, last: int, at: Millis) -> None:
    """Tell that damage took records `first` to `last`, so that nobody takes the feed for whole."""
    payload = json_text.encode({"first_offset": first, "last_offset": last})
    event = b'{"type":"records.lost","timestamp":%d,"payload":%b}' % (at, payload)
    view.emit(Change("records.lost", None, None, event))
