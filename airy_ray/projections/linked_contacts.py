"""Contacts whom a source knows by two names, one of which may come alone (sources §3.2).

Where the other name leads is kept in the partition of its alias, in which routing looks it up, and
beside the conversation, so that it is told once.
"""

import msgspec

from airy_ray.model.conversation import Conversation
from airy_ray.model.events import AliasKnown, ContactLinked, Place
from airy_ray.model.ids import ChannelId, format_id, slot_of
from airy_ray.model.message import Message
from airy_ray.projections import keys
from airy_ray.projections.view import Outgoing, View

_KIND = "contact"


def alias_of(source: str, channel: ChannelId, name: str) -> bytes:
    """Return the alias of a contact; its slot says which partition keeps it."""
    return keys.alias(source, _KIND, _key(channel, name))


def link(view: View, event: ContactLinked) -> bool:
    """Have what comes under the other name join a conversation; return whether that is new."""
    place = event.place
    alias = alias_of(place.source, place.channel_id, event.name)
    is_known = view.aliases.get(alias) == place
    if is_known or view.conversations.get(place.conversation_id) is None:
        return False
    view.aliases.put(alias, place)
    told = AliasKnown(place.source, _KIND, _key(place.channel_id, event.name), place)
    body = msgspec.msgpack.encode(told)
    view.send(Outgoing(slot=slot_of(alias), kind="forward", source=place.source, body=body))
    return True


def as_known(conversation: Conversation, place: Place, message: Message) -> Message:
    """Return a message of a contact under the name by which the conversation began."""
    if not message.from_contact or message.sender_id != place.source_conversation_id:
        return message
    return msgspec.structs.replace(message, sender_id=conversation.source_conversation_id)


def _key(channel: ChannelId, name: str) -> str:
    return f"{format_id(channel)} {name}"
