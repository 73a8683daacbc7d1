"""Receipts: how far our messages got, `delivered` before `seen`, never back (sources §0.6).

What the contact has not seen yet is a row of its own, so a receipt meets only messages that it
changes. A receipt may overtake the answer to the send that it is of: it waits for a minute.
"""

from collections.abc import Iterable

from airy_ray.clock import Millis
from airy_ray.model.events import FailureReceived, Place, ReceiptReceived
from airy_ray.model.ids import ConversationId, MessageId, message_id
from airy_ray.model.message import Message
from airy_ray.projections import keys, linked_contacts, metadata
from airy_ray.projections.view import Receipt, View

EARLY_RECEIPT_MS = 60_000

_SENT, _DELIVERED = b"0", b"1"
_FAILED = "failed"
_VIBER = "viber"
_STATE = "source.delivery_state"
_PASSED = {"delivered": (_SENT,), "seen": (_SENT, _DELIVERED)}
"""The states that a receipt takes messages out of."""


def expect(view: View, message: Message) -> None:
    """Expect receipts for a message of ours."""
    key = keys.unseen(message.conversation_id, _SENT, message.sent_at, message.id)
    view.unseen.put(key, b"")


def receive(view: View, event: ReceiptReceived, at: Millis) -> bool:
    """Note a receipt; return whether it told anything new."""
    conversation = event.place.conversation_id
    named = [_named(view, event, name, at) for name in event.source_message_ids]
    if any(message is None or message.conversation_id != conversation for message in named):
        linked_contacts.look_in_own(view, event)
    known = [message for message in named if message is not None and not message.from_contact]
    up_to = event.up_to
    if event.and_earlier and known:
        up_to = Millis(max(message.sent_at for message in known))
    passed = set(known_ids(known)) | set(_sent_until(view, conversation, event.state, up_to))
    advanced = [
        _advance(view, conversation, message, event.state, at) for message in sorted(passed)
    ]
    return any(advanced + [_note(view, event, message, at) for message in named])


def keep_failure(view: View, event: FailureReceived, at: Millis) -> None:
    """Keep for a while that a message has failed that nobody knows yet."""
    linked_contacts.look_in_own(view, event)
    key = keys.source_id(event.place.channel_id, event.source_message_id)
    view.receipts.put(key, Receipt(_FAILED, at, event.reason, event.answer))


def apply_early(view: View, message: Message, source_message_id: str, at: Millis) -> Receipt | None:
    """Apply the receipt that came before `message` was known under its source's id.

    Return it instead if it says that the message has failed.
    """
    key = keys.source_id(message.channel_id, source_message_id)
    early = view.receipts.get(key)
    if early is None:
        return None
    view.receipts.delete(key)
    if not _is_fresh(early, at):
        return None
    if early.state == _FAILED:
        return early
    _advance(view, message.conversation_id, message.id, early.state, at)
    return None


def _is_fresh(early: Receipt, at: Millis) -> bool:
    """Whether a receipt still waits: expiry may have deleted it already, or not."""
    return at - early.received_at <= EARLY_RECEIPT_MS


def known_ids(known: Iterable[Message]) -> list[MessageId]:
    """Return the ids of messages."""
    return [message.id for message in known]


def _named(view: View, event: ReceiptReceived, name: str, at: Millis) -> Message | None:
    """Return the message that a receipt names; of none, keep the receipt for a while."""
    message = find(view, event.place, name)
    if message is None:
        _keep(view, keys.source_id(event.place.channel_id, name), Receipt(event.state, at), at)
    return message


def _note(view: View, event: ReceiptReceived, message: Message | None, at: Millis) -> bool:
    """Note a receipt of Viber for a message of the contact (sources §6.2); no other has any."""
    if message is None or not message.from_contact or message.source != _VIBER:
        return False
    known = view.metadata.get(keys.metadata("message", message.id, _STATE))
    if known is not None and known.value == _told("seen"):
        return False
    told = {_STATE: _told(event.state)}
    return metadata.describe_message(view, message.conversation_id, message.id, told, at)


def _told(state: str) -> bytes:
    return b'"%b"' % state.encode()


def find(view: View, place: Place, name: str) -> Message | None:
    """Return the message that a source calls `name`."""
    found = view.source_ids.get(keys.source_id(place.channel_id, name))
    identifier = MessageId(found) if found else message_id(place.conversation_id, name)
    row = view.message_keys.get(identifier)
    return None if row is None else view.messages.get(row)


def _keep(view: View, key: bytes, told: Receipt, at: Millis) -> None:
    """Keep a receipt for a while, unless one that says more is kept already."""
    early = view.receipts.get(key)
    if early is not None and _is_fresh(early, at) and early.state == "seen":
        told = Receipt("seen", at)
    elif early is not None and _is_fresh(early, at) and early.state == _FAILED:
        return
    view.receipts.put(key, told)


def _sent_until(
    view: View, conversation: ConversationId, state: str, up_to: Millis | None
) -> list[MessageId]:
    """Return our messages sent at or before `up_to` that `state` is news for."""
    if up_to is None:
        return []
    last = keys.instant(up_to)
    passed = []
    for earlier in _PASSED[state]:
        prefix = conversation + earlier
        start = len(prefix)
        passed += [
            MessageId(key[start + 8 :])
            for key, _ in view.unseen.under(prefix)
            if key[start : start + 8] <= last
        ]
    return passed


def _advance(
    view: View, conversation: ConversationId, identifier: MessageId, state: str, at: Millis
) -> bool:
    row = view.message_keys.get(identifier)
    message = None if row is None else view.messages.get(row)
    if message is None:
        return False
    for earlier in _PASSED[state]:
        key = keys.unseen(conversation, earlier, message.sent_at, identifier)
        if view.unseen.get(key) is None:
            continue
        view.unseen.delete(key)
        if state == "delivered":
            view.unseen.put(keys.unseen(conversation, _DELIVERED, message.sent_at, identifier), b"")
        told = {_STATE: _told(state)}
        metadata.describe_message(view, conversation, identifier, told, at)
        return True
    return False
