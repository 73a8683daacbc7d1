"""The simulation sees what it is there for: a system that is broken on purpose does not pass."""

from collections.abc import Callable
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.partition import forwarding
from airy_ray.partition.upkeep import Caretaker
from airy_ray.projections import messages
from airy_ray.projections.messages import Effect
from airy_ray.state.state import State
from airy_ray.storage.environments import open_environment
from tests.simulation.world import SimulationError, simulate

_SEEDS = range(60)
_DAY_MS = 86_400_000
_mark = forwarding.mark_forwarded
_set_fact = State.set_fact


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _always(*_: Any) -> bool:
    return True


def _unsynced(path: Any, tables: Any, *, durable: bool, create: bool = True) -> Any:
    return open_environment(path, tables, durable=False, create=create)


def _store_again(view: Any, event: Any, at: Millis) -> Effect:
    messages._insert(view, event.place, event.message, at)
    return Effect("created", event.message.id)


def _mark_too_much(partition: Any, sequence: int) -> None:
    _mark(partition, sequence + (2 << 16))


def _one_less(state: State, transaction: Any, name: str, number: int) -> None:
    _set_fact(state, transaction, name, max(0, number - (name == "applied")))


def _trim_all(caretaker: Caretaker) -> None:
    caretaker._partition.tail.trim(caretaker._partition.applied)


@pytest.mark.parametrize(
    ("what", "broken"),
    [
        pytest.param("rawlog.tail.open_environment", _unsynced, id="appends are not synced"),
        pytest.param("rawlog.archive.sync_file", _nothing, id="archive files are not synced"),
        pytest.param("rawlog.archive.sync_directory", _nothing, id="nor are their names"),
        pytest.param(
            "state.state.State.sync", _nothing, id="the state is not synced before a trim"
        ),
        pytest.param("partition.upkeep.Caretaker.trim", _trim_all, id="what is not archived goes"),
        pytest.param("partition.ownership.is_same_boot", _always, id="torn state is trusted"),
        pytest.param("state.state.State.set_fact", _one_less, id="records are folded twice"),
        pytest.param("projections.messages.receive", _store_again, id="messages are stored twice"),
        pytest.param("partition.forwarding.mark_forwarded", _mark_too_much, id="forwards are lost"),
        pytest.param("partition.upkeep._CLOCKS_APART_MS", -_DAY_MS, id="answers go too soon"),
    ],
)
def test_what_is_broken_is_seen(
    what: str, broken: Callable[..., Any] | int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"airy_ray.{what}", broken)

    with pytest.raises(SimulationError):
        _ = [simulate(seed) for seed in _SEEDS]
