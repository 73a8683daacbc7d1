"""Contacts merged and parted: two contacts that turn out to be one person, or not (§7.8).

1. Who takes another over writes that first: what it lacked, whom it took over, whose conversations
   come along. Then the other becomes a redirect, which keeps what the contact was; nothing is ever
   in neither.
2. What the other was by then follows it: along redirects, until somebody is there.
3. Merges that race may make a loop of redirects. The last of them to be set is followed round, and
   so the loop is found; whoever finds it ends it at the same contact, the one with the least id.
"""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model.contact import Contact, Merge, Snapshot, told, with_told
from airy_ray.model.contact_events import (
    ContactKept,
    ContactMerged,
    ContactRestored,
    LoopFound,
    MergeFollowed,
)
from airy_ray.model.events import ConversationsErased
from airy_ray.model.ids import ContactId, slot_of
from airy_ray.projections import contacts, keys, tombstones
from airy_ray.projections.view import Outgoing, View

_MergeEvent = ContactMerged | MergeFollowed | LoopFound | ContactRestored | ContactKept


def merge(view: View, into: Contact, other: Snapshot, at: Millis) -> Contact:
    """Have a contact take another one over; return it as it is then."""
    source = other.contact
    merged, filled = _filled(into, source)
    merged = msgspec.structs.replace(merged, updated_at=at)
    contacts.store(view, merged, into)
    entry = Merge(
        source=source,
        into=into.id,
        filled=filled,
        unnamed=into.display_name if "display_name" in filled else None,
        conversations=tuple(conversation for conversation, _ in other.identities),
    )
    _remember(view, into.id, (*other.history, entry))
    for conversation, identity in other.identities:
        contacts.take_over(view, conversation, source.id, into.id, identity, at)
    _send(view, source.id, ContactMerged(source.id, into.id))
    return merged


def redirect(view: View, event: ContactMerged, at: Millis) -> None:
    """Make a contact that was taken over a redirect, unless it is one already."""
    present = view.contacts.get(event.source)
    if present is None and tombstones.erased_until(view, event.source) is not None:
        # it was erased while the other one took it over: they are one person
        erased = ConversationsErased((), (event.destination,), at, is_whole=True)
        tombstones.spread(view, erased)
    if present is None or present.merged_into is not None:
        return
    whole = snapshot(view, present)
    contacts.store(view, msgspec.structs.replace(present, merged_into=event.destination), present)
    for key, _ in view.merges.under(present.id):
        view.merges.delete(key)
    for conversation, _ in whole.identities:
        contacts.hand_over(view, conversation, present.id, event.destination, at)
    _send(view, event.destination, MergeFollowed(event.destination, (present.id,), whole))


def follow(view: View, event: MergeFollowed, at: Millis) -> None:
    """Have what a contact was reach who has it now; end a loop if that goes round in one."""
    present = view.contacts.get(event.target)
    if tombstones.is_forgotten(view, event.merged.contact):
        tombstones.sweep_record(view, event.merged.contact.id, at)
        return
    if present is None:
        return
    following = present.merged_into
    if following is None:
        _complete(view, present, event.merged, at)
        return
    trail = (*event.trail, present.id)
    if following in trail:
        loop = trail[trail.index(following) :]
        following = min(loop)
        leads_to = loop[(loop.index(following) + 1) % len(loop)]
        _send(view, following, LoopFound(following, leads_to))
        trail = ()
    _send(view, following, MergeFollowed(following, trail, event.merged))


def end_loop(view: View, event: LoopFound) -> None:
    """Make a redirect in a loop a contact again, where the others then lead."""
    present = view.contacts.get(event.contact_id)
    if present is not None and present.merged_into == event.leads_to:
        contacts.store(view, msgspec.structs.replace(present, merged_into=None), present)


def unmerge(view: View, parted: Contact, source: ContactId, at: Millis) -> Snapshot | None:
    """Take a contact out of the one that took it over; None if that did not."""
    history = view.merges.under(parted.id)
    entries = [(key, entry) for key, entry in history if _is_of(entry, source, parted.id)]
    if not entries:
        return None
    key, entry = entries[-1]
    along = _came_along(history, source)
    for each in (key, *along):
        view.merges.delete(each)
    held = contacts.identities_of(view, parted.id)
    identities = tuple(each for each in held if each[0] in entry.conversations)
    restored = Snapshot(entry.source, identities, tuple(along.values()))
    left = msgspec.structs.replace(_emptied(parted, entry), updated_at=at)
    contacts.store(view, left, parted)
    for conversation, _ in identities:
        contacts.hand_over(view, conversation, parted.id, source, at)
    _send(view, source, ContactRestored(parted.id, restored))
    return restored


