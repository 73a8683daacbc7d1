"""The nouns and events that tests speak of, every field filled in; a test names what it is about.

`contact` names a conversation by whom it is with, `name` a message by what its source calls it:
equal names are the same thing in every test.
"""

from typing import Any, Literal

import msgspec

from airy_ray.clock import Micros, Millis
from airy_ray.model import commands, events, ids
from airy_ray.model.channel import Channel
from airy_ray.model.commands import AnyCommand
from airy_ray.model.conversation import Conversation
from airy_ray.model.events import Place
from airy_ray.model.ids import ChannelId, CommandId, ConversationId, MessageId, Slot
from airy_ray.model.message import DeliveryState, Message
from airy_ray.model.metadata import EMPTY_DOCUMENT
from airy_ray.projections.metadata import source_id_document
from airy_ray.projections.view import Dispatch
from airy_ray.rawlog.record import Kind, Record, Route, payload_id

SOURCE = "facebook"
PAGE = "page-1"
ADA = "ada"
NOW = Millis(1_763_712_000_000)
"""2025-11-21T08:00:00.000Z"""


def place(contact: str = ADA, *, page: str = PAGE, source: str = SOURCE) -> Place:
    """Return the conversation with `contact` on a page."""
    channel = ids.channel_id(source, page)
    return Place(ids.conversation_id(channel, contact), channel, source, contact)


def conversation_id(contact: str = ADA) -> ConversationId:
    """Return the id of the conversation with `contact`."""
    return place(contact).conversation_id


def message_id(name: str = "m1", *, contact: str = ADA) -> MessageId:
    """Return the id of the message that its source calls `name`."""
    return ids.message_id(conversation_id(contact), name)


def command_id(seed: str = "a command", *, slot: int = 0) -> CommandId:
    """Return the id of a command."""
    return ids.command_id(Slot(slot), seed.encode())


