"""Contacts: one for each conversation until somebody merges them (contract: platform API §7.8)."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model.contact import Contact, Identity
from airy_ray.model.conversation import Conversation, default_name
from airy_ray.model.ids import ContactId, contact_id
from airy_ray.projections import keys
from airy_ray.projections.view import View


def introduce(view: View, conversation: Conversation) -> None:
    """Make the contact of a conversation that has none, named as the conversation shows it."""
    if view.contact_of.get(conversation.id) is not None:
        return
    name = conversation.display_name
    contact = Contact(
        id=contact_id(conversation.id),
        display_name=name or default_name(conversation.source, conversation.id),
        created_at=conversation.created_at,
        is_named=name is not None,
    )
    identity = Identity(conversation.source, conversation.source_conversation_id)
    view.contacts.put(contact.id, contact)
    view.contact_of.put(conversation.id, contact.id)
    view.identities.put(keys.identity(contact.id, conversation.id), identity)
    view.contacts_by_name.put(keys.contact_name(contact.display_name, contact.id), b"")


def follow(view: View, conversation: Conversation, at: Millis) -> None:
    """Give a contact without a name of its own the one that its conversation has now."""
    known = view.contact_of.get(conversation.id)
    contact = None if known is None else view.contacts.get(known)
    if contact is None or contact.is_named or conversation.display_name is None:
        return
    named = msgspec.structs.replace(
        contact, display_name=conversation.display_name, is_named=True, updated_at=at
    )
    identifier = ContactId(contact.id)
    view.contacts_by_name.delete(keys.contact_name(contact.display_name, identifier))
    view.contacts_by_name.put(keys.contact_name(named.display_name, identifier), b"")
    view.contacts.put(identifier, named)
