"""Contacts whom a source knows by two names, one of which may come alone (sources §3.2).

One of the names is the better one: where that leads is where all of it belongs.

1. A body that tells both names goes to the partitions of both conversations. In that of the other
   name a row says from then on where the better one leads; routing looks there.
2. What was routed before, and comes after it in the log, is passed on.
3. A conversation that had begun under the other name by then stays. Its contact is merged into the
   one of the better name.
4. What becomes of our messages is told where the better name leads as well. Of one that is not
   there it is passed on to that conversation.
"""

import msgspec

from airy_ray.model import commands
from airy_ray.model.commands import MergeContacts
from airy_ray.model.conversation import Conversation
from airy_ray.model.events import (
    ContactLinked,
    ConversationDescribed,
    Event,
    FailureReceived,
    MessageReceived,
    Place,
    ReceiptReceived,
)
from airy_ray.model.ids import (
    ID_BYTES,
    ConversationId,
    command_id,
    contact_id,
    conversation_id,
    format_id,
    slot_of,
)
from airy_ray.model.message import Message
from airy_ray.projections import merges, waiting
from airy_ray.projections.view import Outgoing, View

PRINCIPAL = "rule:same-contact"
"""Who merges contacts that a source says are one, in the audit log."""

_SOURCE = "whatsapp"
_NEW = (MessageReceived, ConversationDescribed)
"""What belongs where the better name leads even if there is a conversation under the other one."""


def link(view: View, event: ContactLinked) -> bool:
    """Have what comes under a conversation's name belong elsewhere; return whether that is new."""
    own = event.place
    there = conversation_id(own.channel_id, event.name)
    place = Place(there, own.channel_id, own.source, event.name)
    if there == own.conversation_id or view.aliases.get(own.conversation_id) == place:
        return False
    view.aliases.put(own.conversation_id, place)
    _merge(view, own.conversation_id, there)
    return True


def folded_here(view: View, events: list[Event]) -> list[Event]:
    """Return which of a body's events are folded here; the others are passed on."""
    here = [event for event in events if not _is_elsewhere(view, event)]
    if len(here) < len(events):
        waiting.join(view, view.position)
    return here


def look_in_own(view: View, event: ReceiptReceived | FailureReceived) -> None:
    """Have messages of ours be looked for in the conversation of the name that an event came under.

    What is passed on has the ids of both conversations, and not the name: it goes with the contact,
    under whichever of them that is erased.
    """
    place = event.place
    own = conversation_id(place.channel_id, place.source_conversation_id)
    if place.source != _SOURCE or own == place.conversation_id or event.looked_in is not None:
        return
    there = Place(own, place.channel_id, place.source, "")
    told = msgspec.structs.replace(event, place=there, looked_in=place.conversation_id)
    body = msgspec.msgpack.encode(told)
    view.send(Outgoing(slot=slot_of(own), kind="forward", source=_SOURCE, body=body))


def as_known(conversation: Conversation, place: Place, message: Message) -> Message:
    """Return a message of a contact under the name by which the conversation began."""
    if not message.from_contact or message.sender_id != place.source_conversation_id:
        return message
    return msgspec.structs.replace(message, sender_id=conversation.source_conversation_id)


def _is_elsewhere(view: View, event: Event) -> bool:
    place = getattr(event, "place", None)
    if place is None or isinstance(event, ContactLinked):
        return False
    if view.aliases.get(place.conversation_id) is None:
        return False
    return isinstance(event, _NEW) or view.conversations.get(place.conversation_id) is None


def _merge(view: View, own: ConversationId, there: ConversationId) -> None:
    """Have the contact of a conversation taken over by that of another one, if there are both."""
    holder = view.contact_of.get(own)
    contact = None if holder is None else view.contacts.get(holder[:ID_BYTES])
    if contact is None or contact.merged_into is not None:
        return
    into = contact_id(there)
    command = MergeContacts(
        id=format_id(command_id(slot_of(into), own + there)),
        principal=PRINCIPAL,
        destination_id=format_id(into),
        source=merges.snapshot(view, contact),
    )
    body = commands.encode(command)
    view.send(Outgoing(slot=slot_of(into), kind="command", source="api", body=body))
