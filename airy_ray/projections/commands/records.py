"""Records of the log taken in again, or given up: by the partition that has them.

What is repeated becomes a new record, which the owner appends: it folds like any other, and its
consumers hear of it. Ids are digests, so nothing that is known already is doubled.
"""

from airy_ray.clock import Millis
from airy_ray.model.commands import DropRecord, ResendRecord, RetryRecord
from airy_ray.model.ids import CommandId
from airy_ray.projections import keys
from airy_ray.projections.commands.outcome import APPLIED, DONE, NOTHING_NEW, Handler, Outcome
from airy_ray.projections.view import Fault, Outgoing, View
from airy_ray.projections.waiting import RESEND, RETRY

_BEGUN = Outcome(APPLIED, 202)


def resend(view: View, command: ResendRecord, _: CommandId, __: Millis) -> Outcome:
    """Have what a source sent routed and taken in again."""
    _repeat(view, RESEND, command.offset)
    return _BEGUN


def retry(view: View, command: RetryRecord, _: CommandId, __: Millis) -> Outcome:
    """Take a record out of quarantine and have it folded again, unless somebody did already."""
    if _taken_out(view, command.offset) is None:
        return Outcome(NOTHING_NEW, 202)
    _repeat(view, RETRY, command.offset)
    return _BEGUN


def drop(view: View, command: DropRecord, _: CommandId, __: Millis) -> Outcome:
    """Take a record out of quarantine; it stays in the log, and what fell due with it goes."""
    fault = _taken_out(view, command.offset)
    if fault is None:
        return Outcome(NOTHING_NEW, 204)
    if fault.timer is not None:
        view.timers.delete(fault.timer)
    return DONE


def _taken_out(view: View, offset: int) -> Fault | None:
    """Take a record out of quarantine; return why it was there, None if it was not."""
    key = keys.offset(offset)
    fault = view.quarantine.get(key)
    if fault is not None:
        view.quarantine.delete(key)
    return fault


def _repeat(view: View, kind: str, offset: int) -> None:
    view.send(Outgoing(slot=None, kind=kind, source="", body=keys.offset(offset)))


HANDLERS: dict[type, Handler] = {ResendRecord: resend, RetryRecord: retry, DropRecord: drop}
