"""Many records in one transaction: what fails is put aside alone, however much of it there is."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airy_ray.clock import Millis
from airy_ray.errors import StateError
from airy_ray.model.events import Event
from airy_ray.partition import fold
from airy_ray.partition.fold import FoldError, Understood, understand
from airy_ray.partition.writing import put_aside, write
from airy_ray.projections.messages import Effect
from airy_ray.projections.project import project as really_project
from airy_ray.projections.view import View
from airy_ray.state.queries import reading
from airy_ray.state.state import State
from tests.builders import NOW
from tests.log_builders import rows, spec, webhooks

RECORDS = 3_000
FAILING = range(1, RECORDS, 2)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(State(tmp_path / "state")) as state:
        yield state


def understood(tmp_path: Path, count: int) -> list[Understood]:
    own = spec(tmp_path)
    return [understand(*each, own.index, own.count) for each in enumerate(webhooks(count))]


def fails_for_every_other(view: View, event: Event, at: Millis) -> Effect:
    if at - NOW in FAILING:
        raise KeyError
    return really_project(view, event, at)


def test_however_many_records_of_a_batch_fail_each_is_put_aside_alone(
    tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold, "project", fails_for_every_other)

    aside = write(state, understood(tmp_path, RECORDS))

    assert aside == dict.fromkeys(FAILING, "KeyError")
    with reading(state.environment) as view:
        assert [offset for offset, _ in view.quarantine()] == list(FAILING)
        assert view.counts()["messages"] == RECORDS - len(FAILING)
    assert state.applied == RECORDS


def test_what_another_process_has_folded_meanwhile_is_not_put_aside_by_this_one(
    tmp_path: Path, state: State
) -> None:
    """The child of an owner that died may still write for a moment."""
    records = understood(tmp_path, 10)
    write(state, records)
    before = rows(state)

    put_aside(state, FoldError(records[3], KeyError()), is_history=False)

    assert rows(state) == before


def test_records_that_do_not_follow_what_a_state_holds_are_not_folded(
    tmp_path: Path, state: State
) -> None:
    first, *behind = understood(tmp_path, 3)

    with pytest.raises(StateError):
        write(state, behind)

    assert state.applied == 0
    write(state, [first])
    write(state, behind)
    assert state.applied == 3
