"""Forgetting: the rows of conversations and people go at once.

1. What is in the log is cut out of it afterwards, by the owner of each partition, which then folds
   the log again: `erasures` tells it what. See `partition.erasure`.
2. A person is a contact with all whom it took over and all its conversations, wherever these are.
   What a partition finds that those who asked did not know of, it tells all partitions of.
3. What comes late meets a tombstone, see `tombstones`.
"""

from collections.abc import Container, Iterable
from typing import TypeVar

import msgspec

from airy_ray.clock import Millis
from airy_ray.model.contact import Contact
from airy_ray.model.contact_events import ContactKept
from airy_ray.model.events import (
    ConversationRead,
    ConversationsErased,
    EchoReceived,
    ErasureDue,
    Event,
    FilesLeft,
    HoldExpired,
    MessageRecalled,
    RetentionDue,
)
from airy_ray.model.ids import (
    ID_BYTES,
    ContactId,
    ConversationId,
    MessageId,
    contact_id,
    slot_of,
)
from airy_ray.model.media_links import files_in
from airy_ray.projections import changes, contacts, keys, merges
from airy_ray.projections.tombstones import bury, spread
from airy_ray.projections.view import Erasure, Outgoing, View

FOR_ITSELF = "erasure"
"""The source of records that a partition sends to itself: what is to be known when its log is
folded again, and cannot be seen from what is left of that."""

_encode = msgspec.msgpack.Encoder().encode
_decode_event = msgspec.msgpack.Decoder(Event).decode


def erase(view: View, event: ConversationsErased, at: Millis) -> bool:
    """Delete all rows of conversations and contacts that are here; return whether any were.

    One that was erased as of that instant already keeps what it has begun anew since.
    """
    erasing = _Erasing(view, event, at)
    for conversation in event.conversations:
        erasing.conversation(conversation)
    erasing.drop_timers()
    for contact in event.contacts:
        if event.is_whole:
            erasing.contact(contact)
        else:
            for conversation in event.conversations:
                erasing.take(contact, conversation)
    row = Erasure(tuple(erasing.befores), tuple(erasing.buried), event.at, at)
    view.erasures.put(keys.offset(view.position), row)
    erasing.keep_others()
    erasing.tell_others()
    return erasing.has_found


def retain(view: View, event: RetentionDue, at: Millis) -> bool:
    """Erase conversations that are as old as was thought; return whether there were any.

    One that is not here was erased, or will have been when the log is folded again: its tombstone
    is the same either way. Contacts may be elsewhere; who has no other conversation goes too.
    """
    due = [
        (conversation, contact)
        for conversation, contact in event.conversations
        if (present := view.conversations.get(conversation)) is None
        or present.last_message_at <= event.before
    ]
    if not due:
        return False
    erased = ConversationsErased(
        tuple(conversation for conversation, _ in due),
        tuple(dict.fromkeys(contact for _, contact in due if contact is not None)),
        event.before,
        is_aged=True,
    )
    found = erase(view, erased, at)
    spread(view, erased)
    return found


def drop(view: View, conversations: Iterable[ConversationId], people: Iterable[ContactId]) -> None:
    """Delete the rows of conversations and contacts, to be made again out of the log."""
    dropped = set(conversations)
    for conversation in dropped:
        _erase_conversation(view, conversation, Millis(0))
        view.tombstones.delete(conversation)
    _drop_timers(view, dropped)
    for identifier in people:
        view.tombstones.delete(identifier)
        contact = view.contacts.get(identifier)
        if contact is not None:
            _drop_contact(view, contact)


def leave_files(view: View, event: FilesLeft) -> None:
    """Note files that may have nobody who links to them any more."""
    for name in event.names:
        view.left_files.put(name.encode(), keys.offset(view.position))


