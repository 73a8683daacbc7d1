"""Tags made, changed and deleted: by the registry."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import tag
from airy_ray.model.commands import CreateTag, DeleteTag, UpdateTag
from airy_ray.model.ids import CommandId, derived_id, parse_id
from airy_ray.model.tag import Tag
from airy_ray.projections import changes
from airy_ray.projections.commands.outcome import APPLIED, DONE, NOT_FOUND, Handler, Outcome
from airy_ray.projections.view import View


def create(view: View, command: CreateTag, identifier: CommandId, at: Millis) -> Outcome:
    """Make a tag."""
    created = Tag(derived_id(identifier, "tag"), command.name, command.color)
    view.tags.put(created.id, created)
    changes.tag_stored(view, created, at)
    return Outcome(APPLIED, 201, tag.rendered(created))


def update(view: View, command: UpdateTag, _: CommandId, at: Millis) -> Outcome:
    """Change what is given of a tag."""
    present = view.tags.get(parse_id(command.tag_id))
    if present is None:
        return NOT_FOUND
    changed = msgspec.structs.replace(
        present, name=command.name or present.name, color=command.color or present.color
    )
    view.tags.put(changed.id, changed)
    changes.tag_stored(view, changed, at)
    return DONE


def delete(view: View, command: DeleteTag, _: CommandId, __: Millis) -> Outcome:
    """Delete a tag; conversations keep its id, which clients pass over (§7.4)."""
    identifier = parse_id(command.tag_id)
    if view.tags.get(identifier) is None:
        return NOT_FOUND
    view.tags.delete(identifier)
    return DONE


HANDLERS: dict[type, Handler] = {CreateTag: create, UpdateTag: update, DeleteTag: delete}
