"""A channel: one account of ours at a source, through which contacts write to us."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.ids import ChannelId, format_id
from airy_ray.model.metadata import EMPTY_DOCUMENT


class Backfill(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How far it is that the messages are fetched which were written before a channel was ours.

    Attributes:
        since: when the channel was connected.
        after: where the source's list of conversations goes on; empty at its beginning.
        conversations: how many are done.
        messages: how many these told.
        is_again: whether all are done, and only those are looked at once more in which somebody has
            written since: they have moved to the beginning of the list.
    """

    since: Millis
    after: str = ""
    conversations: int = 0
    messages: int = 0
    is_again: bool = False


class Channel(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One channel as the registry keeps it.

    Attributes:
        source_channel_id: what the source calls it: a page id, an agent id, a phone number, a name.
        token: the secret with which we call the source; gone once disconnected, never served.
        metadata: the document of its metadata, with a default name where none was given.
        changed_at: when it was last connected, disconnected or changed.
        backfill: what is still to be fetched of its past; None if nothing is.
    """

    id: ChannelId
    source: str
    source_channel_id: str
    connected: bool
    changed_at: Millis
    token: str | None = None
    metadata: bytes = EMPTY_DOCUMENT
    backfill: Backfill | None = None


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
