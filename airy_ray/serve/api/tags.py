"""`tags.*` (contract: platform API §7.4)."""

from pydantic import Field

from airy_ray.errors import RequestError
from airy_ray.model import tag
from airy_ray.model.commands import CreateTag, DeleteTag, UpdateTag
from airy_ray.model.ids import format_id
from airy_ray.serve.api import examples, shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, Nothing, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import items
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.state.queries import Reading

_COLORS = Field(json_schema_extra={"enum": list(tag.COLORS)})


class NewTag(Body):
    """A tag."""

    model_config = example(name="vip", color="tag-red")
    name: str = Field(min_length=1)
    color: str = _COLORS


class ChangedTag(Body):
    """What is to be different of a tag; what is not given stays."""

    model_config = example(id=examples.TAG_ID, color="tag-blue")
    id: Id
    name: OptionalText = None
    color: OptionalText = Field(None, json_schema_extra={"enum": [*tag.COLORS, None]})


class OneTag(Body):
    """Which tag."""

    model_config = example(id=examples.TAG_ID)
    id: Id


async def create(platform: Platform, caller: Caller, asked: NewTag) -> Response:
    """Make a tag."""
    _check_color(asked.color)
    command = CreateTag(**caller.signed(), name=asked.name, color=asked.color)
    return await platform.register(command)


async def list_tags(platform: Platform, _: Caller, __: Nothing) -> Response:
    """Return all tags, by id."""
    stored = await platform.partitions.ask_registry(Reading.tags)
    return items([tag.rendered(each) for each in stored])


async def update(platform: Platform, caller: Caller, asked: ChangedTag) -> Response:
    """Change a tag."""
    if asked.color is not None:
        _check_color(asked.color)
    command = UpdateTag(
        **caller.signed(), tag_id=format_id(asked.id), name=asked.name, color=asked.color
    )
    return await platform.register(command)


async def delete(platform: Platform, caller: Caller, asked: OneTag) -> Response:
    """Delete a tag; conversations that have it keep its id."""
    return await platform.register(DeleteTag(**caller.signed(), tag_id=format_id(asked.id)))


def _check_color(color: str) -> None:
    if color not in tag.COLORS:
        raise RequestError(400, f"Tag color must be one of [{', '.join(tag.COLORS)}]")


ENDPOINTS = [
    Endpoint("/tags.create", create, NewTag, "Make a tag", shapes.Tag, 201),
    Endpoint(
        "/tags.list", list_tags, Nothing, "List tags", shapes.Items[shapes.Tag], may_be_empty=True
    ),
    Endpoint("/tags.update", update, ChangedTag, "Change a tag", status=204, failures=(404,)),
    Endpoint("/tags.delete", delete, OneTag, "Delete a tag", status=204, failures=(404,)),
]
