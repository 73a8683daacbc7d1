"""Copies of a state are of use only to the generation that they were taken of."""

from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.partition import repair
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec
from airy_ray.partition.upkeep import Caretaker
from airy_ray.replay.order import Order, give_order
from airy_ray.replay.replayer import Replayer
from airy_ray.replay.selection import Selection
from airy_ray.state import snapshot
from airy_ray.state.queries import reading
from tests.builders import NOW
from tests.log_builders import owned, settle
from tests.replaying import replayed
from tests.unit.replay.test_swapping import AT, came, lose

PART = Selection(sources=("facebook",))
LOST = 9
"""How many of ten messages the planted projection takes."""


@pytest.fixture
def partition(partition: Partition, monkeypatch: pytest.MonkeyPatch) -> Partition:
    """A partition that has lost a message, and a snapshot without it."""
    begin(partition, monkeypatch)
    return partition


def begin(partition: Partition, monkeypatch: pytest.MonkeyPatch) -> None:
    caretaker = Caretaker(partition, Millis(NOW))
    with monkeypatch.context() as planted:
        lose(b"text of 3", planted)
        came(partition, 10)
    copy(caretaker, partition)
    assert (partition.spec.directory / "snapshots").exists()


def copy(caretaker: Caretaker, partition: Partition) -> None:
    """Have a snapshot taken as after a long time."""
    caretaker.copy(Millis(NOW + 10 * partition.spec.upkeep.snapshot_age_ms))


def rebuilt(partition: Partition) -> int:
    """Rebuild the state as after damage; return how many messages it has."""
    partition.rebuild()
    settle(partition, AT)
    with reading(partition.state.environment) as view:
        return view.counts()["messages"]


@pytest.mark.parametrize("selection", [Selection(), PART])
def test_one_of_before_a_swap_is_not_used_by_whoever_dies_right_after(
    partition: Partition, selection: Selection
) -> None:
    give_order(partition.spec.directory, Order(1, "swap", selection))
    replayer = Replayer(partition)
    while partition.offered is None:
        replayer.work(Millis(AT))
    partition.take_offered(Millis(AT))

    assert rebuilt(partition) == LOST + 1


def test_one_that_a_swap_overtook_is_not_used(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    caretaker = Caretaker(partition, Millis(NOW))
    came(partition, 1, first=10)
    taking = snapshot.take

    def overtaken(*args: Any, **others: Any) -> snapshot.About:
        replayed(partition, Order(1, "swap"), until="swapped")
        return taking(*args, **others)

    with monkeypatch.context() as slow:
        slow.setattr(snapshot, "take", overtaken)
        copy(caretaker, partition)

    assert rebuilt(partition) == LOST + 2


def test_none_is_taken_of_what_may_not_take_over_after_all(partition: Partition) -> None:
    caretaker = Caretaker(partition, Millis(NOW))
    give_order(partition.spec.directory, Order(1, "swap"))
    replayer = Replayer(partition)
    while partition.offered is None:
        replayer.work(Millis(AT))
    present = partition.generation
    partition.take_offered(Millis(AT))
    taken, partition.generation = partition.generation, present  # as in the middle of it

    copy(caretaker, partition)

    partition.generation = taken
    assert snapshot.newest_descent(partition.spec.directory / "snapshots") == 0


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(("wanted", "count"), [("swapped", LOST + 1), ("rolled back", LOST)])
def test_a_fresh_one_is_due_after_a_swap_and_after_a_rollback(
    partition: Partition, wanted: str, count: int, is_restarted: bool
) -> None:
    caretaker = Caretaker(partition, Millis(NOW))
    replayed(partition, Order(1, "swap"), until="swapped")
    if wanted == "rolled back":
        replayed(partition, Order(1, "roll back"), until="rolled back")
    if is_restarted:
        caretaker = Caretaker(partition, Millis(NOW))

    caretaker.copy(Millis(NOW))

    snapshots = list((partition.spec.directory / "snapshots").iterdir())
    assert [int(each.name) for each in snapshots] == [partition.applied]
    assert rebuilt(partition) == count


@pytest.mark.parametrize("is_repaired", [False, True])
def test_whoever_owns_it_next_uses_the_one_of_its_generation(
    own: PartitionSpec, monkeypatch: pytest.MonkeyPatch, is_repaired: bool
) -> None:
    with owned(own) as partition:
        begin(partition, monkeypatch)
        replayed(partition, Order(1, "swap"), until="swapped")
        replayed(partition, Order(1, "roll back"), until="rolled back")
        Caretaker(partition, Millis(NOW)).copy(Millis(NOW))
        if is_repaired:
            repair.repair_tail(own, partition.applied, Millis(AT))

    with owned(own) as partition:
        assert rebuilt(partition) == LOST
