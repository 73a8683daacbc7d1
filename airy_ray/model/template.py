"""A template: what a message to a source may look like (contract: sources §11)."""

import msgspec

from airy_ray.model import json_text
from airy_ray.model.ids import format_id


class Template(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One template.

    Attributes:
        content: JSON text in the source's own form, with `[[variable]]` where clients fill in.
    """

    id: bytes
    name: str
    source: str
    content: bytes


def rendered(template: Template) -> bytes:
    """Return a template as the API shows it."""
    return b"".join(
        (
            b'{"id":"',
            format_id(template.id).encode(),
            b'","name":',
            json_text.quote(template.name),
            b',"source":',
            json_text.quote(template.source),
            b',"content":',
            template.content,
            b"}",
        )
    )
