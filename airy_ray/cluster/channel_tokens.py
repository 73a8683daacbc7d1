"""A channel whose token is not good any more says so, until it has another."""

from airy_ray.clock import now_millis
from airy_ray.cluster.own_partitions import OwnPartitions
from airy_ray.cluster.registry import Registry
from airy_ray.model import json_text
from airy_ray.model.events import ChannelDescribed
from airy_ray.model.ids import REGISTRY, ChannelId
from airy_ray.projections.channels import TOKEN_ERROR, token_error


async def tell_token(
    partitions: OwnPartitions, registry: Registry, identifier: ChannelId, token: str, reason: str
) -> None:
    """Have a channel show why its token was refused, if it still has that one."""
    channel = registry.channel(identifier)
    if channel is None or channel.token != token or token_error(channel) == reason:
        return
    values = {TOKEN_ERROR: json_text.quote(reason)}
    await partitions.tell(REGISTRY, ChannelDescribed(identifier, values, now_millis()))