def restore(view: View, event: ContactRestored, at: Millis) -> None:
    """Make a redirect a contact again, with its conversations; one that is already gets those."""
    restored = event.restored
    if tombstones.is_forgotten(view, restored.contact):
        tombstones.sweep_record(view, restored.contact.id, at)
        return
    present = view.contacts.get(restored.contact.id)
    if present is None:
        contacts.store(view, restored.contact, None)
    elif present.merged_into == event.giver:
        contacts.store(view, msgspec.structs.replace(present, merged_into=None), present)
    _remember(view, restored.contact.id, restored.history)
    for conversation, identity in restored.identities:
        taker = restored.contact.id
        contacts.take_over(view, conversation, event.giver, taker, identity, at)


def keep(view: View, event: ContactKept) -> None:
    """Have a contact be there, as it was when the conversation went that it came with."""
    kept = event.kept
    if view.contacts.get(kept.contact.id) is not None:
        return
    if tombstones.is_forgotten(view, kept.contact):
        return
    contacts.store(view, kept.contact, None)
    _remember(view, kept.contact.id, kept.history)
    for conversation, identity in kept.identities:
        view.identities.put(keys.identity(kept.contact.id, conversation), identity)


def snapshot(view: View, contact: Contact) -> Snapshot:
    """Return a contact whole."""
    history = tuple(entry for _, entry in view.merges.under(contact.id))
    return Snapshot(contact, contacts.identities_of(view, contact.id), history)


def receive(view: View, event: _MergeEvent, at: Millis) -> None:
    """Fold what merged contacts tell one another."""
    match event:
        case ContactMerged():
            redirect(view, event, at)
        case MergeFollowed():
            follow(view, event, at)
        case LoopFound():
            end_loop(view, event)
        case ContactRestored():
            restore(view, event, at)
        case ContactKept():
            keep(view, event)


def _filled(into: Contact, source: Contact) -> tuple[Contact, tuple[str, ...]]:
    """Return a contact with what only the other one has, and what that was."""
    known, others = told(into), told(source)
    if source.is_named and not into.is_named:
        known["display_name"] = None  # what is shown until somebody tells a name
    taken = {name: others[name] for name in others if known[name] is None and others[name]}
    if others["timezone"] == 0 and known["timezone"] is None:
        taken["timezone"] = 0
    is_named = source.is_named if "display_name" in taken else into.is_named
    filled = msgspec.structs.replace(with_told(into, taken), is_named=is_named)
    return filled, tuple(taken)


def _emptied(parted: Contact, entry: Merge) -> Contact:
    """Return a contact without what it took from another, where that is what it still says."""
    known, others = told(parted), told(entry.source)
    taken: dict[str, object] = {name: None for name in entry.filled if known[name] == others[name]}
    is_named = parted.is_named
    if "display_name" in taken:
        taken["display_name"], is_named = entry.unnamed, False
    return msgspec.structs.replace(with_told(parted, taken), is_named=is_named)


def _complete(view: View, into: Contact, merged: Snapshot, at: Millis) -> None:
    """Add what a contact became between being taken over and knowing it."""
    history = view.merges.under(into.id)
    source = merged.contact
    found = [(key, entry) for key, entry in history if entry.source.id == source.id]
    if not found:
        return  # they were parted since
    key, entry = found[-1]
    completed, filled = into, entry.filled
    if entry.source != source and entry.into == into.id:
        completed, more = _filled(into, source)
        filled += tuple(name for name in more if name not in filled)
    conversations = entry.conversations + tuple(
        each for each, _ in merged.identities if each not in entry.conversations
    )
    view.merges.put(
        key,
        msgspec.structs.replace(entry, source=source, filled=filled, conversations=conversations),
    )
    if completed != into:
        contacts.store(view, msgspec.structs.replace(completed, updated_at=at), into)
    known = {(each.source.id, each.into) for _, each in history}
    _remember(
        view,
        into.id,
        tuple(each for each in merged.history if (each.source.id, each.into) not in known),
    )


def _remember(view: View, contact: ContactId, entries: tuple[Merge, ...]) -> None:
    for index, entry in enumerate(entries):
        view.merges.put(keys.merge(contact, view.position, index), entry)


def _is_of(entry: Merge, source: ContactId, into: ContactId) -> bool:
    return entry.source.id == source and entry.into == into


def _came_along(history: list[tuple[bytes, Merge]], source: ContactId) -> dict[bytes, Merge]:
    """Return those whom a contact had taken over itself, and those whom they had."""
    ids = {source}
    found: dict[bytes, Merge] = {}
    for key, entry in reversed(history):  # who took somebody over came after them
        if entry.into in ids and entry.source.id not in ids:
            ids.add(entry.source.id)
            found[key] = entry
    return dict(reversed(found.items()))


def _send(view: View, told_of: ContactId, event: _MergeEvent) -> None:
    body = msgspec.msgpack.encode(event)
    view.send(Outgoing(slot_of(told_of), "forward", "contacts", body))
