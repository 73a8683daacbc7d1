"""`sources.*`: programs that bring messages in as sources of their own (contract: §7.10).

Sources are managed by who may manage everything, except by people in a browser; messages come from
the source's own program, which its token tells, also where nobody else needs a token.
"""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from airy_ray.clock import now_micros
from airy_ray.cluster.registry import known_channel
from airy_ray.errors import RequestError
from airy_ray.model import channel, custom_source
from airy_ray.model.channel import Channel
from airy_ray.model.commands import (
    ConnectChannel,
    CreateSource,
    DeleteSource,
    DisconnectChannel,
    UpdateSource,
)
from airy_ray.model.custom_source import CustomSource, is_custom
from airy_ray.model.ids import ChannelId, CommandId, channel_id, format_id, parse_id
from airy_ray.partition.routing import custom_record_of, partitions_of
from airy_ray.projections.commands.sources import token_id
from airy_ray.serve.api import examples, shapes
from airy_ray.serve.api.callers import Grant, spoken_for_in
from airy_ray.serve.api.channels import OneChannel
from airy_ray.serve.api.endpoint import Body, Endpoint, Nothing, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import items
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.sources.custom import ELEMENTS_MAX
from airy_ray.state.queries import Reading

_TOLD_BEFORE = "the token of this source cannot be told again"


def _custom(name: str) -> str:
    if not is_custom(name):
        raise ValueError(
            "up to 100 of A-Z, a-z, 0-9, `.`, `_`, `-`, and no source that is built in"
        )
    return name


def absolute_url(url: str | None) -> str | None:
    """Return a URL that can be called.

    Raises:
        ValueError: it cannot.
    """
    if url is None:
        return None
    parts = urlsplit(url)
    _ = parts.port  # raises, if it is none
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable():
        raise ValueError("not an absolute http or https URL")
    return url


Url = Annotated[OptionalText, AfterValidator(absolute_url)]


_MESSAGE = {
    "source_message_id": "m-1",
    "source_conversation_id": "c-1",
    "source_channel_id": "support",
    "source_sender_id": "ada",
    "content": examples.HELLO,
    "from_contact": True,
    "sent_at": examples.ASKED_AT_MS,
}
_METADATA = {
    "namespace": "conversation",
    "source_id": "c-1",
    "metadata": {"contact": {"display_name": "Ada"}},
}


class OneSource(Body):
    """Which source."""

    model_config = example(source_id="crm")
    source_id: Annotated[str, AfterValidator(_custom)]


class ToldSource(OneSource):
    """What a source is called, and where it is told what it is to send."""

    model_config = example(
        source_id="crm", name="CRM", action_endpoint=examples.SOURCE["action_endpoint"]
    )
    action_endpoint: Url = None
    name: OptionalText = None
    image_url: OptionalText = None


class NewSource(ToldSource):
    """A source."""

    source_id: Annotated[str, AfterValidator(_custom)] = Field(
        description="Its name in all that comes from it."
    )


class NewSourceChannel(Body):
    """A channel of the source that calls."""

    model_config = example(source_channel_id="support", name="Support")
    source_channel_id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    metadata: dict[str, Any] = Field(default_factory=dict)


class IngestedMessage(Body):
    """A message; the same ids again replace what it says."""

    source_message_id: str = Field(min_length=1)
    source_conversation_id: str = Field(min_length=1)
    source_channel_id: str = Field(min_length=1)
    source_sender_id: str = Field(min_length=1)
    content: object = Field(description="Any JSON but null.")
    from_contact: bool | None = False
    sent_at: int | float | str = Field(
        description="Milliseconds since 1970, or ISO 8601 with a zone."
    )


class IngestedMetadata(Body):
    """Metadata of a conversation or message, which may come later than this."""

    namespace: str = Field(description="`conversation` or `message`.")
    source_id: str = Field(min_length=1, description="What the source calls it.")
    metadata: dict[str, Any]


class Ingested(Body):
    """What a source brings in: all of it, or, if any part is wrong, nothing."""

    model_config = example(messages=[_MESSAGE], metadata=[_METADATA])
    messages: list[IngestedMessage] = Field([], max_length=ELEMENTS_MAX)
    metadata: list[IngestedMetadata] = Field([], max_length=ELEMENTS_MAX)


async def create(platform: Platform, caller: Caller, asked: NewSource) -> Response:
    """Make a source. Its token is in the answer, and nowhere else."""
    _check_manager(platform, caller)
    command = CreateSource(
        **caller.signed(),
        source_id=asked.source_id,
        name=asked.name,
        image_url=asked.image_url,
        action_endpoint=asked.action_endpoint,
    )
    made = await platform.register(command)
    if made.status != 200:
        return made
    stored = platform.machine.registry.source(asked.source_id)
    if stored is None or stored.token_id != token_id(CommandId(parse_id(command.id))):
        raise RequestError(409, _TOLD_BEFORE)  # deleted since, and perhaps made again
    return Response(body=custom_source.rendered(stored, platform.tokens.source(stored)))


