"""Channels: what the registry keeps of them, and what it tells the partitions."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.channel import Channel, default_name
from airy_ray.model.events import (
    BackfillAdvanced,
    ChannelDescribed,
    ChannelDisconnected,
    ChannelSeen,
    ChannelStored,
)
from airy_ray.model.ids import ChannelId
from airy_ray.model.metadata import EMPTY_DOCUMENT, MetadataItem, flatten
from airy_ray.projections import changes, keys, metadata
from airy_ray.projections.view import Outgoing, View

TOKEN_ERROR = "token.error"  # noqa: S105 - a key
"""The metadata of a channel that says why its token is not good any more."""


def store(view: View, event: ChannelStored, at: Millis) -> Channel:
    """Keep a channel that was connected, with what it is called."""
    stored = event.channel
    values = event.metadata
    if view.metadata.get(keys.metadata("channel", stored.id, TOKEN_ERROR)) is not None:
        values = {TOKEN_ERROR: b""} | values  # it has another one
    _put_metadata(view, stored.id, values, at)
    stored = msgspec.structs.replace(stored, metadata=_document(view, stored))
    view.registry_channels.put(stored.id, stored)
    _tell(view, stored)
    changes.metadata_stored(view, "channel", stored.id, _plain_document(view, stored.id), at)
    return stored


def disconnect(view: View, event: ChannelDisconnected, at: Millis) -> Channel | None:
    """Take a channel out of use and forget its token; its record and history stay."""
    present = view.registry_channels.get(event.channel_id)
    if present is None or not present.connected:
        return present
    if present.backfill is not None:
        _put_metadata(view, present.id, {"backfill.state": b'"stopped"'}, at)
    stored = msgspec.structs.replace(
        present,
        connected=False,
        token=None,
        changed_at=event.at,
        metadata=_document(view, present),
        backfill=None,
    )
    view.registry_channels.put(stored.id, stored)
    _tell(view, stored)
    return stored


def describe(view: View, event: ChannelDescribed, at: Millis) -> Channel | None:
    """Set metadata of a channel."""
    present = view.registry_channels.get(event.channel_id)
    if present is None:
        return None
    _put_metadata(view, present.id, event.values, at)
    stored = msgspec.structs.replace(
        present, metadata=_document(view, present), changed_at=event.at
    )
    view.registry_channels.put(stored.id, stored)
    changes.metadata_stored(view, "channel", stored.id, _plain_document(view, stored.id), at)
    return stored


def advance(view: View, event: BackfillAdvanced, at: Millis) -> bool:
    """Note how much of a channel's past is here, for all to see; return whether that was wanted."""
    present = view.registry_channels.get(event.channel_id)
    known = None if present is None else present.backfill
    if present is None or known is None or known.since != event.backfill.since:
        return False  # it was disconnected meanwhile, or connected again
    state = "fetching" if not event.is_over else "done" if event.problem is None else "failed"
    counted = event.backfill
    told = {"state": state, "conversations": counted.conversations, "messages": counted.messages}
    values = flatten({"backfill": told})
    values["backfill.error"] = b"" if event.problem is None else json_text.quote(event.problem)
    _put_metadata(view, present.id, values, at)
    stored = msgspec.structs.replace(
        present,
        metadata=_document(view, present),
        backfill=None if event.is_over else event.backfill,
    )
    view.registry_channels.put(stored.id, stored)
    changes.metadata_stored(view, "channel", stored.id, _plain_document(view, stored.id), at)
    return True


def describe_early(view: View, event: ChannelDescribed, at: Millis) -> None:
    """Keep metadata of a channel that may be connected later."""
    _put_metadata(view, event.channel_id, event.values, at)
    document = _plain_document(view, event.channel_id)
    changes.metadata_stored(view, "channel", event.channel_id, document, at)


def token_error(channel: Channel) -> str | None:
    """Return why a channel's token is not good any more, if it is known not to be."""
    told = json_text.decode(channel.metadata).get("token")
    error = told.get("error") if isinstance(told, dict) else None
    return error if isinstance(error, str) else None


def _tell(view: View, stored: Channel) -> None:
    """Tell subscribers, and every partition, how a channel is now."""
    changes.channel_stored(view, stored)
    seen = ChannelSeen(stored.id, stored.source, stored.source_channel_id, stored.connected)
    body = msgspec.msgpack.encode(seen)
    view.send(Outgoing(slot=None, kind="channel", source=stored.source, body=body))


def _put_metadata(view: View, channel: ChannelId, values: dict[str, bytes], at: Millis) -> None:
    for name, value in values.items():
        long_key = name if keys.is_shortened(name) else None
        view.metadata.put(
            keys.metadata("channel", channel, name), MetadataItem(value, at, long_key)
        )


def _plain_document(view: View, channel: ChannelId) -> bytes:
    return metadata.document_of(view, "channel", channel)


def _document(view: View, channel: Channel) -> bytes:
    """Return what the API shows of a channel's metadata: with a name in any case (§4.1)."""
    document = _plain_document(view, channel.id)
    value = {} if document == EMPTY_DOCUMENT else json_text.decode(document)
    named = {"name": default_name(channel.source, channel.id)} | value
    return json_text.unshield(json_text.encode(named))
