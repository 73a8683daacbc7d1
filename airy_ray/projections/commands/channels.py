"""Channels connected, disconnected and described: by the registry."""

from airy_ray.clock import Millis
from airy_ray.model import channel
from airy_ray.model.channel import Backfill, Channel
from airy_ray.model.commands import ConnectChannel, DisconnectChannel, UpdateChannel
from airy_ray.model.events import ChannelDescribed, ChannelDisconnected, ChannelStored
from airy_ray.model.ids import ChannelId, CommandId, derived_id, parse_id
from airy_ray.model.metadata import flatten
from airy_ray.projections import channels
from airy_ray.projections.commands.outcome import APPLIED, DONE, NOT_FOUND, Handler, Outcome
from airy_ray.projections.view import View


def connect(view: View, command: ConnectChannel, identifier: CommandId, at: Millis) -> Outcome:
    """Connect a channel; one with a known id is connected again."""
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
        backfill=Backfill(at) if command.is_backfilled else None,
    )
    stored = channels.store(view, ChannelStored(connected, flatten(command.metadata)), at)
    return Outcome(APPLIED, 200, channel.rendered(stored))


def disconnect(view: View, command: DisconnectChannel, _: CommandId, at: Millis) -> Outcome:
    """Disconnect a channel."""
    left = ChannelDisconnected(ChannelId(parse_id(command.channel_id)), at)
    return NOT_FOUND if channels.disconnect(view, left, at) is None else DONE


def update(view: View, command: UpdateChannel, _: CommandId, at: Millis) -> Outcome:
    """Set metadata of a channel."""
    values = flatten(command.metadata)
    described = ChannelDescribed(ChannelId(parse_id(command.channel_id)), values, at)
    updated = channels.describe(view, described, at)
    return NOT_FOUND if updated is None else Outcome(APPLIED, 200, channel.rendered(updated))


HANDLERS: dict[type, Handler] = {
    ConnectChannel: connect,
    DisconnectChannel: disconnect,
    UpdateChannel: update,
}
