"""Contacts, and whose each conversation is (contract: platform API §7.8).

1. Whose a conversation is, is decided where it lives, in the order of that log: `contact_of` holds
   the contact's id and, for a conversation that somebody claimed, what they said its source is.
2. A contact's identities are what it was told of that, in order. One that claims or hands over a
   conversation writes what it expects at once, so that its caller reads it, and is told what came
   of it.
3. What goes from one to the other passes through the outbox, but within a slot it is done at once:
   always the one or always the other for two given ids, so that nothing overtakes.
4. A conversation without a contact gets one with its first message, and after that was deleted with
   the next. It is named as the conversation is, until somebody names it.
"""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.contact import Contact, Identity
from airy_ray.model.contact_events import (
    ConversationClaimed,
    ConversationGranted,
    ConversationLeft,
    ConversationLost,
    ConversationPassed,
)
from airy_ray.model.conversation import Conversation, default_name
from airy_ray.model.ids import ID_BYTES, ContactId, ConversationId, contact_id, slot_of
from airy_ray.model.metadata import EMPTY_DOCUMENT
from airy_ray.projections import changes, keys, tombstones
from airy_ray.projections.view import Outgoing, View

_IdentityEvent = (
    ConversationClaimed
    | ConversationPassed
    | ConversationLeft
    | ConversationGranted
    | ConversationLost
)


def introduce(view: View, conversation: Conversation) -> None:
    """Make the contact of a new conversation, unless somebody said before whose it is."""
    holder = view.contact_of.get(conversation.id)
    if holder is not None:
        _grant(view, conversation.id, holder, conversation, conversation.created_at)
        return
    _make(view, conversation, contact_id(conversation.id), conversation.created_at)


def introduce_again(view: View, conversation: Conversation, at: Millis) -> None:
    """Give a conversation whose contact was deleted a contact again.

    Ids that lead to one that was merged go on leading where it leads: it gets another.
    """
    identifier = contact_id(conversation.id)
    present = view.contacts.get(identifier)
    again_at: int = at
    while present is not None and present.merged_into is not None:
        identifier = contact_id(conversation.id, keys.instant(Millis(again_at)))
        present = view.contacts.get(identifier)
        again_at += 1
    if present is None:
        _make(view, conversation, identifier, at)
    else:
        view.contact_of.put(conversation.id, identifier)
        _grant(view, conversation.id, identifier, conversation, at)


def follow(view: View, conversation: Conversation, at: Millis) -> None:
    """Tell a contact how its conversation calls it now."""
    holder = view.contact_of.get(conversation.id)
    if holder is not None:
        _grant(view, conversation.id, holder, conversation, at)


def claim(view: View, event: ConversationClaimed, at: Millis) -> None:
    """Give a conversation to who claims it, whoever has it."""
    before = view.contact_of.get(event.conversation_id)
    holder = event.contact_id + event.source.encode("utf-8", "surrogatepass")
    _settle(view, event.conversation_id, before, holder, at)


def pass_on(view: View, event: ConversationPassed, at: Millis) -> None:
    """Give a conversation to another, if it is the giver's still."""
    before = view.contact_of.get(event.conversation_id)
    if before is not None and _id(before) in (event.giver, event.taker):
        holder = event.taker + before[ID_BYTES:]
        _settle(view, event.conversation_id, before, holder, at)
    else:
        lost = ConversationLost(event.taker, event.conversation_id)
        _tell(view, event.conversation_id, event.taker, lost, at)


def leave(view: View, event: ConversationLeft, at: Millis) -> None:
    """Leave a conversation without a contact, if it is still the one's that leaves it."""
    holder = view.contact_of.get(event.conversation_id)
    lost = ConversationLost(event.contact_id, event.conversation_id)
    _tell(view, event.conversation_id, event.contact_id, lost, at)
    if holder is None or _id(holder) != event.contact_id:
        return
    view.contact_of.delete(event.conversation_id)
    changes.conversation_passed(view, event.conversation_id)
    conversation = view.conversations.get(event.conversation_id)
    if conversation is None:
        return
    if conversation.last_message_at > event.at:  # it came before we heard
        introduce_again(view, conversation, at)
        return
    contactless = msgspec.structs.replace(conversation, is_contactless=True)
    view.conversations.put(conversation.id, contactless)


