"""The door to all commands: each is carried out once, and leaves its answer."""

from airy_ray.clock import Millis
from airy_ray.model.commands import AnyCommand, asked, subjects
from airy_ray.model.ids import CommandId, parse_id
from airy_ray.projections import audit, tombstones
from airy_ray.projections.commands import (
    access,
    channels,
    contacts,
    conversations,
    erasure,
    messages,
    records,
    replay,
    sources,
    tags,
    templates,
    webhooks,
)
from airy_ray.projections.commands.outcome import Handler
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import Answer, View

IGNORED_REPEATED = Effect("repeated command")
REPEATED_WITHIN_MS = 24 * 3_600_000
"""How long the id of a command, or the place of a forward, is known; later it is a new one."""

HANDLERS: dict[type[AnyCommand], Handler] = {
    **access.HANDLERS,
    **channels.HANDLERS,
    **contacts.HANDLERS,
    **conversations.HANDLERS,
    **erasure.HANDLERS,
    **messages.HANDLERS,
    **records.HANDLERS,
    **replay.HANDLERS,
    **sources.HANDLERS,
    **tags.HANDLERS,
    **templates.HANDLERS,
    **webhooks.HANDLERS,
}
"""What carries each command out."""


def carry_out(view: View, command: AnyCommand, digest: bytes, at: Millis) -> Effect:
    """Carry a command out, unless one with its id was already, and leave its answer.

    `digest` is of the command as it is.
    """
    identifier = CommandId(parse_id(command.id))
    if is_repeated(view, identifier, at):
        return IGNORED_REPEATED
    effect, status, body = HANDLERS[type(command)](view, command, identifier, at)
    if status == 404:
        for subject in subjects(command):
            tombstones.sweep_record(view, subject, at)
    view.answer(identifier, Answer(asked(command, digest), status, body, at))
    entry = audit.entry(command, status, body, at)
    if entry is not None:
        view.audit(entry)
    return effect


def is_repeated(view: View, key: bytes, at: Millis) -> bool:
    """Whether what was answered under `key` is known still: expiry may have deleted it, or not."""
    known = view.requests.get(key)
    return known is not None and at - known.at < REPEATED_WITHIN_MS
