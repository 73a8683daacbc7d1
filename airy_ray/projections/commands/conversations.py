"""Conversations read and described: tags, state, a name, whatever their users keep with them."""

from collections.abc import Mapping

from airy_ray.clock import Millis
from airy_ray.model import metadata as documents
from airy_ray.model.commands import DescribeConversation, MarkRead, UpsertMetadata
from airy_ray.model.events import ChannelDescribed, ConversationRead
from airy_ray.model.ids import ChannelId, CommandId, ConversationId, MessageId, parse_id
from airy_ray.projections import channels, conversations, metadata, profiles
from airy_ray.projections.commands.outcome import DONE, NOT_FOUND, NOTHING_NEW, Handler, Outcome
from airy_ray.projections.view import View

USER_DATA = "user_data."
"""What the keys of `metadata.upsert` begin with."""


def mark_read(view: View, command: MarkRead, _: CommandId, at: Millis) -> Outcome:
    """Mark a conversation as read, known or not."""
    conversation = ConversationId(parse_id(command.conversation_id))
    conversations.read(view, ConversationRead(conversation, at))
    return DONE


def describe(view: View, command: DescribeConversation, _: CommandId, at: Millis) -> Outcome:
    """Set and take away metadata of a conversation that is known."""
    conversation = ConversationId(parse_id(command.conversation_id))
    present = view.conversations.get(conversation)
    if present is None:
        return NOT_FOUND
    values: dict[str, bytes | None] = dict.fromkeys(command.removed)
    values |= {key: documents.leaf(value) for key, value in command.values.items()}
    is_different = metadata.describe_conversation(view, conversation, values, at)
    if profiles.FETCH_STATE in command.removed:
        is_wanted = profiles.want_again(view, conversations.place_of(present), at)
        if is_wanted and not is_different:
            metadata.tell_conversation(view, present, at)  # as whenever a fetch is asked for
        is_different = is_different or is_wanted
    return _told(is_different)


def upsert(view: View, command: UpsertMetadata, _: CommandId, at: Millis) -> Outcome:
    """Set metadata under `user_data` of what need not be there yet (contract: §7.3)."""
    identifier = parse_id(command.subject_id)
    values: Mapping[str, bytes] = documents.flatten(command.values, USER_DATA)
    match command.subject:
        case "conversation":
            subject = ConversationId(identifier)
            return _told(metadata.describe_conversation(view, subject, values, at))
        case "message":
            return _told(metadata.describe_message(view, None, MessageId(identifier), values, at))
        case "channel":
            described = ChannelDescribed(ChannelId(identifier), dict(values), at)
            if channels.describe(view, described, at) is None:
                channels.describe_early(view, described, at)
            return DONE


def _told(is_different: bool) -> Outcome:
    return DONE if is_different else Outcome(NOTHING_NEW, 204)


HANDLERS: dict[type, Handler] = {
    MarkRead: mark_read,
    DescribeConversation: describe,
    UpsertMetadata: upsert,
}
