"""Messages: stored once under an id that their source's id makes, replaced in place by edits.

Contract: sources §0.5. A message that is known already changes nothing, whoever sends it again. An
edit wins over the original in whatever order they come, and a newer edit over an older one.
"""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model import message as messages
from airy_ray.model.events import (
    DeliveryAttempted,
    DeliveryPutOff,
    EchoReceived,
    FailureReceived,
    HoldExpired,
    MessageDelivered,
    MessageFailed,
    MessageRecalled,
    MessageReceived,
    MessageReplaced,
    MessageSent,
    Place,
)
from airy_ray.model.ids import ConversationId, MessageId
from airy_ray.model.message import Message
from airy_ray.projections import (
    changes,
    conversations,
    keys,
    linked_contacts,
    metadata,
    receipts,
    tombstones,
)
from airy_ray.projections.view import Dispatch, Held, Timer, View

HOLD_MS = 30_000
"""How long a message of ours waits for its conversation to appear (contract: §7.2)."""
HELD_MAX = 100
"""How many messages wait for one conversation."""
_CHATPLUGIN = "chatplugin"

ECHO_GRACE_MS = 3_000
"""How long an echo waits for the answer to the send that it may be of (sources §1.3)."""


IN_DOUBT_MS = 3_600_000
"""How old a message of our side is that cannot be one which we are just sending."""


class Effect(msgspec.Struct, frozen=True, gc=False):
    """What an event came to: a word for the ledger, and the message it made or changed."""

    verdict: str
    message_id: MessageId | None = None


IGNORED_DUPLICATE = Effect("duplicate")
IGNORED_STALE = Effect("older than what is stored")
IGNORED_OWN_ECHO = Effect("own echo")
IGNORED_UNKNOWN_MESSAGE = Effect("unknown message")
IGNORED_ERASED = Effect("erased")
IGNORED_ATTEMPT = Effect("another attempt")


def receive(view: View, event: MessageReceived, at: Millis) -> Effect:
    """Store a message that its source says was written, unless it is known."""
    message = event.message
    if view.message_keys.get(message.id) is not None:
        return IGNORED_DUPLICATE
    if not message.from_contact and _sent_by_us(view, message) is not None:
        return IGNORED_OWN_ECHO
    return _insert(view, event.place, message, at)


def replace(view: View, event: MessageReplaced, at: Millis) -> Effect:
    """Replace what a message says, or remember the replacement of one that is still to come."""
    message = event.message
    known = _sent_by_us(view, message) or message.id
    key = view.message_keys.get(known)
    present = None if key is None else view.messages.get(key)
    if key is None or present is None:
        return _insert(view, event.place, message, at)
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


def recall(view: View, event: MessageRecalled, at: Millis) -> Effect:
    """Store a message of the past, unless it is known."""
    message = event.message
    if not message.from_contact and at - message.sent_at < IN_DOUBT_MS:
        return park_echo(view, event, at)
    if view.message_keys.get(message.id) is not None:
        return IGNORED_DUPLICATE
    if not message.from_contact and _sent_by_us(view, message) is not None:
        return IGNORED_OWN_ECHO
    return _insert(view, event.place, message, at, recalled=event)


def park_echo(view: View, event: EchoReceived | MessageRecalled, at: Millis) -> Effect:
    """Put an echo off for as long as the answer to our own send of it may take.

    After that it is one more message, unless a call of its conversation is still under way.
    """
    message = event.message
    if view.message_keys.get(message.id) is not None:
        return IGNORED_DUPLICATE
    if _sent_by_us(view, message) is not None:
        return IGNORED_OWN_ECHO
    if event.has_waited and not _is_being_sent(view, message.conversation_id):
        recalled = event if isinstance(event, MessageRecalled) else None
        return _insert(view, event.place, message, at, recalled=recalled)
    key = keys.timer(Millis(at + ECHO_GRACE_MS), message.id)
    again = msgspec.structs.replace(event, has_waited=True)
    view.timers.put(key, Timer(msgspec.msgpack.encode(again)))
    return Effect("parked", message.id)


def send(view: View, event: MessageSent, at: Millis) -> Effect:
    """Store a message of ours, to be delivered to its source."""
    message = event.message
    if view.message_keys.get(message.id) is not None:
        return IGNORED_DUPLICATE
    effect = _insert(view, event.place, message, at)
    if effect is not IGNORED_ERASED:
        _dispatch(view, event.place, message, at)
    return effect


