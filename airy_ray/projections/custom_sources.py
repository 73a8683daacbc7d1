"""Messages of custom sources, and metadata that names a message without its conversation.

Such metadata is routed to the partition of the message's alias, which knows where the message is,
or keeps the metadata until it does.
"""

from itertools import groupby

import msgspec

from airy_ray.clock import Millis
from airy_ray.model.events import (
    AliasKnown,
    Event,
    MessageDescribed,
    MessageOverwritten,
    MessageReplaced,
    NamedMessageDescribed,
    Place,
)
from airy_ray.model.ids import Slot, message_id, slot_of
from airy_ray.model.metadata import MetadataItem
from airy_ray.projections import keys, messages, metadata
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import Outgoing, View

_MESSAGE = "message"


def alias_of(source: str, source_message_id: str) -> bytes:
    """Return the alias of a message; its slot says which partition keeps it."""
    return keys.alias(source, _MESSAGE, source_message_id)


def receive(view: View, event: MessageOverwritten, at: Millis) -> Effect:
    """Store a message as it is now, and tell where it is the first time it is met."""
    effect = messages.replace(view, MessageReplaced(event.place, event.message), at)
    name = event.message.source_message_id
    if effect.verdict == "created" and name is not None and not view.is_history:
        source = event.place.source
        slot = slot_of(alias_of(source, name))
        _forward(view, slot, source, AliasKnown(source, _MESSAGE, name, event.place))
    return effect


def describe_named(view: View, event: NamedMessageDescribed) -> Effect:
    """Pass metadata on to where its message is, or keep it until that is known."""
    alias = alias_of(event.source, event.source_message_id)
    place = view.aliases.get(alias)
    if place is not None:
        _pass_on(view, place, event.source_message_id, event.values, event.at)
        return Effect("applied")
    for name, value in event.values.items():
        long_key = name if keys.is_shortened(name) else None
        item = MetadataItem(value, event.at, long_key)
        view.metadata.put(keys.metadata("message", alias, name), item)
    return Effect("waiting")


def describe(view: View, event: MessageDescribed) -> bool:
    """Set metadata of a message; return whether anything is different now."""
    place = event.place
    identifier = message_id(place.conversation_id, event.source_message_id)
    return metadata.describe_message(
        view, place.conversation_id, identifier, event.values, event.at
    )


def release(view: View, event: AliasKnown) -> None:
    """Pass on the metadata that came before it was known where its message is, oldest first."""
    if event.kind != _MESSAGE:
        return
    prefix = keys.subject("message", alias_of(event.source, event.key))
    waiting = view.metadata.under(prefix)
    for key, _ in waiting:
        view.metadata.delete(key)
    told = [
        (item.at, item.long_key or key[len(prefix) :].decode("utf-8", "surrogatepass"), item.value)
        for key, item in waiting
    ]
    for at, group in groupby(sorted(told), key=lambda each: each[0]):
        values = {name: value for _, name, value in group}
        _pass_on(view, event.place, event.key, values, at)


def _pass_on(
    view: View, place: Place, source_message_id: str, values: dict[str, bytes], at: Millis
) -> None:
    described = MessageDescribed(place, source_message_id, values, at)
    _forward(view, slot_of(place.conversation_id), place.source, described)


def _forward(view: View, slot: Slot, source: str, event: Event) -> None:
    body = msgspec.msgpack.encode(event)
    view.send(Outgoing(slot=slot, kind="forward", source=source, body=body))