def granted(view: View, event: ConversationGranted, at: Millis) -> None:
    """Keep that a conversation is a contact's; one that is no more sends it on."""
    contact = view.contacts.get(event.contact_id)
    conversation = event.conversation_id
    began_at = event.created_at
    if began_at is not None and tombstones.is_late(view, conversation, began_at):
        tombstones.sweep_record(view, conversation, at)
        return
    if contact is None:
        tombstones.sweep_record(view, event.contact_id, at)
        left = ConversationLeft(conversation, event.contact_id, at)
        _tell(view, event.contact_id, conversation, left, at)
    elif contact.merged_into is not None:
        passed = ConversationPassed(conversation, event.contact_id, contact.merged_into)
        _tell(view, event.contact_id, conversation, passed, at)
    else:
        identity = Identity(event.source, event.source_conversation_id)
        _add_identity(view, event.contact_id, conversation, identity)
        _name_after(view, contact, event, at)


def lost(view: View, event: ConversationLost) -> None:
    """Forget a conversation of a contact's."""
    _drop_identity(view, event.contact_id, event.conversation_id)


def expect(
    view: View, contact: ContactId, conversation: ConversationId, source: str, at: Millis
) -> None:
    """Have a contact claim a conversation, and show it as its own at once."""
    _add_identity(view, contact, conversation, Identity(source, None))
    claimed = ConversationClaimed(conversation, contact, source)
    _tell(view, contact, conversation, claimed, at)


def hand_over(
    view: View, conversation: ConversationId, giver: ContactId, taker: ContactId, at: Millis
) -> None:
    """Have a contact pass a conversation to another, and show that it is gone at once."""
    _drop_identity(view, giver, conversation)
    _tell(view, giver, conversation, ConversationPassed(conversation, giver, taker), at)


def take_over(
    view: View,
    conversation: ConversationId,
    giver: ContactId,
    taker: ContactId,
    identity: Identity,
    at: Millis,
) -> None:
    """Have a contact take a conversation from another, and show it as its own at once."""
    _add_identity(view, taker, conversation, identity)
    _tell(view, taker, conversation, ConversationPassed(conversation, giver, taker), at)


def give_up(view: View, contact: ContactId, conversation: ConversationId, at: Millis) -> None:
    """Have a contact leave a conversation, and show that at once."""
    _drop_identity(view, contact, conversation)
    _tell(view, contact, conversation, ConversationLeft(conversation, contact, at), at)


def identities_of(view: View, contact: ContactId) -> tuple[tuple[ConversationId, Identity], ...]:
    """Return the identities of a contact, by conversation."""
    rows = view.identities.under(contact)
    return tuple((ConversationId(key[ID_BYTES:]), identity) for key, identity in rows)


def store(view: View, contact: Contact, before: Contact | None) -> None:
    """Keep a contact, and list it under its name unless it is only a redirect."""
    was_listed = before is not None and before.merged_into is None
    key = keys.contact_name(contact.display_name, contact.id)
    if before is not None and was_listed:
        view.contacts_by_name.delete(keys.contact_name(before.display_name, before.id))
    if contact.merged_into is None:
        view.contacts_by_name.put(key, b"")
    view.contacts.put(contact.id, contact)
    changes.contact_stored(view, contact.id)


def forget(view: View, contact: Contact) -> None:
    """Delete a contact that is no redirect."""
    view.contacts.delete(contact.id)
    view.contacts_by_name.delete(keys.contact_name(contact.display_name, contact.id))
    changes.contact_stored(view, contact.id)


