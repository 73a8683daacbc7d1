"""A channel: one account of ours at a source, through which contacts write to us."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.ids import ChannelId, format_id
from airy_ray.model.metadata import EMPTY_DOCUMENT


class Channel(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One channel as the registry keeps it.

    Attributes:
        source_channel_id: what the source calls it: a page id, an agent id, a phone number, a name.
        token: the secret with which we call the source; gone once disconnected, never served.
        metadata: the document of its metadata, with a default name where none was given.
        changed_at: when it was last connected, disconnected or changed.
    """

    id: ChannelId
    source: str
    source_channel_id: str
    connected: bool
    changed_at: Millis
    token: str | None = None
    metadata: bytes = EMPTY_DOCUMENT


def default_name(source: str, channel: ChannelId) -> str:
    """Return what a channel without a name is shown as (contract: sources §0.6)."""
    return f"{source} {format_id(channel)[-5:]}"


def rendered(channel: Channel, *, with_metadata: bool = True) -> bytes:
    """Return a channel as the API shows it; its events come without metadata (§9.3)."""
    return b"".join(
        (
            b'{"id":"',
            format_id(channel.id).encode(),
            b'","source":',
            json_text.quote(channel.source),
            b',"source_channel_id":',
            json_text.quote(channel.source_channel_id),
            b',"connected":true,"metadata":'
            if channel.connected
            else b',"connected":false,"metadata":',
            channel.metadata if with_metadata else b"null",
            b"}",
        )
    )