class _Erasing:
    """What one record erases in one partition."""

    def __init__(self, view: View, event: ConversationsErased, at: Millis) -> None:
        self.befores: list[tuple[ConversationId, int]] = []
        self.buried: list[ContactId] = []
        self.has_found = False
        self._view = view
        self._event = event
        self._at = at
        self._gone: set[ConversationId] = set()
        self._conversations: dict[ConversationId, None] = {}
        self._contacts: dict[ContactId, None] = {}
        self._came_with: dict[ContactId, None] = {}

    def conversation(self, identifier: ConversationId) -> None:
        """Delete a conversation, and take it from its contact."""
        before, is_new = bury(self._view, identifier, self._event.at)
        self.befores.append((identifier, before))
        if not is_new:
            return
        self._gone.add(identifier)
        holder = self._view.contact_of.get(identifier)
        self.has_found = _erase_conversation(self._view, identifier, self._at) or self.has_found
        made = [contact_id(identifier)]  # it has the name of the conversation
        if holder is not None:
            made.append(ContactId(holder[:ID_BYTES]))
        for contact in dict.fromkeys(made):
            self.take(contact, identifier)
            self._came_with[contact] = None

    def take(self, contact: ContactId, conversation: ConversationId) -> None:
        """Take a conversation from a contact, and forget one that has no other."""
        key = keys.identity(contact, conversation)
        is_its = self._view.identities.get(key) is not None
        if not is_its and contact != contact_id(conversation):
            return
        self._view.identities.delete(key)
        present = self._view.contacts.get(contact)
        if present is None or present.merged_into is not None:
            return
        if not self._view.identities.under(contact):
            self.contact(contact)

    def contact(self, identifier: ContactId) -> None:
        """Forget a contact; find out who and what else is the same person's."""
        present = self._view.contacts.get(identifier)
        is_new = bury(self._view, identifier, self._event.at)[1]
        if not is_new:
            return
        if self._event.is_aged and present is not None and present.created_at > self._event.at:
            return
        self.buried.append(identifier)
        if present is not None:
            self.has_found = True
            self._contacts[identifier] = None  # it may be in the logs of others, too
            self._find(present)
            _drop_contact(self._view, present)

    def drop_timers(self) -> None:
        """Delete what would fall for conversations that were deleted: one look at all timers."""
        if self._gone:
            _drop_timers(self._view, self._gone)

    def keep_others(self) -> None:
        """Have contacts that stay known when what they came with is not in the log any more."""
        for contact in self._came_with:
            present = self._view.contacts.get(contact)
            if present is not None:
                kept = _encode(ContactKept(merges.snapshot(self._view, present)))
                self._view.send(Outgoing(slot_of(contact), "forward", FOR_ITSELF, kept))

    def tell_others(self) -> None:
        """Have all that is the person's, and nobody was told of, erased everywhere."""
        conversations = _others(self._conversations, self._event.conversations)
        people = _others(self._contacts, self._event.contacts if self._event.is_whole else ())
        if conversations or people:
            at, is_aged = self._event.at, self._event.is_aged
            spread(self._view, ConversationsErased(conversations, people, at, True, is_aged))

    def _find(self, contact: Contact) -> None:
        for conversation, _ in contacts.identities_of(self._view, contact.id):
            self._conversations[conversation] = None
            if conversation not in self._event.conversations:
                contacts.give_up(self._view, contact.id, conversation, self._at)
        for _, entry in self._view.merges.under(contact.id):
            self._contacts[entry.source.id] = None
            self._contacts[entry.into] = None
        if contact.merged_into is not None:
            self._contacts[contact.merged_into] = None


Id = TypeVar("Id", bound=bytes)


def _others(found: Iterable[Id], known: Iterable[Id]) -> tuple[Id, ...]:
    left = set(known)
    return tuple(each for each in found if each not in left)


def _erase_conversation(view: View, identifier: ConversationId, at: Millis) -> bool:
    present = view.conversations.get(identifier)
    view.held.delete(identifier)
    view.profiles.delete(identifier)
    view.numbers.delete(identifier)
    _drop_subject(view, keys.subject("conversation", identifier))
    view.contact_of.delete(identifier)
    if present is None:
        return False
    files = files_in(present.metadata)
    for key, message in view.messages.under(identifier):
        files |= files_in(message.content, message.metadata)
        view.messages.delete(key)
        _drop_message(view, message.id)
        if message.source_message_id is not None:
            view.source_ids.delete(keys.source_id(message.channel_id, message.source_message_id))
    for rows in (view.unread, view.unseen, view.asked, view.dialogues):
        for key, _ in rows.under(identifier):
            rows.delete(key)
    view.conversations.delete(identifier)
    view.conversations_by_time.delete(keys.by_time(present.last_message_at, identifier))
    view.emit(changes.gone(changes.ERASED, identifier, present.channel_id, at))
    if files:  # by way of the log: when it is folded again, the messages are not in it
        left = _encode(FilesLeft(tuple(sorted(files))))
        view.send(Outgoing(slot_of(identifier), "forward", FOR_ITSELF, left))
    return True


def _drop_message(view: View, identifier: MessageId) -> None:
    view.message_keys.delete(identifier)
    view.sends.delete(identifier)
    view.early.delete(identifier)
    _drop_subject(view, keys.subject("message", identifier))


def _drop_subject(view: View, prefix: bytes) -> None:
    for key, _ in view.metadata.under(prefix):
        view.metadata.delete(key)


def _drop_timers(view: View, conversations: Container[ConversationId]) -> None:
    for key, timer in view.timers.under(b""):
        event = _decode_event(timer.event)
        match event:
            case EchoReceived(place=place) | MessageRecalled(place=place):
                owner = place.conversation_id
            case HoldExpired() | ConversationRead():
                owner = event.conversation_id
            case ErasureDue(erased=erased):
                owner = erased.conversations[0]
            case _:
                continue
        if owner in conversations:
            view.timers.delete(key)


def _drop_contact(view: View, contact: Contact) -> None:
    contacts.forget(view, contact)
    for rows in (view.identities, view.merges):
        for key, _ in rows.under(contact.id):
            rows.delete(key)
    _drop_subject(view, keys.subject("contact", contact.id))
