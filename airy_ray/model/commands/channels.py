"""Commands about channels: carried out by the registry."""

from typing import Any

import msgspec

from airy_ray.model.commands.base import Command


class ConnectChannel(Command, frozen=True, kw_only=True, tag="channels.connect"):
    """A channel is to be used; everything that its platform had to agree to is done.

    Attributes:
        channel_id: None for a channel that gets a new id each time.
        token: the secret with which its platform is called.
        metadata: its name, picture and the like.
        is_backfilled: whether the messages are to be fetched which were written before.
    """

    source: str
    source_channel_id: str
    channel_id: str | None = None
    token: str | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    is_backfilled: bool = False


class DisconnectChannel(Command, frozen=True, kw_only=True, tag="channels.disconnect"):
    """A channel is not to be used any more."""

    channel_id: str


class UpdateChannel(Command, frozen=True, kw_only=True, tag="channels.update"):
    """Metadata of a channel is to be set; what is not named stays."""

    channel_id: str
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


ChannelCommand = ConnectChannel | DisconnectChannel | UpdateChannel