def message(
    name: str = "m1",
    *,
    contact: str = ADA,
    sent_at: int = NOW,
    from_contact: bool = True,
    text: str = "Hi",
    updated_at: int | None = None,
    sender_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> Message:
    """Return a message as its source told it."""
    where = place(contact)
    return Message(
        id=ids.message_id(where.conversation_id, name),
        conversation_id=where.conversation_id,
        channel_id=where.channel_id,
        source=where.source,
        sender_id=contact if sender_id is None else sender_id,
        content=msgspec.json.encode({"text": text}),
        sent_at=Millis(sent_at),
        from_contact=from_contact,
        delivery_state="delivered",
        source_message_id=name,
        updated_at=None if updated_at is None else Millis(updated_at),
        headers=headers,
        metadata=source_id_document(name),
        recipient_id=None,
    )


def sent_id(name: str = "s1", *, contact: str = ADA) -> MessageId:
    """Return the id of a message that we send, before its source calls it anything."""
    return ids.message_of_command(command_id(name), conversation_id(contact))


def sent_message(
    name: str = "s1",
    *,
    contact: str = ADA,
    sent_at: int = NOW,
    delivery_state: DeliveryState = "pending",
) -> Message:
    """Return a message of ours that is still to be delivered."""
    where = place(contact)
    return Message(
        id=sent_id(name, contact=contact),
        conversation_id=where.conversation_id,
        channel_id=where.channel_id,
        source=where.source,
        sender_id="agent",
        content=b'{"text":"Hello"}',
        sent_at=Millis(sent_at),
        from_contact=False,
        delivery_state=delivery_state,
        source_message_id=None,
        updated_at=None,
        headers=None,
        metadata=EMPTY_DOCUMENT,
        recipient_id=None,
    )


def changed(stored: Message, **fields: Any) -> Message:
    """Return a message with some of its fields different."""
    return msgspec.structs.replace(stored, **fields)


def conversation(
    contact: str = ADA,
    *,
    source: str = SOURCE,
    unread_count: int | None = 1,
    display_name: str | None = None,
    metadata: bytes = EMPTY_DOCUMENT,
) -> Conversation:
    """Return a conversation of one message, `{"id":"last"}` to be short."""
    where = place(contact, source=source)
    return Conversation(
        id=where.conversation_id,
        channel_id=where.channel_id,
        source=source,
        source_conversation_id=contact,
        created_at=NOW,
        unread_count=unread_count,
        display_name=display_name,
        metadata=metadata,
        last_message_id=ids.message_id(where.conversation_id, "m1"),
        last_message_at=NOW,
        last_sender_id=contact,
        last_message=b'{"id":"last","metadata":{}',
        message_count=1,
        last_inbound_at=NOW,
    )


def channel(
    page: str = PAGE,
    *,
    source: str = SOURCE,
    connected: bool = True,
    token: str | None = "a secret",
    metadata: bytes = b'{"name":"A page"}',
    changed_at: int = NOW,
) -> Channel:
    """Return a channel as the registry keeps it."""
    return Channel(
        id=ids.channel_id(source, page),
        source=source,
        source_channel_id=page,
        connected=connected,
        changed_at=Millis(changed_at),
        token=token,
        metadata=metadata,
    )


def message_received(name: str = "m1", **fields: Any) -> events.MessageReceived:
    """Tell of a message; `fields` are those of `message`."""
    return events.MessageReceived(place(fields.get("contact", ADA)), message(name, **fields))


def message_replaced(
    name: str = "m1", *, at: int, text: str = "edited", **fields: Any
) -> events.MessageReplaced:
    """Tell that a message reads `text` since `at`."""
    edited = message(name, updated_at=at, text=text, **fields)
    return events.MessageReplaced(place(fields.get("contact", ADA)), edited)


def echo_received(name: str = "e1", **fields: Any) -> events.EchoReceived:
    """Tell of a message from our side that we may have sent ourselves."""
    fields.setdefault("from_contact", False)
    return events.EchoReceived(place(fields.get("contact", ADA)), message(name, **fields))


def message_recalled(
    name: str = "m1", *, is_unread: bool = False, **fields: Any
) -> events.MessageRecalled:
    """Tell of a message of the past; `fields` are those of `message`."""
    told = message(name, **fields)
    return events.MessageRecalled(place(fields.get("contact", ADA)), told, is_unread)


def message_sent(name: str = "s1", **fields: Any) -> events.MessageSent:
    """Tell that a user wrote a message; `fields` are those of `sent_message`."""
    return events.MessageSent(place(fields.get("contact", ADA)), sent_message(name, **fields))


def dispatch(position: int = 0, *, since: int = NOW, **fields: Any) -> Dispatch:
    """Return what is to be delivered, of a record received at `since` with an offset."""
    return Dispatch(place(), Millis(since), position, **fields)


def attempted(
    name: str = "s1", *, number: int = 1, courier: int = 7, contact: str = ADA
) -> events.DeliveryAttempted:
    """Tell that a courier is about to call the source."""
    return events.DeliveryAttempted(sent_id(name, contact=contact), number, courier)


def put_off(name: str = "s1", *, number: int = 1, contact: str = ADA) -> events.DeliveryPutOff:
    """Tell that the source did not take a message of ours yet."""
    return events.DeliveryPutOff(sent_id(name, contact=contact), number)


def message_delivered(
    name: str = "s1",
    *,
    known_as: str | None = "mid-1",
    contact: str = ADA,
    at: int = NOW,
    attempt: int | None = None,
) -> events.MessageDelivered:
    """Tell that the source took a message of ours."""
    return events.MessageDelivered(sent_id(name, contact=contact), known_as, Millis(at), attempt)


def message_failed(
    name: str = "s1",
    *,
    reason: str = "blocked",
    answer: str | None = None,
    contact: str = ADA,
    at: int = NOW,
    attempt: int | None = None,
) -> events.MessageFailed:
    """Tell that the source refused a message of ours."""
    named = sent_id(name, contact=contact)
    return events.MessageFailed(named, reason, answer, Millis(at), attempt)


def reaction_changed(
    emoji: str | None, *, at: int, to: str = "m1", contact: str = ADA
) -> events.ReactionChanged:
    """Tell that somebody reacted to a message, or (None) took that back."""
    return events.ReactionChanged(place(contact), to, emoji, Millis(at))


def receipt_received(
    state: Literal["delivered", "seen"],
    *names: str,
    up_to: int | None = None,
    and_earlier: bool = False,
    contact: str = ADA,
    at: int = NOW,
) -> events.ReceiptReceived:
    """Tell how far messages of ours got."""
    until = None if up_to is None else Millis(up_to)
    return events.ReceiptReceived(place(contact), state, names, until, and_earlier, Millis(at))


def failure_received(name: str, *, contact: str = ADA, at: int = NOW) -> events.FailureReceived:
    """Tell that a message of ours did not get there."""
    return events.FailureReceived(place(contact), name, "unreachable", "code=1", Millis(at))


def conversation_described(
    values: dict[str, bytes], *, contact: str = ADA, at: int = NOW
) -> events.ConversationDescribed:
    """Tell metadata of a conversation: dotted key to JSON text."""
    return events.ConversationDescribed(place(contact), values, Millis(at))


def conversation_read(*, at: int, contact: str = ADA) -> events.ConversationRead:
    """Tell that a user has seen what came before `at`."""
    return events.ConversationRead(conversation_id(contact), Millis(at))


def channel_seen(*, connected: bool = True, page: str = PAGE) -> events.ChannelSeen:
    """Tell a partition how a channel is now."""
    return events.ChannelSeen(ids.channel_id(SOURCE, page), SOURCE, page, connected)


def waiting_for(waits_for: bytes, *, at: int = NOW) -> events.WaitingFor:
    """Tell that a record waits."""
    return events.WaitingFor(waits_for, Millis(at))


def record(
    body: bytes = b"{}",
    *,
    kind: Kind = "webhook",
    source: str = SOURCE,
    at: int = NOW,
    routes: tuple[Route, ...] = (),
    headers: dict[str, str] | None = None,
) -> Record:
    """Return a record as it was taken in `at`."""
    taken = Micros(at * 1_000)
    return Record(taken, kind, source, body, payload_id(body), routes, headers, of=None)


def command_record(command: AnyCommand, *, at: int = NOW) -> Record:
    """Return the record of a command."""
    return record(commands.encode(command), kind="command", source="api", at=at)


def route(
    contact: str = ADA, *, page: str = PAGE, source: str = SOURCE, refused: str | None = None
) -> Route:
    """Return where an event of a body belongs."""
    where = place(contact, page=page, source=source)
    identifiers = where.channel_id, where.conversation_id
    return Route(source, page, contact, *identifiers, refused)


def unknown_channel_id() -> ChannelId:
    """Return the id of a channel that nobody has connected."""
    return ids.channel_id(SOURCE, "nobody's page")
