"""`channels.*` (contract: platform API §7.6, sources §0.8)."""

from typing import Any

from pydantic import AliasChoices, Field

from airy_ray.errors import ChannelNotFoundError
from airy_ray.model import channel
from airy_ray.model.channel import Channel
from airy_ray.model.commands import ConnectChannel, DisconnectChannel, UpdateChannel
from airy_ray.model.ids import ChannelId, channel_id, format_id
from airy_ray.serve.api import graph
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, OptionalText
from airy_ray.serve.api.paging import items
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response

ImageUrl = Field(None, validation_alias=AliasChoices("image_url", "imageUrl"))


class ListChannels(Body):
    """Of which source; of all without one."""

    source: OptionalText = None


class OneChannel(Body):
    """Which channel."""

    channel_id: Id


class UpdatedChannel(Body):
    """What a channel is to be called; what is not given stays."""

    channel_id: Id
    name: OptionalText = None
    image_url: OptionalText = ImageUrl


class ChatpluginChannel(Body):
    """A website."""

    name: str = Field(min_length=1)
    image_url: OptionalText = ImageUrl


class GoogleChannel(Body):
    """An agent of Google Business Messages or RCS."""

    gbm_id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    image_url: OptionalText = ImageUrl


class FacebookChannel(Body):
    """A page, with a token of somebody who may manage it."""

    page_id: str = Field(min_length=1)
    page_token: str = Field(min_length=1)
    name: OptionalText = None
    image_url: OptionalText = ImageUrl


class InstagramChannel(FacebookChannel):
    """An Instagram account, and the page that it belongs to."""

    account_id: str = Field(min_length=1)


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
        metadata=_given(name=asked.name, image_url=asked.image_url),
    )
    return await platform.register(command)


async def connect_chatplugin(
    platform: Platform, caller: Caller, asked: ChatpluginChannel
) -> Response:
    """Make a new channel for a website."""
    metadata = _given(name=asked.name, image_url=asked.image_url)
    return await _connect(
        platform, caller, source="chatplugin", known_as=asked.name, metadata=metadata, is_new=True
    )


async def connect_google(platform: Platform, caller: Caller, asked: GoogleChannel) -> Response:
    """Use an agent as a channel."""
    metadata = _given(name=asked.name, image_url=asked.image_url)
    return await _connect(
        platform, caller, source="google", known_as=asked.gbm_id, metadata=metadata
    )


async def connect_facebook(platform: Platform, caller: Caller, asked: FacebookChannel) -> Response:
    """Use a page as a channel: get a token that lasts, and subscribe to the page's events."""
    page = await graph.connect_page(platform, asked.page_id, asked.page_token)
    metadata = _given(
        name=asked.name or page.name,
        image_url=asked.image_url or page.image_url,
        page_id=asked.page_id,
    )
    return await _connect(
        platform,
        caller,
        source="facebook",
        known_as=asked.page_id,
        metadata=metadata,
        token=page.token,
    )


async def connect_instagram(
    platform: Platform, caller: Caller, asked: InstagramChannel
) -> Response:
    """Use an Instagram account as a channel: its events are those of its page."""
    page = await graph.connect_page(platform, asked.page_id, asked.page_token)
    default_name = None if page.name is None else f"{page.name} Instagram account"
    metadata = _given(
        name=asked.name or default_name,
        image_url=asked.image_url,
        page_id=asked.page_id,
        account_id=asked.account_id,
    )
    return await _connect(
        platform,
        caller,
        source="instagram",
        known_as=asked.account_id,
        metadata=metadata,
        token=page.token,
    )


async def disconnect(platform: Platform, caller: Caller, asked: OneChannel) -> Response:
    """Stop using a channel, of whatever source: clients mix the paths up. Repeated, it is fine."""
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


async def _connect(
    platform: Platform,
    caller: Caller,
    *,
    source: str,
    known_as: str,
    metadata: dict[str, Any],
    token: str | None = None,
    is_new: bool = False,
) -> Response:
    command = ConnectChannel(
        **caller.signed(),
        source=source,
        source_channel_id=known_as,
        channel_id=None if is_new else format_id(channel_id(source, known_as)),
        token=token,
        metadata=metadata,
    )
    return await platform.register(command)


def _given(**values: str | None) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


ENDPOINTS = [
    Endpoint(
        "/channels.list", list_channels, ListChannels, "List connected channels", may_be_empty=True
    ),
    Endpoint("/channels.info", channel_info, OneChannel, "Get a connected channel"),
    Endpoint("/channels.update", update_channel, UpdatedChannel, "Rename a channel"),
    Endpoint(
        "/channels.chatplugin.connect", connect_chatplugin, ChatpluginChannel, "Connect a website"
    ),
    Endpoint(
        "/channels.chatplugin.disconnect",
        disconnect_connected,
        OneChannel,
        "Disconnect a website",
        status=204,
    ),
    Endpoint(
        "/channels.facebook.connect", connect_facebook, FacebookChannel, "Connect a Facebook page"
    ),
    Endpoint(
        "/channels.facebook.disconnect",
        disconnect,
        OneChannel,
        "Disconnect a Facebook page",
        status=204,
    ),
    Endpoint(
        "/channels.instagram.connect",
        connect_instagram,
        InstagramChannel,
        "Connect an Instagram account",
    ),
    Endpoint(
        "/channels.instagram.disconnect",
        disconnect,
        OneChannel,
        "Disconnect an Instagram account",
        status=204,
    ),
    Endpoint("/channels.google.connect", connect_google, GoogleChannel, "Connect a Google agent"),
    Endpoint(
        "/channels.google.disconnect",
        disconnect,
        OneChannel,
        "Disconnect a Google agent",
        status=204,
    ),
]