async def update(platform: Platform, caller: Caller, asked: ToldSource) -> Response:
    """Change a source: what is not given, it has no more."""
    _check_manager(platform, caller)
    command = UpdateSource(
        **caller.signed(),
        source_id=asked.source_id,
        name=asked.name,
        image_url=asked.image_url,
        action_endpoint=asked.action_endpoint,
    )
    return await platform.register(command)


async def list_sources(platform: Platform, caller: Caller, _: Nothing) -> Response:
    """Return all sources, by id, without their tokens."""
    _check_manager(platform, caller)
    stored = await platform.partitions.ask_registry(Reading.sources)
    return items([custom_source.rendered(each) for each in stored])


async def delete(platform: Platform, caller: Caller, asked: OneSource) -> Response:
    """Delete a source, if it is there; its token is good for nothing, what it brought stays."""
    _check_manager(platform, caller)
    return await platform.register(DeleteSource(**caller.signed(), source_id=asked.source_id))


async def create_channel(platform: Platform, caller: Caller, asked: NewSourceChannel) -> Response:
    """Connect a channel of the source; one that is known is connected again."""
    source = _speaking(platform, caller)
    command = ConnectChannel(
        **caller.signed(),
        source=source.id,
        source_channel_id=asked.source_channel_id,
        channel_id=format_id(channel_id(source.id, asked.source_channel_id)),
        metadata={"name": asked.name} | asked.metadata,
        is_backfilled=False,
    )
    connected = await platform.register(command)
    return Response(201, connected.body) if connected.status == 200 else connected


async def list_channels(platform: Platform, caller: Caller, _: Nothing) -> Response:
    """Return the connected channels of the source, by id."""
    source = _speaking(platform, caller)
    return items(
        [
            channel.rendered(each)
            for each in platform.machine.registry.channels()
            if each.connected and each.source == source.id
        ]
    )


async def disconnect_channel(platform: Platform, caller: Caller, asked: OneChannel) -> Response:
    """Stop using a channel of the source. Repeated, it is fine."""
    source = _speaking(platform, caller)
    known = platform.machine.registry.channel(ChannelId(asked.channel_id))
    if known is None:
        raise RequestError(404)
    if known.source != source.id:
        raise RequestError(403)
    command = DisconnectChannel(**caller.signed(), channel_id=format_id(known.id))
    return await platform.register(command)


async def ingest(platform: Platform, caller: Caller, _: Ingested) -> Response:
    """Take messages and metadata in. They are on disk with the answer, and shown soon after."""
    source = _speaking(platform, caller)
    machine = platform.machine

    def lookup(identifier: ChannelId) -> Channel | None:
        return known_channel(machine.registry, identifier)

    record = custom_record_of(source.id, caller.body, lookup, now_micros())
    targets = partitions_of(record, machine.spec.count)
    await asyncio.gather(*(machine.appender.append(target, record) for target in targets))
    return Response()


def spoken_for(platform: Platform, grant: Grant) -> CustomSource:
    """Return the source that the token of a custom source is for.

    Raises:
        RequestError: 404, it was deleted; 403, it was made again and has another token.
    """
    return spoken_for_in(platform.machine.registry, grant)


def may_manage(grant: Grant) -> bool:
    """Whether a caller may manage sources: neither a source itself, nor a person who logged in."""
    return grant.source is None and grant.kind != "person"


def _check_manager(platform: Platform, caller: Caller) -> None:
    if not may_manage(caller.grant) or platform.callers.source(caller.headers) is not None:
        raise RequestError(403)


def _speaking(platform: Platform, caller: Caller) -> CustomSource:
    grant = platform.callers.source(caller.headers)
    if grant is None:
        raise RequestError(403)
    return spoken_for(platform, grant)


_CHANNEL = examples.channel("crm", "support", name="Support")

ENDPOINTS = [
    Endpoint(
        "/sources.create", create, NewSource, "Make a source", shapes.CreatedSource, failures=(409,)
    ),
    Endpoint(
        "/sources.update", update, ToldSource, "Change a source", shapes.Source, failures=(404,)
    ),
    Endpoint(
        "/sources.list",
        list_sources,
        Nothing,
        "List sources",
        shapes.Items[shapes.Source],
        may_be_empty=True,
    ),
    Endpoint("/sources.delete", delete, OneSource, "Delete a source", status=202),
    Endpoint(
        "/sources.channels.create",
        create_channel,
        NewSourceChannel,
        "Connect a channel of the source",
        shapes.Channel,
        201,
        examples={201: _CHANNEL},
        failures=(404,),
    ),
    Endpoint(
        "/sources.channels.list",
        list_channels,
        Nothing,
        "List connected channels of the source",
        shapes.Items[shapes.Channel],
        examples={200: {"data": [_CHANNEL]}},
        failures=(404,),
        may_be_empty=True,
    ),
    Endpoint(
        "/sources.channels.disconnect",
        disconnect_channel,
        OneChannel,
        "Disconnect a channel of the source",
        status=204,
        failures=(404,),
    ),
    Endpoint(
        "/sources.webhook",
        ingest,
        Ingested,
        "Take messages of the source in",
        failures=(404,),
    ),
]
