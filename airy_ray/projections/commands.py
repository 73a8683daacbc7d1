"""Commands carried out: what a caller wished, folded in the order of the log, and its answer.

The caller waits until its record is applied and answers with what is left here, so it reads its own
writes, and a command that comes twice is carried out once.
"""

from typing import assert_never

from airy_ray.clock import Millis
from airy_ray.model import channel, json_text, message
from airy_ray.model.channel import Channel
from airy_ray.model.commands import (
    AnyCommand,
    ConnectChannel,
    DisconnectChannel,
    MarkRead,
    UpdateChannel,
    VisitorSend,
)
from airy_ray.model.events import (
    ChannelDescribed,
    ChannelDisconnected,
    ChannelStored,
    ConversationRead,
    MessageReceived,
    Place,
)
from airy_ray.model.ids import (
    ChannelId,
    CommandId,
    ConversationId,
    derived_id,
    message_of_command,
    parse_id,
)
from airy_ray.model.message import Message
from airy_ray.model.metadata import flatten
from airy_ray.projections import channels, conversations, messages
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import Answer, View

IGNORED_REPEATED = Effect("repeated command")
REPEATED_WITHIN_MS = 24 * 3_600_000
"""How long the id of a command, or the place of a forward, is known; later it is a new one."""

_CHATPLUGIN = "chatplugin"


def carry_out(view: View, command: AnyCommand, digest: bytes, at: Millis) -> Effect:
    """Carry a command out, unless one with its id was already, and leave its answer.

    `digest` is of all that was asked.
    """
    identifier = CommandId(parse_id(command.id))
    if is_repeated(view, identifier, at):
        return IGNORED_REPEATED
    effect, status, body = _effect(view, command, identifier, at)
    view.answer(identifier, Answer(digest, status, body, at))
    return effect


def is_repeated(view: View, key: bytes, at: Millis) -> bool:
    """Whether what was answered under `key` is known still: expiry may have deleted it, or not."""
    known = view.requests.get(key)
    return known is not None and at - known.at < REPEATED_WITHIN_MS


def _effect(
    view: View, command: AnyCommand, identifier: CommandId, at: Millis
) -> tuple[Effect, int, bytes]:
    match command:
        case MarkRead():
            conversation = ConversationId(parse_id(command.conversation_id))
            conversations.read(view, ConversationRead(conversation, at))
            return _APPLIED, 204, b""
        case VisitorSend():
            return _visitor_send(view, command, identifier, at)
        case ConnectChannel():
            stored = channels.store(view, _channel(command, identifier, at), at)
            return _APPLIED, 200, channel.rendered(stored)
        case DisconnectChannel():
            left = ChannelDisconnected(ChannelId(parse_id(command.channel_id)), at)
            is_known = channels.disconnect(view, left, at) is not None
            return _APPLIED, 204 if is_known else 404, b""
        case UpdateChannel():
            values = flatten(command.metadata)
            described = ChannelDescribed(ChannelId(parse_id(command.channel_id)), values, at)
            updated = channels.describe(view, described, at)
            if updated is None:
                return _APPLIED, 404, b""
            return _APPLIED, 200, channel.rendered(updated)
        case _:
            assert_never(command)


_APPLIED = Effect("applied")


def _visitor_send(
    view: View, command: VisitorSend, identifier: CommandId, at: Millis
) -> tuple[Effect, int, bytes]:
    conversation = ConversationId(parse_id(command.conversation_id))
    where = ChannelId(parse_id(command.channel_id))
    place = Place(conversation, where, _CHATPLUGIN, command.conversation_id)
    written = Message(
        id=message_of_command(identifier, conversation),
        conversation_id=conversation,
        channel_id=where,
        source=_CHATPLUGIN,
        sender_id=command.conversation_id,
        content=json_text.unshield(json_text.compact(bytes(command.message))),
        sent_at=at,
        from_contact=True,
    )
    effect = messages.receive(view, MessageReceived(place, written), at)
    return effect, 200, message.rendered(written, with_metadata=False)


def _channel(command: ConnectChannel, identifier: CommandId, at: Millis) -> ChannelStored:
    if command.channel_id is None:
        known = ChannelId(derived_id(identifier, "channel"))
    else:
        known = ChannelId(parse_id(command.channel_id))
    connected = Channel(
        id=known,
        source=command.source,
        source_channel_id=command.source_channel_id,
        connected=True,
        changed_at=at,
        token=command.token,
    )
    return ChannelStored(connected, flatten(command.metadata))
