"""Commands about tags and templates: carried out by the registry."""

from typing import Any

from airy_ray.model.commands.base import Command


class CreateTag(Command, frozen=True, kw_only=True, tag="tags.create"):
    """A tag is to be had; its color is one of `model.tag.COLORS`."""

    name: str
    color: str


class UpdateTag(Command, frozen=True, kw_only=True, tag="tags.update"):
    """A tag is to be renamed or colored; None leaves as it is."""

    tag_id: str
    name: str | None = None
    color: str | None = None


class DeleteTag(Command, frozen=True, kw_only=True, tag="tags.delete"):
    """A tag is to be had no more; conversations keep its id."""

    tag_id: str


class CreateTemplate(Command, frozen=True, kw_only=True, tag="templates.create"):
    """A template is to be had: what a message to a source may look like."""

    name: str
    source: str
    content: Any


class UpdateTemplate(Command, frozen=True, kw_only=True, tag="templates.update"):
    """A template is to be changed; None leaves as it is."""

    template_id: str
    name: str | None = None
    source: str | None = None
    content: Any = None


class DeleteTemplate(Command, frozen=True, kw_only=True, tag="templates.delete"):
    """A template is to be had no more."""

    template_id: str


TagCommand = CreateTag | UpdateTag | DeleteTag
TemplateCommand = CreateTemplate | UpdateTemplate | DeleteTemplate