def _make(view: View, conversation: Conversation, identifier: ContactId, at: Millis) -> None:
    name = conversation.display_name
    shown = name or default_name(conversation.source, conversation.id)
    avatar_url = None if conversation.metadata == EMPTY_DOCUMENT else _avatar(view, conversation.id)
    contact = Contact(identifier, shown, at, name is not None, None, avatar_url)
    identity = Identity(conversation.source, conversation.source_conversation_id)
    view.contacts.put(identifier, contact)
    view.contact_of.put(conversation.id, identifier)
    _add_identity(view, identifier, conversation.id, identity)
    view.contacts_by_name.put(keys.contact_name(shown, identifier), b"")


def _add_identity(
    view: View, contact: ContactId, conversation: ConversationId, identity: Identity
) -> None:
    view.identities.put(keys.identity(contact, conversation), identity)
    changes.contact_stored(view, contact)


def _drop_identity(view: View, contact: ContactId, conversation: ConversationId) -> None:
    view.identities.delete(keys.identity(contact, conversation))
    changes.contact_stored(view, contact)


def _settle(
    view: View, conversation: ConversationId, before: bytes | None, holder: bytes, at: Millis
) -> None:
    """Note whose a conversation is now, and tell who gained and who lost it."""
    view.contact_of.put(conversation, holder)
    changes.conversation_passed(view, conversation)
    present = view.conversations.get(conversation)
    if present is not None and present.is_contactless:
        present = msgspec.structs.replace(present, is_contactless=False)
        view.conversations.put(conversation, present)
    if before is not None and _id(before) != _id(holder):
        loser = _id(before)
        _tell(view, conversation, loser, ConversationLost(loser, conversation), at)
    _grant(view, conversation, holder, present, at)


def _grant(
    view: View,
    identifier: ConversationId,
    holder: bytes,
    conversation: Conversation | None,
    at: Millis,
) -> None:
    """Tell who has a conversation what that knows of the person, if it is there already."""
    contact = _id(holder)
    if conversation is None:
        source = holder[ID_BYTES:].decode("utf-8", "surrogatepass")
        event = ConversationGranted(contact, identifier, source, None, None, None, None)
    else:
        event = ConversationGranted(
            contact,
            identifier,
            conversation.source,
            conversation.source_conversation_id,
            default_name(conversation.source, identifier),
            conversation.display_name,
            _avatar(view, identifier),
            conversation.created_at,
        )
    _tell(view, identifier, contact, event, at)


def _name_after(view: View, contact: Contact, event: ConversationGranted, at: Millis) -> None:
    """Give a contact what it lacks of what its conversation knows; a real name stays."""
    name, is_named = contact.display_name, contact.is_named
    if not is_named and event.display_name is not None:
        name, is_named = event.display_name, True
    elif name is None:
        name = event.default_name
    avatar_url = contact.avatar_url or event.avatar_url
    named = msgspec.structs.replace(
        contact, display_name=name, is_named=is_named, avatar_url=avatar_url
    )
    if named != contact:
        store(view, msgspec.structs.replace(named, updated_at=at), contact)


def _avatar(view: View, conversation: ConversationId) -> str | None:
    item = view.metadata.get(keys.metadata("conversation", conversation, "contact.avatar_url"))
    url = None if item is None or item.is_removed else json_text.decode(item.value)
    return url if isinstance(url, str) else None


def _id(holder: bytes) -> ContactId:
    return ContactId(holder[:ID_BYTES])


def _tell(view: View, teller: bytes, told: bytes, event: _IdentityEvent, at: Millis) -> None:
    """Have an event reach who or what it is about: now, if that is in the slot of the teller."""
    if slot_of(teller) == slot_of(told):
        receive(view, event, at)
        return
    body = msgspec.msgpack.encode(event)
    view.send(Outgoing(slot_of(told), "forward", "contacts", body))


def receive(view: View, event: _IdentityEvent, at: Millis) -> None:
    """Fold what contacts and conversations tell one another."""
    match event:
        case ConversationClaimed():
            claim(view, event, at)
        case ConversationPassed():
            pass_on(view, event, at)
        case ConversationLeft():
            leave(view, event, at)
        case ConversationGranted():
            granted(view, event, at)
        case ConversationLost():
            lost(view, event)
