"""What is left of whom was erased: an instant by which what comes late is known, and dropped.

1. A tombstone is looked at when a conversation begins, and kept in its row from then on. What was
   sent before the erasure and comes after it, for platforms repeat what was not confirmed to them
   and partitions hear of one another late, is dropped, and an hour later all partitions are told to
   cut it out of their logs as well.
2. Who writes after that begins anew.
"""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model.contact import Contact
from airy_ray.model.events import ConversationsErased, ErasureDue
from airy_ray.model.ids import ConversationId
from airy_ray.projections import keys
from airy_ray.projections.view import Outgoing, Timer, Tombstone, View

SWEEP_MS = 3_600_000
"""How long late events may stay in the log: many come within it, and the log is rewritten once."""

_encode = msgspec.msgpack.Encoder().encode


def erased_until(view: View, identifier: bytes) -> Millis | None:
    """Return until when a conversation or contact was erased, if it was."""
    tombstone = view.tombstones.get(identifier)
    return None if tombstone is None else tombstone.at


def is_late(view: View, conversation: ConversationId, at: Millis) -> bool:
    """Whether an event that happened `at` is of what was erased."""
    erased_at = erased_until(view, conversation)
    return erased_at is not None and at <= erased_at


def is_gone(view: View, conversation: ConversationId) -> bool:
    """Whether a conversation was erased and has not begun anew."""
    is_erased = erased_until(view, conversation) is not None
    return is_erased and view.conversations.get(conversation) is None


def is_forgotten(view: View, contact: Contact) -> bool:
    """Whether what is told of a contact is of one who was erased."""
    erased_at = erased_until(view, contact.id)
    return erased_at is not None and contact.created_at <= erased_at


def bury(view: View, identifier: bytes, until: Millis) -> tuple[int, bool]:
    """Put a tombstone, or leave a later one.

    Return the offset before which all of it goes, and whether the tombstone is new.
    """
    present = view.tombstones.get(identifier)
    if present is not None and present.at >= until:
        return max(present.offset, present.late), False
    view.tombstones.put(identifier, Tombstone(until, view.position))
    return view.position, True


def sweep_record(view: View, identifier: bytes, at: Millis) -> None:
    """Do as `sweep_later` with a record that is all about an erased conversation or contact.

    One that has begun anew keeps its records.
    """
    tombstone = view.tombstones.get(identifier)
    is_anew = (
        view.conversations.get(identifier) is not None or view.contacts.get(identifier) is not None
    )
    if tombstone is None or is_anew:
        return
    late = msgspec.structs.replace(tombstone, late=view.position + 1)
    view.tombstones.put(identifier, late)
    sweep_later(view, identifier, at)


def sweep_later(view: View, identifier: bytes, at: Millis) -> None:
    """Have what came late cut out of the logs, together with what comes in the next hour."""
    tombstone = view.tombstones.get(identifier)
    assert tombstone is not None  # by it the event was found to be late
    if tombstone.sweeps_at is not None and at < tombstone.sweeps_at:
        return
    sweeps_at = Millis(at + SWEEP_MS)
    swept = ConversationId(identifier)  # or a contact's: what is cut out is found by either
    due = ErasureDue(ConversationsErased((swept,), (), tombstone.at))
    view.timers.put(keys.timer(sweeps_at, identifier), Timer(_encode(due)))
    view.tombstones.put(identifier, msgspec.structs.replace(tombstone, sweeps_at=sweeps_at))


def spread(view: View, erased: ConversationsErased) -> None:
    """Tell all partitions of an erasure."""
    view.send(Outgoing(slot=None, kind="forward", source="", body=_encode(erased)))
