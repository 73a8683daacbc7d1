"""`channels.*`: listed, renamed, disconnected (contract: platform API §7.6, sources §0.8)."""

from pydantic import AliasChoices, Field

from airy_ray.errors import ChannelNotFoundError
from airy_ray.model import channel
from airy_ray.model.channel import Channel
from airy_ray.model.commands import DisconnectChannel, UpdateChannel
from airy_ray.model.ids import ChannelId, format_id
from airy_ray.serve.api import examples, shapes, telegram, viber
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import items
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response

ImageUrl = Field(None, validation_alias=AliasChoices("image_url", "imageUrl"))


class ListChannels(Body):
    """Of which source; of all without one."""

    model_config = example(source="chatplugin")
    source: OptionalText = None


class OneChannel(Body):
    """Which channel."""

    model_config = example(channel_id=examples.CHANNEL_ID)
    channel_id: Id


class UpdatedChannel(Body):
    """What a channel is to be called; what is not given stays."""

    model_config = example(channel_id=examples.CHANNEL_ID, name="Shop")
    channel_id: Id
    name: OptionalText = None
    image_url: OptionalText = ImageUrl


async def list_channels(platform: Platform, caller: Caller, asked: ListChannels) -> Response:
    """Return the connected channels, by id."""
    reach = caller.grant.reach
    return items(
        [
            channel.rendered(each)
            for each in platform.machine.registry.channels()
            if each.connected
            and asked.source in (None, each.source)
            and (reach is None or reach.covers(each))
        ]
    )


async def channel_info(platform: Platform, _: Caller, asked: OneChannel) -> Response:
    """Return a connected channel."""
    return Response(body=channel.rendered(connected(platform, asked.channel_id)))


async def update_channel(platform: Platform, caller: Caller, asked: UpdatedChannel) -> Response:
    """Set what a channel is called."""
    command = UpdateChannel(
        **caller.signed(),
        channel_id=format_id(asked.channel_id),
        metadata=given(name=asked.name, image_url=asked.image_url),
    )
    return await platform.register(command)


async def disconnect(platform: Platform, caller: Caller, asked: OneChannel) -> Response:
    """Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine.

    What its platform has to be told it is told first; if that fails, nothing has changed.
    """
    known = platform.machine.registry.channel(ChannelId(asked.channel_id))
    if known is not None and known.connected:
        await _unsubscribe(platform, known)
    command = DisconnectChannel(
        **caller.signed(),
        channel_id=format_id(asked.channel_id),
    )
    return await platform.register(command)


async def disconnect_connected(platform: Platform, caller: Caller, asked: OneChannel) -> Response:
    """Stop using a channel; one that is not connected is not found, as the reference has it."""
    connected(platform, asked.channel_id)
    return await disconnect(platform, caller, asked)


def connected(platform: Platform, identifier: bytes) -> Channel:
    """Return a connected channel.

    Raises:
        ChannelNotFoundError: there is none with this id, or it is disconnected.
    """
    found = platform.machine.registry.channel(ChannelId(identifier))
    if found is None or not found.connected:
        raise ChannelNotFoundError
    return found


def given(**values: str | None) -> dict[str, str]:
    """Return the values that are there."""
    return {key: value for key, value in values.items() if value is not None}


async def _unsubscribe(platform: Platform, left: Channel) -> None:
    """Tell the platform of a channel that its events are not wanted, where that is the custom."""
    if left.source == "viber":
        await viber.unsubscribe(platform)
    elif left.source == "telegram" and left.token is not None:
        await telegram.unsubscribe(platform, left.token)


_DISCONNECTED = (
    "facebook",
    "instagram",
    "google",
    "whatsapp",
    "twilio.sms",
    "twilio.whatsapp",
    "viber",
    "telegram",
)

ENDPOINTS = [
    Endpoint(
        "/channels.list",
        list_channels,
        ListChannels,
        "List connected channels",
        shapes.Items[shapes.Channel],
        may_be_empty=True,
    ),
    Endpoint(
        "/channels.info",
        channel_info,
        OneChannel,
        "Get a connected channel",
        shapes.Channel,
        failures=(404,),
    ),
    Endpoint(
        "/channels.update",
        update_channel,
        UpdatedChannel,
        "Rename a channel",
        shapes.Channel,
        failures=(404,),
    ),
    Endpoint(
        "/channels.chatplugin.disconnect",
        disconnect_connected,
        OneChannel,
        "Disconnect a website",
        status=204,
        failures=(404,),
    ),
    *[
        Endpoint(
            f"/channels.{source}.disconnect",
            disconnect,
            OneChannel,
            "Disconnect a channel",
            status=204,
            failures=(404,),
        )
        for source in _DISCONNECTED
    ],
]
