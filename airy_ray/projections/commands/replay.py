"""Replays of history: that somebody wished one is all that is noted here, for the audit log."""

from airy_ray.clock import Millis
from airy_ray.model.commands import (
    CancelReplay,
    ReplayCommand,
    RollBackReplay,
    StartReplay,
    SwapReplay,
)
from airy_ray.model.ids import CommandId
from airy_ray.projections.commands.outcome import APPLIED, Handler, Outcome
from airy_ray.projections.view import View


def _note(_: View, __: ReplayCommand, ___: CommandId, ____: Millis) -> Outcome:
    return Outcome(APPLIED, 204)


HANDLERS: dict[type, Handler] = dict.fromkeys(
    (StartReplay, SwapReplay, CancelReplay, RollBackReplay), _note
)