def send_again(view: View, failed: Message, at: Millis) -> None:
    """Have a message that failed delivered once more: it is a new one again (contract: §7.2)."""
    key = keys.message(failed.conversation_id, failed.sent_at, failed.id)
    pending = msgspec.structs.replace(failed, delivery_state="pending", updated_at=None)
    metadata.replace_message(view, key, pending)
    changes.message_stored(view, pending, messages.head(pending))
    reasons = dict.fromkeys(("error", "source.error"))
    metadata.describe_message(view, failed.conversation_id, failed.id, reasons, at)
    conversation = view.conversations.get(failed.conversation_id)
    assert conversation is not None  # messages make conversations
    _dispatch(view, conversations.place_of(conversation), pending, at)


def hold(view: View, message: Message, at: Millis) -> bool:
    """Keep a message of ours until its conversation appears; return False if too many wait."""
    conversation = message.conversation_id
    waiting = view.held.get(conversation)
    before = () if waiting is None else waiting.messages
    if len(before) >= HELD_MAX:
        return False
    view.held.put(conversation, Held((*before, message)))
    expires = Timer(msgspec.msgpack.encode(HoldExpired(conversation, message.id, at)))
    view.timers.put(keys.timer(Millis(at + HOLD_MS), message.id), expires)
    return True


def give_up(view: View, event: HoldExpired) -> Effect:
    """Tell that the conversation of a message did not appear; the message was never stored."""
    waiting = view.held.get(event.conversation_id)
    if waiting is None or all(each.id != event.message_id for each in waiting.messages):
        return Effect("nothing new")
    left = tuple(each for each in waiting.messages if each.id != event.message_id)
    if left:
        view.held.put(event.conversation_id, Held(left))
    else:
        view.held.delete(event.conversation_id)
    reason = {"error": json_text.quote("Conversation id not found")}
    metadata.describe_message(view, event.conversation_id, event.message_id, reason, event.at)
    return Effect("failed", event.message_id)


def known(view: View, identifier: MessageId) -> Message | None:
    """Return a message."""
    key = view.message_keys.get(identifier)
    return None if key is None else view.messages.get(key)


def attempt(view: View, event: DeliveryAttempted) -> Effect:
    """Note that a courier is about to call the source, unless another was before it."""
    dispatch = view.sends.get(event.message_id)
    if dispatch is None or event.number != dispatch.attempts + 1:
        return IGNORED_ATTEMPT
    begun = msgspec.structs.replace(dispatch, attempts=event.number, courier=event.courier)
    view.sends.put(event.message_id, begun)
    return Effect("applied", event.message_id)


def put_off(view: View, event: DeliveryPutOff) -> Effect:
    """Note that the source has not taken a message, so that another attempt does no harm."""
    dispatch = view.sends.get(event.message_id)
    if dispatch is None or event.number != dispatch.attempts:
        return IGNORED_ATTEMPT
    view.sends.put(event.message_id, msgspec.structs.replace(dispatch, courier=None))
    return Effect("applied", event.message_id)


def deliver(view: View, event: MessageDelivered, at: Millis) -> Effect:
    """Note that the source took a message of ours, and under which id it will speak of it."""
    key = view.message_keys.get(event.message_id)
    present = None if key is None else view.messages.get(key)
    if key is None or present is None:
        return IGNORED_UNKNOWN_MESSAGE
    dispatch = view.sends.get(present.id)
    if dispatch is not None and event.attempt not in (None, dispatch.attempts):
        return IGNORED_ATTEMPT  # it was sent again since
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
    if event.metadata:
        metadata.describe_message(view, present.conversation_id, present.id, event.metadata, at)
    return Effect("delivered", present.id)


def fail(view: View, event: MessageFailed, at: Millis) -> Effect:
    """Note that the source refused a message of ours, and why."""
    key = view.message_keys.get(event.message_id)
    present = None if key is None else view.messages.get(key)
    if key is None or present is None:
        return IGNORED_UNKNOWN_MESSAGE
    dispatch = view.sends.get(present.id)
    if event.attempt is not None and (dispatch is None or event.attempt != dispatch.attempts):
        return IGNORED_ATTEMPT  # what became of it is known by now
    view.sends.delete(present.id)
    failed = msgspec.structs.replace(present, delivery_state="failed", updated_at=event.at)
    metadata.replace_message(view, key, failed)
    changes.message_stored(view, failed, messages.head(failed))
    reasons = {"error": json_text.quote(event.reason)}
    if event.answer is not None:
        reasons["source.error"] = json_text.quote(event.answer)
    metadata.describe_message(view, present.conversation_id, present.id, reasons, at)
    return Effect("failed", present.id)


