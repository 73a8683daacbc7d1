"""Forgetting: the rows of conversations and people go at once, and none of what was comes back.

1. What is in the log is cut out of it afterwards, by the owner of each partition, which then folds
   the log again: `erasures` tells it what. See `partition.erasure`.
2. A tombstone is looked at when a conversation begins, and kept in its row from then on. What was
   sent before the erasure and comes after it, for platforms repeat what was not confirmed to them,
   is dropped, and an hour later all partitions are told to cut it out of their logs as well.
3. Who writes after that begins anew.
"""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.conversation import Conversation
from airy_ray.model.events import (
    ConversationRead,
    ConversationsErased,
    ErasureDue,
    Event,
    HoldExpired,
    MessageReceived,
    RetentionDue,
)
from airy_ray.model.ids import ContactId, ConversationId, MessageId, format_id
from airy_ray.projections import keys
from airy_ray.projections.view import Change, Erasure, Outgoing, Timer, Tombstone, View

SWEEP_MS = 3_600_000
"""How long late events may stay in the log: many come within it, and the log is rewritten once."""

_encode = msgspec.msgpack.Encoder().encode
_decode_event = msgspec.msgpack.Decoder(Event).decode


def erased_until(view: View, conversation: ConversationId) -> Millis | None:
    """Return until when a conversation was erased, if it was."""
    tombstone = view.tombstones.get(conversation)
    return None if tombstone is None else tombstone.at


def is_late(view: View, conversation: ConversationId, at: Millis) -> bool:
    """Whether an event that happened `at` is of what was erased."""
    erased_at = erased_until(view, conversation)
    return erased_at is not None and at <= erased_at


def is_gone(view: View, conversation: ConversationId) -> bool:
    """Whether a conversation was erased and has not begun anew."""
    is_erased = erased_until(view, conversation) is not None
    return is_erased and view.conversations.get(conversation) is None


def sweep_later(view: View, conversation: ConversationId, at: Millis) -> None:
    """Have what came late cut out of the logs, together with what comes in the next hour."""
    tombstone = view.tombstones.get(conversation)
    assert tombstone is not None  # by it the event was found to be late
    if tombstone.sweeps_at is not None and at < tombstone.sweeps_at:
        return
    sweeps_at = Millis(at + SWEEP_MS)
    erased = ConversationsErased((conversation,), (), tombstone.at)
    view.timers.put(keys.timer(sweeps_at, conversation), Timer(_encode(ErasureDue(erased))))
    view.tombstones.put(conversation, msgspec.structs.replace(tombstone, sweeps_at=sweeps_at))


def spread(view: View, erased: ConversationsErased) -> None:
    """Tell all partitions of an erasure."""
    view.send(Outgoing(slot=None, kind="forward", source="", body=_encode(erased)))


def erase(view: View, event: ConversationsErased, at: Millis) -> bool:
    """Delete all rows of conversations and contacts that are here; return whether any were.

    One that was erased as of that instant already keeps what it has begun anew since.
    """
    befores = []
    found = False
    for conversation in event.conversations:
        before, is_new = _bury(view, conversation, event.at)
        befores.append((conversation, before))
        if is_new:
            found = _erase_conversation(view, conversation, at) or found
    buried = []
    for contact in event.contacts:
        is_new = event.is_whole and _bury(view, contact, event.at)[1]
        if is_new:
            buried.append(contact)
        if is_new or not event.is_whole:
            found = _erase_contact(view, contact, event) or found
    row = Erasure(tuple(befores), tuple(buried), event.at, at)
    view.erasures.put(keys.offset(view.position), row)
    return found


def retain(view: View, event: RetentionDue, at: Millis) -> bool:
    """Erase conversations that are as old as was thought; return whether there were any.

    One that is not here was erased, or will have been when the log is folded again: its tombstone
    is the same either way.
    """
    due = [
        (conversation, contact)
        for conversation, contact in event.conversations
        if (present := view.conversations.get(conversation)) is None
        or present.last_message_at <= event.before
    ]
    if not due:
        return False
    going = {conversation for conversation, _ in due}
    contacts = dict.fromkeys(contact for _, contact in due if contact is not None)
    erased = ConversationsErased(
        tuple(conversation for conversation, _ in due),
        tuple(each for each in contacts if _has_no_other(view, each, going)),
        event.before,
        is_whole=True,
    )
    found = erase(view, erased, at)
    spread(view, erased)
    return found


