"""Where the events in a body belong: decided once, when it comes in, and kept in its record.

A body is parsed here only as far as it takes to find its conversations. What nobody can take, for
want of a channel, is stored all the same; see `home_of`.
"""

from collections.abc import Callable, Iterable

import msgspec

from airy_ray.clock import Micros
from airy_ray.errors import PayloadError
from airy_ray.model.channel import Channel
from airy_ray.model.custom_source import conversation_id, is_custom
from airy_ray.model.events import Place
from airy_ray.model.ids import (
    ChannelId,
    ConversationId,
    PartitionIndex,
    Slot,
    channel_id,
    owner_of,
    slot_of,
)
from airy_ray.partition.interpret import (
    CHANNEL_DISCONNECTED,
    NO_SUCH_CHANNEL,
    home_of,
    parser_of,
    unrouted_keys,
)
from airy_ray.projections.custom_sources import alias_of
from airy_ray.rawlog.record import Record, Route, payload_id
from airy_ray.sources import custom, whatsapp
from airy_ray.sources.source import Key, Source, Webhook

ChannelLookup = Callable[[ChannelId], Channel | None]
"""Look a channel up in the registry."""
AliasLookup = Callable[[bytes], Place | None]
"""Look up where an alias leads."""


def record_of(
    source: Source,
    webhook: Webhook,
    channels: ChannelLookup,
    now: Micros,
    aliases: AliasLookup = lambda _: None,
) -> Record:
    """Return the record of a webhook whose signature is right."""
    try:
        keys = source.routes(webhook)
    except PayloadError:
        keys = []  # stored as it is; its projection says in the ledger what is wrong with it
    return Record(
        received_at=now,
        kind="webhook",
        source=keys[0].source if keys else source.hook,
        body=webhook.body,
        payload_id=payload_id(webhook.body),
        routes=tuple([_joined(route(key, channels), aliases) for key in keys]),
        headers=source.kept_headers(webhook),
    )


def custom_record_of(source: str, body: bytes, channels: ChannelLookup, now: Micros) -> Record:
    """Return the record of what a custom source brings in.

    Raises:
        PayloadError: some part of the body is not what it should be.
    """
    return Record(
        received_at=now,
        kind="webhook",
        source=source,
        body=body,
        payload_id=payload_id(body),
        routes=tuple([route(key, channels) for key in custom.routes(source, body)]),
    )


def route(key: Key, channels: ChannelLookup) -> Route:
    """Return where an event belongs, and why it is not taken if it is not."""
    identifier = channel_id(key.source, key.channel)
    if is_custom(key.source) and not custom.names_a_channel(key):
        return _route_without_channel(key, identifier)
    channel = channels(identifier)
    refused = None
    if channel is None:
        refused = NO_SUCH_CHANNEL
    elif not channel.connected:
        refused = CHANNEL_DISCONNECTED
    conversation = conversation_id(key.source, identifier, key.conversation)
    return Route(key.source, key.channel, key.conversation, identifier, conversation, refused)


def _joined(own: Route, aliases: AliasLookup) -> Route:
    """Return the route to the conversation that a contact has under another name, if they have."""
    if own.source != whatsapp.Whatsapp.hook or not whatsapp.is_alias(own.conversation):
        return own
    known = aliases(own.conversation_id)
    if known is None:
        return own
    return msgspec.structs.replace(own, conversation_id=known.conversation_id)


def _route_without_channel(key: Key, channel: ChannelId) -> Route:
    """Return where metadata belongs, whether its conversation or message is known or not."""
    message = custom.named_message(key)
    if message is None:
        target = conversation_id(key.source, channel, key.conversation)
    else:
        target = ConversationId(alias_of(key.source, message))
    return Route(key.source, key.channel, key.conversation, channel, target)


def partitions_of(record: Record, count: int) -> list[PartitionIndex]:
    """Return the partitions whose logs take a record: those of its events, else its home."""
    taken = {
        owner_of(route.conversation_id, count) for route in record.routes if route.refused is None
    }
    return sorted(taken) if taken else [home_of(record, count)]


def reroute(
    record: Record, channels: ChannelLookup, aliases: AliasLookup, now: Micros
) -> tuple[Record, set[Slot]] | None:
    """Return a stored body again with the events that nobody could take before, and their slots.

    None if that is still so for all of them.
    """
    keys = [
        Key(refused.source, refused.channel, refused.conversation)
        for refused in _refused(record.routes)
    ]
    return _routed(record, keys, channels, aliases, now)


def route_anew(
    record: Record, channels: ChannelLookup, aliases: AliasLookup, now: Micros
) -> tuple[Record, set[Slot]] | None:
    """Return a stored body again with the events for which no route was found, and their slots.

    None if nobody can take any of them.
    """
    parse = parser_of(record.source)
    if parse is None:
        return None
    try:
        parsed = parse(Webhook(record.body, record.headers or {}))
    except PayloadError:
        return None
    return _routed(record, unrouted_keys(record, parsed), channels, aliases, now)


def join(
    record: Record, channels: ChannelLookup, aliases: AliasLookup, now: Micros
) -> tuple[Record, set[Slot]] | None:
    """Return a stored body again with the events of contacts known by another name since.

    None if there are none.
    """
    joined = [(own, _joined(own, aliases)) for own in record.routes if own.refused is None]
    keys = [
        Key(own.source, own.channel, own.conversation) for own, now_at in joined if own != now_at
    ]
    return _routed(record, keys, channels, aliases, now)


def _routed(
    record: Record, keys: list[Key], channels: ChannelLookup, aliases: AliasLookup, now: Micros
) -> tuple[Record, set[Slot]] | None:
    again = [route(key, channels) for key in keys]
    taken = tuple(_joined(route, aliases) for route in again if route.refused is None)
    if not taken:
        return None
    repeated = msgspec.structs.replace(record, received_at=now, routes=taken)
    return repeated, {slot_of(route.conversation_id) for route in taken}


def routed_again(
    record: Record, channels: ChannelLookup, aliases: AliasLookup, now: Micros
) -> Record:
    """Return a stored body as if it came in now, all of its events routed as that would be."""
    parse = parser_of(record.source)
    try:
        parsed = [] if parse is None else parse(Webhook(record.body, record.headers or {})).events
    except PayloadError:
        parsed = []
    found = dict.fromkeys(event.key for event in parsed)
    return msgspec.structs.replace(
        record,
        received_at=now,
        source=next((key.source for key in found), record.source),
        routes=tuple([_joined(route(key, channels), aliases) for key in found]),
    )


def _refused(routes: Iterable[Route]) -> list[Route]:
    return [
        route
        for route in routes
        if route.refused == NO_SUCH_CHANNEL and route.conversation  # one that was erased has none
    ]