def fail_later(view: View, event: FailureReceived, at: Millis) -> Effect:
    """Note that a message of ours failed after its source had taken it, unless it was sent again.

    Of one that nobody knows yet it is kept for a while, as receipts are.
    """
    name = event.source_message_id
    message = receipts.find(view, event.place, name)
    if message is None:
        receipts.keep_failure(view, event, at)
        return IGNORED_UNKNOWN_MESSAGE
    is_as_sent = message.delivery_state == "delivered" and message.source_message_id == name
    if message.from_contact or not is_as_sent:
        return IGNORED_STALE
    return fail(view, MessageFailed(message.id, event.reason, event.answer, event.at), at)


def _insert(
    view: View,
    place: Place,
    message: Message,
    at: Millis,
    *,
    recalled: MessageRecalled | None = None,
) -> Effect:
    conversation = view.conversations.get(message.conversation_id)
    if conversation is None:
        erased_at = tombstones.erased_until(view, message.conversation_id)
    else:
        erased_at = conversation.erased_at
        if message.sender_id != conversation.source_conversation_id:
            message = linked_contacts.as_known(conversation, place, message)
    if erased_at is not None and message.sent_at <= erased_at:
        tombstones.sweep_later(view, message.conversation_id, at)
        return IGNORED_ERASED
    message = metadata.adopt_early(view, message)
    if recalled is not None:
        message = messages.recalled(message)
    key = keys.message(message.conversation_id, message.sent_at, message.id)
    view.messages.put(key, message)
    view.message_keys.put(message.id, key)
    head = messages.head(message)
    if recalled is None:
        changes.message_stored(view, message, head)
    else:
        changes.message_recalled(view, message)
    shown = head + message.metadata
    if conversations.add(
        view, place, message, shown, conversation, erased_at, at, recalled=recalled
    ):
        _release(view, place, at)
    if not message.from_contact and recalled is None:
        receipts.expect(view, message)
        if message.source_message_id is not None:
            _settle_early(view, message, message.source_message_id, at)
    return Effect("created", message.id)


def _is_being_sent(view: View, conversation: ConversationId) -> bool:
    """Whether a source is being called for a message of a conversation."""
    return any(
        dispatch.courier is not None and dispatch.place.conversation_id == conversation
        for _, dispatch in view.sends.under(conversation[:2])  # ids of one slot begin alike
    )


def _release(view: View, place: Place, at: Millis) -> None:
    """Send what waited for a conversation that has just appeared."""
    waiting = view.held.get(place.conversation_id)
    if waiting is None:
        return
    view.held.delete(place.conversation_id)
    known_channel = view.channels.get(place.channel_id)
    is_connected = known_channel is None or known_channel.connected
    for held in waiting.messages:
        message = msgspec.structs.replace(held, channel_id=place.channel_id, source=place.source)
        if _insert(view, place, message, at) is IGNORED_ERASED:
            continue
        if is_connected:
            _dispatch(view, place, message, at)
        else:
            fail(view, MessageFailed(message.id, "Channel not connected", None, at), at)


def _dispatch(view: View, place: Place, message: Message, at: Millis) -> None:
    """Note that a message is to be delivered; a website's visitor reads it here, so it is."""
    view.sends.put(message.id, Dispatch(place, at, view.position))
    if place.source == _CHATPLUGIN:
        deliver(view, MessageDelivered(message.id, None, at), at)


def _index(view: View, message: Message, source_message_id: str, at: Millis) -> None:
    """Make a message of ours known under its source's id, and settle what came under it before."""
    view.source_ids.put(keys.source_id(message.channel_id, source_message_id), message.id)
    _settle_early(view, message, source_message_id, at)


def _settle_early(view: View, message: Message, source_message_id: str, at: Millis) -> None:
    failed = receipts.apply_early(view, message, source_message_id, at)
    if failed is not None:
        told = MessageFailed(message.id, failed.reason, failed.answer, failed.received_at)
        fail(view, told, at)


def _sent_by_us(view: View, message: Message) -> MessageId | None:
    if message.source_message_id is None:
        return None
    key = keys.source_id(message.channel_id, message.source_message_id)
    known = view.source_ids.get(key)
    return None if known is None else MessageId(known)
