"""`templates.*` (contract: platform API §7.5, sources §11)."""

from pydantic import Field

from airy_ray.errors import RequestError
from airy_ray.model import template
from airy_ray.model.commands import CreateTemplate, DeleteTemplate, UpdateTemplate
from airy_ray.model.ids import format_id
from airy_ray.serve.api import examples, shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import items
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.state.queries import Reading

_CONTENT = "Any JSON but null, in the source's own form."


class NewTemplate(Body):
    """A template."""

    model_config = example(name="Shipping", source="chatplugin", content=examples.ANSWER)
    name: str = Field(min_length=1)
    source: str = Field(min_length=1)
    content: object = Field(description=_CONTENT)


class ListTemplates(Body):
    """Of which source, and what their names contain."""

    model_config = example(source="chatplugin")
    source: str = Field(min_length=1)
    name: OptionalText = Field(None, description="A part of the name; its case matters.")


class OneTemplate(Body):
    """Which template."""

    model_config = example(id=examples.TEMPLATE_ID)
    id: Id


class ChangedTemplate(OneTemplate):
    """What is to be different of a template; what is not given stays."""

    model_config = example(id=examples.TEMPLATE_ID, name="Shipping")
    name: OptionalText = None
    source: OptionalText = None
    content: object = Field(None, description=_CONTENT)


async def create(platform: Platform, caller: Caller, asked: NewTemplate) -> Response:
    """Make a template."""
    if asked.content is None:
        raise RequestError(400, "content: is required")
    command = CreateTemplate(
        **caller.signed(), name=asked.name, source=asked.source, content=asked.content
    )
    return await platform.register(command)


async def list_templates(platform: Platform, _: Caller, asked: ListTemplates) -> Response:
    """Return the templates of a source, by id."""
    stored = await platform.partitions.ask_registry(Reading.templates)
    return items(
        [
            template.rendered(each)
            for each in stored
            if each.source == asked.source and (asked.name or "") in each.name
        ]
    )


async def info(platform: Platform, _: Caller, asked: OneTemplate) -> Response:
    """Return a template."""
    found = await platform.partitions.ask_registry(Reading.template, asked.id)
    if found is None:
        raise RequestError(404)
    return Response(body=template.rendered(found))


async def update(platform: Platform, caller: Caller, asked: ChangedTemplate) -> Response:
    """Change a template."""
    command = UpdateTemplate(
        **caller.signed(),
        template_id=format_id(asked.id),
        name=asked.name,
        source=asked.source,
        content=asked.content,
    )
    return await platform.register(command)


async def delete(platform: Platform, caller: Caller, asked: OneTemplate) -> Response:
    """Delete a template."""
    command = DeleteTemplate(**caller.signed(), template_id=format_id(asked.id))
    return await platform.register(command)


ENDPOINTS = [
    Endpoint("/templates.create", create, NewTemplate, "Make a template", shapes.Template, 201),
    Endpoint(
        "/templates.list",
        list_templates,
        ListTemplates,
        "List templates of a source",
        shapes.Items[shapes.Template],
    ),
    Endpoint(
        "/templates.info", info, OneTemplate, "Get a template", shapes.Template, failures=(404,)
    ),
    Endpoint(
        "/templates.update",
        update,
        ChangedTemplate,
        "Change a template",
        shapes.Template,
        failures=(404,),
    ),
    Endpoint(
        "/templates.delete", delete, OneTemplate, "Delete a template", status=204, failures=(404,)
    ),
]
