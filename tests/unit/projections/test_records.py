"""Records of the log that somebody has taken in again, folded again, or given up."""

from typing import Any

import pytest

from airy_ray.clock import Micros
from airy_ray.model.commands import DropRecord, ResendRecord, RetryRecord
from airy_ray.model.ids import format_id
from airy_ray.projections import keys
from airy_ray.projections.commands import carry_out
from airy_ray.projections.view import Fault, Outgoing
from airy_ray.projections.waiting import RESEND, RETRY
from tests import builders
from tests.builders import NOW
from tests.fakes import MemoryView

RECORD = "02:17"
OFFSET = keys.offset(17)


def quarantined() -> MemoryView:
    view = MemoryView()
    view.quarantine.put(OFFSET, Fault("KeyError", "at …", Micros(NOW * 1_000)))
    view.begin(99)
    return view


def order(view: MemoryView, kind: Any, seed: str = "one") -> int:
    """Have a command about the record carried out; return the status of its answer."""
    identifier = builders.command_id(seed)
    carry_out(view, kind(id=format_id(identifier), principal="ada", record_id=RECORD), b"", NOW)
    answer = view.requests.get(identifier)
    assert answer is not None
    return answer.status


def repeated(kind: str) -> Outgoing:
    return Outgoing(None, kind, "", OFFSET)


def test_what_is_sent_again_is_to_be_routed_again() -> None:
    view = MemoryView()

    assert order(view, ResendRecord) == 202
    assert view.outgoing == [repeated(RESEND)]


def test_a_record_that_is_retried_leaves_the_quarantine_and_is_to_be_folded_again() -> None:
    view = quarantined()

    assert order(view, RetryRecord) == 202
    assert view.outgoing == [repeated(RETRY)]
    assert view.quarantine.get(OFFSET) is None


def test_a_record_that_is_dropped_leaves_the_quarantine() -> None:
    view = quarantined()

    assert order(view, DropRecord) == 204
    assert (view.outgoing, view.quarantine.get(OFFSET)) == ([], None)


@pytest.mark.parametrize("first", [RetryRecord, DropRecord])
@pytest.mark.parametrize(("second", "status"), [(RetryRecord, 202), (DropRecord, 204)])
def test_who_comes_second_has_nothing_done_again(first: Any, second: Any, status: int) -> None:
    view = quarantined()
    order(view, first)
    done = list(view.outgoing)

    assert order(view, second, "two") == status
    assert view.outgoing == done


@pytest.mark.parametrize("kind", [ResendRecord, RetryRecord, DropRecord])
def test_the_audit_log_says_who_and_which_record(kind: Any) -> None:
    view = quarantined()
    status = order(view, kind)

    (entry,) = view.audited
    assert (entry.principal, entry.subject, entry.status) == ("ada", RECORD, status)
    assert entry.action == kind.__struct_config__.tag
