"""Custom sources made, changed and deleted: by the registry."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import custom_source, json_text
from airy_ray.model.commands import CreateSource, DeleteSource, UpdateSource
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.ids import CommandId, derived_id
from airy_ray.projections.commands.outcome import APPLIED, NOT_FOUND, Handler, Outcome
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import View

_NAME_IN_USE = Outcome(
    Effect("name in use"), 409, json_text.encode({"message": "Source already exists"})
)


def create(view: View, command: CreateSource, identifier: CommandId, at: Millis) -> Outcome:
    """Keep a source under a name that no other has. Its token is another each time it is made."""
    key = command.source_id.encode()
    if view.sources.get(key) is not None:
        return _NAME_IN_USE
    created = CustomSource(
        id=command.source_id,
        token_id=token_id(identifier),
        created_at=at,
        name=command.name,
        image_url=command.image_url,
        action_endpoint=command.action_endpoint,
    )
    view.sources.put(key, created)
    return Outcome(APPLIED, 200, custom_source.rendered(created))


def update(view: View, command: UpdateSource, _: CommandId, __: Millis) -> Outcome:
    """Set what a source is called and where it is told, all of it."""
    key = command.source_id.encode()
    present = view.sources.get(key)
    if present is None:
        return NOT_FOUND
    updated = msgspec.structs.replace(
        present,
        name=command.name,
        image_url=command.image_url,
        action_endpoint=command.action_endpoint,
    )
    view.sources.put(key, updated)
    return Outcome(APPLIED, 200, custom_source.rendered(updated))


def delete(view: View, command: DeleteSource, _: CommandId, __: Millis) -> Outcome:
    """Forget a source, if there is one; its channels and conversations stay."""
    view.sources.delete(command.source_id.encode())
    return Outcome(APPLIED, 202)


def token_id(command: CommandId) -> bytes:
    """Return the id of the token of the source that `command` makes."""
    return derived_id(command, "source token")


HANDLERS: dict[type, Handler] = {
    CreateSource: create,
    UpdateSource: update,
    DeleteSource: delete,
}
