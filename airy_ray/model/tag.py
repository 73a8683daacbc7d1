"""A tag: what users mark conversations with (contract: platform API §4.6, §7.4)."""

import msgspec

from airy_ray.model import json_text
from airy_ray.model.ids import format_id

COLORS = ("tag-blue", "tag-red", "tag-green", "tag-purple")


class Tag(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One tag; names need not be unique."""

    id: bytes
    name: str
    color: str


def rendered(tag: Tag) -> bytes:
    """Return a tag as the API shows it."""
    shown = {"id": format_id(tag.id), "name": tag.name, "color": tag.color}
    return json_text.unshield(json_text.encode(shown))
