"""Commands about messages: carried out by the partition of their conversation."""

from typing import Any

import msgspec

from airy_ray.model.commands.base import Command


class VisitorSend(Command, frozen=True, kw_only=True, tag="chatplugin.send"):
    """A visitor of a website wrote `message`, any JSON."""

    conversation_id: str
    channel_id: str
    message: msgspec.Raw


class SendMessage(Command, frozen=True, kw_only=True, tag="messages.send"):
    """A user or program writes `message`, any JSON, to a contact.

    Attributes:
        conversation_id: may be of a conversation that nobody has heard of yet.
        channel_id: the connected channel it goes out on, with `source` and `recipient_id`; None if
            the conversation was not known when the caller asked.
        recipient_id: whom the source writes to.
    """

    conversation_id: str
    message: msgspec.Raw
    channel_id: str | None = None
    source: str | None = None
    recipient_id: str | None = None


class ResendMessage(Command, frozen=True, kw_only=True, tag="messages.resend"):
    """A message that failed is to be sent once more."""

    message_id: str


class SuggestReplies(Command, frozen=True, kw_only=True, tag="messages.suggest-replies"):
    """Answers to a message are proposed to who answers it: id to what a message would hold."""

    message_id: str
    suggestions: dict[str, Any]


MessageCommand = VisitorSend | SendMessage | ResendMessage | SuggestReplies
