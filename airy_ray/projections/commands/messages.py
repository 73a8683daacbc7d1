"""Messages written by users, programs and visitors, sent again, and answers proposed for them."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import hand_over, json_text, message
from airy_ray.model import metadata as documents
from airy_ray.model.commands import ResendMessage, SendMessage, SuggestReplies, VisitorSend
from airy_ray.model.events import MessageReceived, MessageSent, Place
from airy_ray.model.ids import (
    ChannelId,
    CommandId,
    ConversationId,
    MessageId,
    message_of_command,
    parse_id,
)
from airy_ray.model.message import Message
from airy_ray.projections import conversations, messages, metadata
from airy_ray.projections.commands.outcome import APPLIED, NOT_FOUND, Handler, Outcome
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import View

_CHATPLUGIN = "chatplugin"
_DISCONNECTED = Outcome(Effect("channel disconnected"), 403)
_WITH_PEOPLE = Outcome(Effect("with people"), 409)
_NOT_FAILED = Outcome(
    Effect("not failed"), 409, json_text.encode({"message": "Message is not in a failed state"})
)
_TOO_MANY = Outcome(
    Effect("too many wait"),
    400,
    json_text.encode({"message": "too many messages wait for this conversation"}),
)


def visitor_send(view: View, command: VisitorSend, identifier: CommandId, at: Millis) -> Outcome:
    """Store what a visitor of a website wrote."""
    conversation = ConversationId(parse_id(command.conversation_id))
    where = ChannelId(parse_id(command.channel_id))
    place = Place(conversation, where, _CHATPLUGIN, command.conversation_id)
    written = Message(
        id=message_of_command(identifier, conversation),
        conversation_id=conversation,
        channel_id=where,
        source=_CHATPLUGIN,
        sender_id=command.conversation_id,
        content=_content(command.message),
        sent_at=at,
        from_contact=True,
    )
    effect = messages.receive(view, MessageReceived(place, written), at)
    return Outcome(effect, 200, message.rendered(written, with_metadata=False))


def send(view: View, command: SendMessage, identifier: CommandId, at: Millis) -> Outcome:
    """Store what is to be delivered; for a conversation that nobody knows it waits a while.

    What a bot says comes to nothing where people have taken over, however long ago it was asked.
    """
    conversation = ConversationId(parse_id(command.conversation_id))
    if command.principal in hand_over.BOTS:
        answered = view.conversations.get(conversation)
        if answered is None:
            return NOT_FOUND  # erased while the bot thought
        if answered.is_with_people:
            return _WITH_PEOPLE
    place = _place(view, command, conversation)
    written = Message(
        id=message_of_command(identifier, conversation),
        conversation_id=conversation,
        channel_id=ChannelId(bytes(16)) if place is None else place.channel_id,
        source="" if place is None else place.source,
        sender_id=command.principal,
        content=_content(command.message),
        sent_at=at,
        from_contact=False,
        delivery_state="pending",
        recipient_id=command.recipient_id,
    )
    shown = message.rendered(written)
    if place is None:
        if not messages.hold(view, written, at):
            return _TOO_MANY
        return Outcome(Effect("parked", written.id), 202, shown)
    known = view.channels.get(place.channel_id)
    if command.channel_id is None and known is not None and not known.connected:
        return _DISCONNECTED
    return Outcome(messages.send(view, MessageSent(place, written), at), 200, shown)


def resend(view: View, command: ResendMessage, _: CommandId, at: Millis) -> Outcome:
    """Have a message that failed delivered once more."""
    identifier = MessageId(parse_id(command.message_id))
    present = messages.known(view, identifier)
    if present is None:
        return NOT_FOUND
    if present.delivery_state != "failed":
        return _NOT_FAILED
    messages.send_again(view, present, at)
    return Outcome(Effect("updated", identifier), 200)


def suggest(view: View, command: SuggestReplies, _: CommandId, at: Millis) -> Outcome:
    """Add proposed answers to a message, and return it with them."""
    identifier = MessageId(parse_id(command.message_id))
    if messages.known(view, identifier) is None:
        return NOT_FOUND
    values = {
        f"suggestions.{name}.content": documents.leaf(content)
        for name, content in command.suggestions.items()
    }
    metadata.describe_message(view, None, identifier, values, at)
    described = messages.known(view, identifier)
    assert described is not None
    return Outcome(APPLIED, 200, message.rendered(described))


def _place(view: View, command: SendMessage, conversation: ConversationId) -> Place | None:
    """Return where a message goes: where the caller says, or where its conversation is."""
    if command.channel_id is not None:
        channel = ChannelId(parse_id(command.channel_id))
        source, recipient = command.source or "", command.recipient_id or ""
        return Place(conversation, channel, source, recipient)
    present = view.conversations.get(conversation)
    if present is None:
        return None
    return conversations.place_of(present)


def _content(written: msgspec.Raw) -> bytes:
    return json_text.unshield(json_text.compact(bytes(written)))


HANDLERS: dict[type, Handler] = {
    VisitorSend: visitor_send,
    SendMessage: send,
    ResendMessage: resend,
    SuggestReplies: suggest,
}
