"""What callers of the API want done: each becomes a record, and its projection decides.

As a record's body a command is JSON, so that an exported log can be read by people.
"""

from typing import Any

import msgspec

ANONYMOUS = "airy-core-anonymous"
"""Who acts when authentication is off (contract: platform API §2.1)."""


class Command(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="command"):
    """What all commands carry.

    Attributes:
        id: under which the answer is kept for a day; equal ids are one command.
        principal: who wants it done.
    """

    id: str
    principal: str = ANONYMOUS


class MarkRead(Command, frozen=True, kw_only=True, tag="conversations.mark-read"):
    """A user has read a conversation."""

    conversation_id: str


class VisitorSend(Command, frozen=True, kw_only=True, tag="chatplugin.send"):
    """A visitor of a website wrote `message`, any JSON."""

    conversation_id: str
    channel_id: str
    message: msgspec.Raw


class ConnectChannel(Command, frozen=True, kw_only=True, tag="channels.connect"):
    """A channel is to be used; everything that its platform had to agree to is done.

    Attributes:
        channel_id: None for a channel that gets a new id each time.
        token: the secret with which its platform is called.
        metadata: its name, picture and the like.
    """

    source: str
    source_channel_id: str
    channel_id: str | None = None
    token: str | None = None
    metadata: dict[str, Any] = {}


class DisconnectChannel(Command, frozen=True, kw_only=True, tag="channels.disconnect"):
    """A channel is not to be used any more."""

    channel_id: str


class UpdateChannel(Command, frozen=True, kw_only=True, tag="channels.update"):
    """Metadata of a channel is to be set; what is not named stays."""

    channel_id: str
    metadata: dict[str, Any] = {}


AnyCommand = MarkRead | VisitorSend | ConnectChannel | DisconnectChannel | UpdateChannel

encode = msgspec.json.Encoder().encode
"""Return a command as the body of its record."""

decode = msgspec.json.Decoder(AnyCommand).decode
"""Return the command in a record's body."""
