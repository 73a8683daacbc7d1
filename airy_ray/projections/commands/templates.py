"""Templates made, changed and deleted: by the registry."""

from airy_ray.clock import Millis
from airy_ray.model import json_text, template
from airy_ray.model.commands import CreateTemplate, DeleteTemplate, UpdateTemplate
from airy_ray.model.ids import CommandId, derived_id, parse_id
from airy_ray.model.template import Template
from airy_ray.projections.commands.outcome import APPLIED, DONE, NOT_FOUND, Handler, Outcome
from airy_ray.projections.view import View


def create(view: View, command: CreateTemplate, identifier: CommandId, _: Millis) -> Outcome:
    """Make a template."""
    created = Template(
        derived_id(identifier, "template"), command.name, command.source, _text(command.content)
    )
    view.templates.put(created.id, created)
    return Outcome(APPLIED, 201, template.rendered(created))


def update(view: View, command: UpdateTemplate, _: CommandId, __: Millis) -> Outcome:
    """Change what is given of a template."""
    present = view.templates.get(parse_id(command.template_id))
    if present is None:
        return NOT_FOUND
    content = command.content
    changed = Template(
        present.id,
        command.name or present.name,
        command.source or present.source,
        present.content if content is None else _text(content),
    )
    view.templates.put(changed.id, changed)
    return Outcome(APPLIED, 200, template.rendered(changed))


def delete(view: View, command: DeleteTemplate, _: CommandId, __: Millis) -> Outcome:
    """Delete a template."""
    identifier = parse_id(command.template_id)
    if view.templates.get(identifier) is None:
        return NOT_FOUND
    view.templates.delete(identifier)
    return DONE


def _text(content: object) -> bytes:
    return json_text.unshield(json_text.encode(content))


HANDLERS: dict[type, Handler] = {
    CreateTemplate: create,
    UpdateTemplate: update,
    DeleteTemplate: delete,
}
