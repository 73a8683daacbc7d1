"""Messages: stored once under an id that their source's id makes, replaced in place by edits.

Contract: sources §0.5. A message that is known already changes nothing, whoever sends it again. An
edit wins over the original in whatever order they come, and a newer edit over an older one.
"""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model import message as messages
from airy_ray.model.events import (
    EchoReceived,
    MessageDelivered,
    MessageFailed,
    MessageReceived,
    MessageReplaced,
    MessageSent,
    Place,
)
from airy_ray.model.ids import MessageId
from airy_ray.model.message import Message
from airy_ray.projections import changes, conversations, keys, metadata, receipts
from airy_ray.projections.view import Timer, View

ECHO_GRACE_MS = 3_000
"""How long an echo waits for the answer to the send that it may be of (sources §1.3)."""


class Effect(msgspec.Struct, frozen=True, gc=False):
    """What an event came to: a word for the ledger, and the message it made or changed."""

    verdict: str
    message_id: MessageId | None = None


IGNORED_DUPLICATE = Effect("duplicate")
IGNORED_STALE = Effect("older than what is stored")
IGNORED_OWN_ECHO = Effect("own echo")
IGNORED_UNKNOWN_MESSAGE = Effect("unknown message")


def receive(view: View, event: MessageReceived, at: Millis) -> Effect:
    """Store a message that its source says was written, unless it is known."""
    message = event.message
    if view.message_keys.get(message.id) is not None:
        return IGNORED_DUPLICATE
    if not message.from_contact and _sent_by_us(view, message) is not None:
        return IGNORED_OWN_ECHO
    _insert(view, event.place, message, at)
    return Effect("created", message.id)


def replace(view: View, event: MessageReplaced, at: Millis) -> Effect:
    """Replace what a message says, or remember the replacement of one that is still to come."""
    message = event.message
    known = _sent_by_us(view, message) or message.id
    key = view.message_keys.get(known)
    present = None if key is None else view.messages.get(key)
    if key is None or present is None:
        _insert(view, event.place, message, at)
        return Effect("created", message.id)
    if present.updated_at is not None and present.updated_at > (message.updated_at or 0):
        return IGNORED_STALE
    replaced = msgspec.structs.replace(
        present, content=message.content, updated_at=message.updated_at
    )
    if replaced == present:
        return IGNORED_DUPLICATE
    metadata.replace_message(view, key, replaced)
    changes.message_stored(view, replaced, messages.head(replaced))
    return Effect("updated", known)


def park_echo(view: View, event: EchoReceived, at: Millis) -> Effect:
    """Put an echo off for as long as the answer to our own send of it may take."""
    message = event.message
    if view.message_keys.get(message.id) is not None:
        return IGNORED_DUPLICATE
    if _sent_by_us(view, message) is not None:
        return IGNORED_OWN_ECHO
    key = keys.timer(Millis(at + ECHO_GRACE_MS), message.id)
    received = MessageReceived(event.place, message)
    view.timers.put(key, Timer(msgspec.msgpack.encode(received)))
    return Effect("parked", message.id)


def send(view: View, event: MessageSent, at: Millis) -> Effect:
    """Store a message of ours, to be delivered to its source."""
    message = event.message
    if view.message_keys.get(message.id) is not None:
        return IGNORED_DUPLICATE
    _insert(view, event.place, message, at)
    view.sends.put(message.id, event.place)
    return Effect("created", message.id)


def deliver(view: View, event: MessageDelivered, at: Millis) -> Effect:
    """Note that the source took a message of ours, and under which id it will speak of it."""
    key = view.message_keys.get(event.message_id)
    present = None if key is None else view.messages.get(key)
    if key is None or present is None:
        return IGNORED_UNKNOWN_MESSAGE
    view.sends.delete(present.id)
    delivered = msgspec.structs.replace(
        present,
        delivery_state="delivered",
        updated_at=event.at,
        source_message_id=event.source_message_id,
        metadata=metadata.with_source_id(present.metadata, event.source_message_id),
    )
    metadata.replace_message(view, key, delivered)
    changes.message_stored(view, delivered, messages.head(delivered))
    if event.source_message_id is not None:
        _index(view, delivered, event.source_message_id, at)
    return Effect("delivered", present.id)


def fail(view: View, event: MessageFailed, at: Millis) -> Effect:
    """Note that the source refused a message of ours, and why."""
    key = view.message_keys.get(event.message_id)
    present = None if key is None else view.messages.get(key)
    if key is None or present is None:
        return IGNORED_UNKNOWN_MESSAGE
    view.sends.delete(present.id)
    failed = msgspec.structs.replace(present, delivery_state="failed", updated_at=event.at)
    metadata.replace_message(view, key, failed)
    changes.message_stored(view, failed, messages.head(failed))
    reasons = {"error": json_text.quote(event.reason)}
    if event.answer is not None:
        reasons["source.error"] = json_text.quote(event.answer)
    metadata.describe_message(view, present.conversation_id, present.id, reasons, at)
    return Effect("failed", present.id)


def _insert(view: View, place: Place, message: Message, at: Millis) -> None:
    message = metadata.adopt_early(view, message)
    key = keys.message(message.conversation_id, message.sent_at, message.id)
    view.messages.put(key, message)
    view.message_keys.put(message.id, key)
    head = messages.head(message)
    changes.message_stored(view, message, head)
    conversations.add(view, place, message, head + message.metadata)
    if not message.from_contact:
        receipts.expect(view, message)
        if message.source_message_id is not None:
            receipts.apply_early(view, message, message.source_message_id, at)


def _index(view: View, message: Message, source_message_id: str, at: Millis) -> None:
    """Make a message of ours known under its source's id, and settle what came under it before."""
    view.source_ids.put(keys.source_id(message.channel_id, source_message_id), message.id)
    receipts.apply_early(view, message, source_message_id, at)


def _sent_by_us(view: View, message: Message) -> MessageId | None:
    if message.source_message_id is None:
        return None
    key = keys.source_id(message.channel_id, message.source_message_id)
    known = view.source_ids.get(key)
    return None if known is None else MessageId(known)
