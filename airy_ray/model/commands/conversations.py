"""Commands about conversations: carried out by the partition of the conversation."""

from typing import Any, Literal

import msgspec

from airy_ray.model.commands.base import Command


class MarkRead(Command, frozen=True, kw_only=True, tag="conversations.mark-read"):
    """A user has read a conversation."""

    conversation_id: str


class DescribeConversation(Command, frozen=True, kw_only=True, tag="conversations.describe"):
    """Metadata of a conversation that is known is to be set or taken away: tags, state, a name.

    Attributes:
        values: dotted key to JSON; what is not named stays.
        removed: dotted keys.
    """

    conversation_id: str
    values: dict[str, Any] = msgspec.field(default_factory=dict)
    removed: tuple[str, ...] = ()


class UpsertMetadata(Command, frozen=True, kw_only=True, tag="metadata.upsert"):
    """Metadata of something, known or still to come, is to be set.

    Attributes:
        values: an object, whose leaves become dotted keys.
    """

    subject: Literal["conversation", "message", "channel"]
    subject_id: str
    values: dict[str, Any]


ConversationCommand = MarkRead | DescribeConversation | UpsertMetadata
