"""Contacts made, changed, deleted, merged and parted again (contract: platform API §7.8)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import contact as model
from airy_ray.model import json_text
from airy_ray.model.commands import (
    ContactFields,
    CreateContact,
    DeleteContact,
    MergeContacts,
    UnmergeContacts,
    UpdateContact,
)
from airy_ray.model.contact import Contact, Snapshot
from airy_ray.model.ids import CommandId, ContactId, ConversationId, derived_id, format_id, parse_id
from airy_ray.projections import contacts, merges, tombstones
from airy_ray.projections.commands.outcome import APPLIED, Handler, Outcome
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import View

_NOT_FOUND = Outcome(Effect("not found"), 404, json_text.encode({"message": "Contact not found"}))
_ONE_AND_THE_SAME = Outcome(
    Effect("one contact"), 400, json_text.encode({"message": "these are one contact"})
)
_TOO_MANY = Outcome(
    Effect("too many"), 400, json_text.encode({"message": "too many conversations or merges"})
)
_ACCEPTED = Outcome(APPLIED, 202)
_PLAIN = ("avatar_url", "title", "gender", "timezone", "locale", "organization_name")


def create(view: View, command: CreateContact, identifier: CommandId, at: Millis) -> Outcome:
    """Make a contact; one that the same command made before, however long ago, stays."""
    contact = ContactId(derived_id(identifier, "contact"))
    if len(command.fields.conversations) > model.CONVERSATIONS_MAX:
        return _TOO_MANY
    created = view.contacts.get(contact)
    if created is None:
        created = _told(Contact(contact, None, at), command.fields)
        contacts.store(view, created, None)
        _change_conversations(view, contact, command.fields.conversations, at)
    identities = contacts.identities_of(view, contact)
    return Outcome(APPLIED, 201, model.rendered(created, identities))


def update(view: View, command: UpdateContact, _: CommandId, at: Millis) -> Outcome:
    """Change what is said of a contact."""
    present = _present(view, command.contact_id)
    if present is None:
        return _NOT_FOUND
    if _count(view, present.id, command.fields.conversations) > model.CONVERSATIONS_MAX:
        return _TOO_MANY
    updated = msgspec.structs.replace(_told(present, command.fields), updated_at=at)
    contacts.store(view, updated, present)
    _change_conversations(view, present.id, command.fields.conversations, at)
    return _ACCEPTED


def delete(view: View, command: DeleteContact, _: CommandId, at: Millis) -> Outcome:
    """Delete a contact; its conversations get a new one with their next message."""
    present = _present(view, command.contact_id)
    if present is None:
        return _NOT_FOUND
    contacts.forget(view, present)
    for key, _entry in view.merges.under(present.id):
        view.merges.delete(key)
    for conversation, _identity in contacts.identities_of(view, present.id):
        contacts.give_up(view, present.id, conversation, at)
    return _ACCEPTED


def merge(view: View, command: MergeContacts, _: CommandId, at: Millis) -> Outcome:
    """Have a contact take over another one, which the command brings along whole."""
    present = _present(view, command.destination_id)
    if present is None:
        return _NOT_FOUND
    if tombstones.is_forgotten(view, command.source.contact):
        tombstones.sweep_record(view, command.source.contact.id, at)
        return _NOT_FOUND
    if present.id == command.source.contact.id:
        return _ONE_AND_THE_SAME
    if _is_too_much(merges.snapshot(view, present), command.source):
        return _TOO_MANY
    merged = merges.merge(view, present, command.source, at)
    return Outcome(APPLIED, 200, _shown_with_history(merges.snapshot(view, merged)))


def unmerge(view: View, command: UnmergeContacts, _: CommandId, at: Millis) -> Outcome:
    """Take a contact out of the one that took it over, and show it as it is again."""
    present = _present(view, command.destination_id)
    if present is None:
        return _NOT_FOUND
    source = ContactId(parse_id(command.source_id))
    restored = merges.unmerge(view, present, source, at)
    if restored is None:
        return _NOT_FOUND
    return Outcome(APPLIED, 200, model.rendered(restored.contact, restored.identities))


def _shown_with_history(whole: Snapshot) -> bytes:
    """Return the JSON of a contact with those whom it took over."""
    return model.rendered(whole.contact, whole.identities, whole.history)


def _present(view: View, identifier: str) -> Contact | None:
    """Return a contact that is not merged into another one."""
    found = view.contacts.get(parse_id(identifier))
    return found if found is not None and found.merged_into is None else None


def _told(contact: Contact, fields: ContactFields) -> Contact:
    """Return a contact with what is said of it: None says nothing, an empty text takes away."""
    values: dict[str, Any] = {
        name: value or None if isinstance(value, str) else value
        for name in _PLAIN
        if (value := getattr(fields, name)) is not None
    }
    is_named = contact.is_named
    if fields.display_name is not None:
        values["display_name"] = fields.display_name or None
        is_named = fields.display_name != ""
    if fields.via:
        values["via"] = _merged((contact.details or model.NO_DETAILS).via, fields.via)
    for field, value in fields.address.items():
        values[f"address.{field}"] = value or None
    metadata = bytes(fields.metadata)
    if metadata != b"null":
        values["metadata"] = None if metadata == b'""' else json_text.unshield(metadata)
    return msgspec.structs.replace(model.with_told(contact, values), is_named=is_named)


def _merged(known: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in (dict(known) | dict(said)).items() if value}


def _count(view: View, contact: ContactId, said: Mapping[str, str]) -> int:
    """Return how many conversations a contact would have, and be told to leave."""
    held = {format_id(conversation) for conversation, _ in contacts.identities_of(view, contact)}
    return len(held | set(said)) if said else 0


def _is_too_much(one: Snapshot, other: Snapshot) -> bool:
    conversations = len(one.identities) + len(other.identities)
    history = len(one.history) + len(other.history) + 1
    return conversations > model.CONVERSATIONS_MAX or history > model.MERGES_MAX


def _change_conversations(
    view: View, contact: ContactId, said: Mapping[str, str], at: Millis
) -> None:
    for identifier, source in said.items():
        conversation = ConversationId(parse_id(identifier))
        if source:
            contacts.expect(view, contact, conversation, source, at)
        else:
            contacts.give_up(view, contact, conversation, at)


HANDLERS: dict[type, Handler] = {
    CreateContact: create,
    UpdateContact: update,
    DeleteContact: delete,
    MergeContacts: merge,
    UnmergeContacts: unmerge,
}