def _has_no_other(view: View, contact: ContactId, going: set[ConversationId]) -> bool:
    return all(key[16:] in going for key, _ in view.identities.under(contact))


def _bury(view: View, identifier: bytes, until: Millis) -> tuple[int, bool]:
    """Put a tombstone, or leave a later one; return its offset, and whether it is new."""
    present = view.tombstones.get(identifier)
    if present is not None and present.at >= until:
        return present.offset, False
    view.tombstones.put(identifier, Tombstone(until, view.position))
    return view.position, True


def _erase_conversation(view: View, identifier: ConversationId, at: Millis) -> bool:
    present = view.conversations.get(identifier)
    _drop_timers(view, identifier)
    view.held.delete(identifier)
    _drop_subject(view, keys.subject("conversation", identifier))
    contact = view.contact_of.get(identifier)
    if contact is not None:
        view.contact_of.delete(identifier)
        _drop_identity(view, ContactId(contact[:16]), identifier)
    if present is None:
        return False
    for key, message in view.messages.under(identifier):
        view.messages.delete(key)
        _drop_message(view, message.id)
        if message.source_message_id is not None:
            view.source_ids.delete(keys.source_id(message.channel_id, message.source_message_id))
    for rows in (view.unread, view.unseen):
        for key, _ in rows.under(identifier):
            rows.delete(key)
    view.conversations.delete(identifier)
    view.conversations_by_time.delete(keys.by_time(present.last_message_at, identifier))
    _tell(view, present, at)
    return True


def _drop_message(view: View, identifier: MessageId) -> None:
    view.message_keys.delete(identifier)
    view.sends.delete(identifier)
    view.early.delete(identifier)
    _drop_subject(view, keys.subject("message", identifier))


def _drop_subject(view: View, prefix: bytes) -> None:
    for key, _ in view.metadata.under(prefix):
        view.metadata.delete(key)


def _drop_timers(view: View, conversation: ConversationId) -> None:
    for key, timer in view.timers.under(b""):
        event = _decode_event(timer.event)
        match event:
            case MessageReceived(place=place):
                owner = place.conversation_id
            case HoldExpired() | ConversationRead():
                owner = event.conversation_id
            case ErasureDue(erased=erased):
                owner = erased.conversations[0]
            case _:
                continue
        if owner == conversation:
            view.timers.delete(key)


def _drop_identity(view: View, contact: ContactId, conversation: ConversationId) -> None:
    """Take a conversation from a contact, and forget one that has no other."""
    view.identities.delete(keys.identity(contact, conversation))
    if not view.identities.under(contact):
        _drop_contact(view, contact)


def _erase_contact(view: View, contact: ContactId, event: ConversationsErased) -> bool:
    if view.contacts.get(contact) is None:
        return False
    for conversation in event.conversations:
        view.identities.delete(keys.identity(contact, conversation))
    left = view.identities.under(contact)
    if left and not event.is_whole:
        return False
    return _drop_contact(view, contact)


def _drop_contact(view: View, contact: ContactId) -> bool:
    present = view.contacts.get(contact)
    if present is None:
        return False
    view.contacts.delete(contact)
    view.contacts_by_name.delete(keys.contact_name(present.display_name, contact))
    for key, _ in view.identities.under(contact):
        view.identities.delete(key)
    _drop_subject(view, keys.subject("contact", contact))
    return True


def _tell(view: View, erased: Conversation, at: Millis) -> None:
    event = json_text.encode(
        {
            "type": "conversation.erased",
            "timestamp": at,
            "payload": {"conversation_id": format_id(erased.id)},
        }
    )
    view.emit(Change("conversation.erased", erased.id, None, event))
