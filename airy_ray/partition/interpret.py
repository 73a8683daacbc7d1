"""What a record means: its body in the source's form becomes events in our own ids.

A record knows everything that this needs: the routes that ingestion decided, the headers it kept,
the time it came. A body with events for several partitions is stored whole in each of them; each
takes its own.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError
from airy_ray.model.custom_source import is_custom
from airy_ray.model.events import (
    ContactLinked,
    ConversationDescribed,
    EchoReceived,
    Event,
    FailureReceived,
    MessageOverwritten,
    MessageRecalled,
    MessageReceived,
    MessageReplaced,
    NamedMessageDescribed,
    Place,
    ReactionChanged,
    ReceiptReceived,
    WaitingFor,
)
from airy_ray.model.ids import (
    PartitionIndex,
    message_id,
    owner_of,
)
from airy_ray.model.message import Message
from airy_ray.projections.metadata import source_id_document
from airy_ray.projections.waiting import waits_for_channel
from airy_ray.rawlog.record import Record
from airy_ray.sources import custom, facebook, google, telegram, twilio, viber, whatsapp
from airy_ray.sources.source import (
    Described,
    Failed,
    Key,
    Linked,
    MessageDescribed,
    Overwritten,
    Parse,
    Parsed,
    Reacted,
    Recalled,
    Receipt,
    Received,
    Replaced,
    SourceEvent,
    Webhook,
    Without,
)

PARSERS: dict[str, Parse] = {
    "facebook": facebook.parse,
    "instagram": facebook.parse,
    "google": google.parse,
    "twilio": twilio.parse,
    "twilio.sms": twilio.parse,
    "twilio.whatsapp": twilio.parse,
    "viber": viber.parse,
    "telegram": telegram.parse,
    "whatsapp": whatsapp.parse,
}
"""How the bodies of each built-in source are read."""

WITHOUT: dict[str, Without] = {
    "facebook": facebook.without,
    "instagram": facebook.without,
    "google": google.without,
    "twilio": twilio.without,
    "twilio.sms": twilio.without,
    "twilio.whatsapp": twilio.without,
    "viber": viber.without,
    "telegram": telegram.without,
    "whatsapp": whatsapp.without,
}
"""How events are cut out of the bodies of each source."""

NO_SUCH_CHANNEL = "no such channel"
CHANNEL_DISCONNECTED = "channel disconnected"


class Meaning(msgspec.Struct, frozen=True, gc=False):
    """What a record means to one partition, and why parts of it mean nothing.

    Attributes:
        is_misrouted: it has events whose conversations nobody found when it came in; told to the
            one partition that answers for the body as a whole.
    """

    events: list[Event]
    ignored: list[str]
    is_misrouted: bool = False


def interpret(record: Record, partition: PartitionIndex, partitions: int) -> Meaning:
    """Return what a webhook record means to `partition` of `partitions`."""
    parse = parser_of(record.source)
    if parse is None:
        return Meaning([], ["unknown source"])
    try:
        parsed = parse(Webhook(record.body, record.headers or {}))
    except PayloadError as error:
        return Meaning([], [error.reason])
    places, refused, is_home = _places(record, partition, partitions)
    at = record.at
    events = [
        _TRANSLATIONS[type(told)](told, place, at)
        for told in parsed.events
        if (place := places.get(told.key)) is not None
    ]
    if not is_home:
        return Meaning(events, [])
    if refused:
        events += _waiting(record)
    is_cut = record.of is not None or len(events) == len(parsed.events)
    is_misrouted = not is_cut and bool(unrouted_keys(record, parsed))
    return Meaning(events, parsed.ignored + refused, is_misrouted)


def unrouted_keys(record: Record, parsed: Parsed) -> list[Key]:
    """Return the keys of events in a body that have no route, in order: its parser was another."""
    routed = {Key(route.source, route.channel, route.conversation) for route in record.routes}
    return [key for key in dict.fromkeys(told.key for told in parsed.events) if key not in routed]


def parser_of(source: str) -> Parse | None:
    """Return how bodies of a source are read, None if nobody can."""
    parse = PARSERS.get(source)
    if parse is None and is_custom(source):
        return partial(custom.parse, source)
    return parse


def without_of(source: str) -> Without | None:
    """Return how events are cut out of bodies of a source, None if nobody can."""
    without = WITHOUT.get(source)
    if without is None and is_custom(source):
        return partial(custom.without, source)
    return without


def home_of(record: Record, partitions: int) -> PartitionIndex:
    """Return which partition answers for a body as a whole: for what nobody takes of it."""
    for route in record.routes:
        if route.refused is None:
            return owner_of(route.conversation_id, partitions)
    return owner_of(record.payload_id, partitions)


def _places(
    record: Record, partition: PartitionIndex, partitions: int
) -> tuple[dict[Key, Place], list[str], bool]:
    """Return the places that `partition` owns, why others are not taken, and if it is the home."""
    places = {}
    refused = []
    home = None
    for route in record.routes:
        if route.refused is not None:
            refused.append(route.refused)
            continue
        owner = owner_of(route.conversation_id, partitions)
        if home is None:
            home = owner
        if owner == partition:
            key = Key(route.source, route.channel, route.conversation)
            places[key] = Place(
                route.conversation_id, route.channel_id, route.source, route.conversation
            )
    if home is None:
        home = home_of(record, partitions)
    return places, refused, home == partition


def _waiting(record: Record) -> list[Event]:
    """Return what the record waits for: channels that nobody has connected yet."""
    unknown = {route.channel_id for route in record.routes if route.refused == NO_SUCH_CHANNEL}
    return [WaitingFor(waits_for_channel(channel), record.at) for channel in sorted(unknown)]


def _received(told: Received, place: Place, at: Millis) -> Event:
    message = _message(told, place, at)
    return EchoReceived(place, message) if told.is_echo else MessageReceived(place, message)


def _replaced(told: Replaced, place: Place, at: Millis) -> Event:
    replaced_at = at if told.replaced_at is None else told.replaced_at
    return MessageReplaced(place, _message(told.received, place, at, updated_at=replaced_at))


def _overwritten(told: Overwritten, place: Place, at: Millis) -> Event:
    return MessageOverwritten(place, _message(told.received, place, at))


def _recalled(told: Recalled, place: Place, at: Millis) -> Event:
    return MessageRecalled(place, _message(told.received, place, at), told.is_unread)


def _message(
    told: Received, place: Place, at: Millis, *, updated_at: Millis | None = None
) -> Message:
    known_as = told.source_message_id
    return Message(
        message_id(place.conversation_id, told.identity),
        place.conversation_id,
        place.channel_id,
        place.source,
        told.sender_id,
        told.content,
        at if told.sent_at is None else told.sent_at,
        told.from_contact,
        "delivered",
        known_as,
        updated_at,
        told.headers,
        b"{}" if known_as is None else source_id_document(known_as),
    )


def _reacted(told: Reacted, place: Place, at: Millis) -> Event:
    when = at if told.at is None else told.at
    return ReactionChanged(place, told.source_message_id, told.emoji, when)


def _receipt(told: Receipt, place: Place, at: Millis) -> Event:
    return ReceiptReceived(
        place,
        "seen" if told.is_seen else "delivered",
        told.source_message_ids,
        told.up_to,
        told.and_earlier,
        at,
    )


def _failed(told: Failed, place: Place, at: Millis) -> Event:
    return FailureReceived(place, told.source_message_id, told.reason, told.answer, at)


def _described(told: Described, place: Place, at: Millis) -> Event:
    return ConversationDescribed(place, told.values, at)


def _message_described(told: MessageDescribed, place: Place, at: Millis) -> Event:
    return NamedMessageDescribed(place.source, place.source_conversation_id, told.values, at)


def _linked(told: Linked, place: Place, at: Millis) -> Event:
    return ContactLinked(place, told.name)


_TRANSLATIONS: dict[type[SourceEvent], Callable[..., Event]] = {
    Received: _received,
    Replaced: _replaced,
    Overwritten: _overwritten,
    Recalled: _recalled,
    Reacted: _reacted,
    Receipt: _receipt,
    Failed: _failed,
    Described: _described,
    MessageDescribed: _message_described,
    Linked: _linked,
}
