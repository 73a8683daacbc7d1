"""`metadata.upsert` (contract: platform API §7.3)."""

from typing import Any, Literal

from airy_ray.model.commands import UpsertMetadata
from airy_ray.model.ids import format_id
from airy_ray.serve.api import examples
from airy_ray.serve.api.endpoint import Body, Endpoint, Id
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response


class Upsert(Body):
    """What to keep with which subject."""

    model_config = example(
        subject="conversation", id=examples.CONVERSATION_ID, data={"order": {"number": 42}}
    )
    subject: Literal["conversation", "message", "channel"]
    id: Id
    data: dict[str, Any]


async def upsert(platform: Platform, caller: Caller, asked: Upsert) -> Response:
    """Set values under `user_data` in the metadata of something; values not named stay.

    The subject need not exist yet. Objects are merged; arrays are set as a whole.
    """
    is_channel = asked.subject == "channel"
    command = UpsertMetadata(
        **caller.signed(None if is_channel else asked.id),
        subject=asked.subject,
        subject_id=format_id(asked.id),
        values=asked.data,
    )
    if is_channel:
        return await platform.register(command)
    return await platform.carry_out(command)


ENDPOINTS = [Endpoint("/metadata.upsert", upsert, Upsert, "Keep values with something", status=204)]
