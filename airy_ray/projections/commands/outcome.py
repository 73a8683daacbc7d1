"""What carrying a command out comes to."""

from collections.abc import Callable
from typing import Any, NamedTuple

from airy_ray.clock import Millis
from airy_ray.model.ids import CommandId
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import View


class Outcome(NamedTuple):
    """What a command did, and what its caller gets: an HTTP status, and JSON or nothing."""

    effect: Effect
    status: int
    body: bytes = b""


Handler = Callable[[View, Any, CommandId, Millis], Outcome]
"""Carries out one kind of command, which was given an id, at an instant."""

APPLIED = Effect("applied")
NOTHING_NEW = Effect("nothing new")
NOT_FOUND = Outcome(Effect("not found"), 404)
DONE = Outcome(APPLIED, 204)
