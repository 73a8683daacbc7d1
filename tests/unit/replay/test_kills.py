"""Owners, and those who order, are killed on the way: what is served is whole, and it goes on."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.errors import ReplayError
from airy_ray.partition import fold, generations
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec
from airy_ray.partition.writing import write
from airy_ray.projections.project import project as really_project
from airy_ray.projections.view import View
from airy_ray.rawlog.record import prepare
from airy_ray.replay import building, run
from airy_ray.replay.order import Order, Report, give_order, read_report, write_report
from airy_ray.replay.replayer import Replayer
from airy_ray.replay.selection import Selection
from airy_ray.state.queries import reading
from airy_ray.state.state import State
from tests.builders import NOW
from tests.log_builders import owned, rows, settle, spec, webhook, webhooks
from tests.replaying import replayed, rest
from tests.unit.replay.killing import dies, killed_before, server_dies

AT = Millis(NOW + 100_000)
LOST = "3"
ALL = {str(number) for number in range(10)}


def losing(view: View, event: Any, at: Millis) -> Any:
    if b"text of 3" in getattr(getattr(event, "message", None), "content", b""):
        return fold.FALLEN_BEFORE
    return really_project(view, event, at)


@pytest.fixture
def ready(own: PartitionSpec, monkeypatch: pytest.MonkeyPatch) -> PartitionSpec:
    """A partition that lost a message, whose history was processed again."""
    with owned(own) as partition:
        with monkeypatch.context() as planted:
            planted.setattr(fold, "project", losing)
            partition.tail.append([prepare(each) for each in webhooks(10)])
            rest(partition, NOW)
        replayed(partition, Order(1, "compare"), until="ready")
    return own


def names(partition: Partition) -> set[str]:
    with reading(partition.state.environment) as view:
        return {str(each.source_message_id) for _, each in view.messages_after(b"", 100)}


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def swaps(partition: Partition) -> int:
    records = partition.history.records(0, partition.tail.head, 1 << 20)
    return sum(record.kind == "swap" for _, record in records)


@pytest.mark.parametrize("step", ["takes over", "tells", "swapped"])
def test_a_swap_that_was_killed_goes_on(ready: PartitionSpec, step: str) -> None:
    order = Order(1, "swap")
    killed_before(step, ready, order, until="swapped")

    with owned(ready) as partition:
        assert names(partition) == (ALL if step in ("tells", "swapped") else ALL - {LOST})
        partition.tail.append([prepare(webhook("10"))])
        rest(partition, AT)
        replayed(partition, order, until="swapped")
        assert names(partition) == ALL | {"10"}
        assert swaps(partition) == 1


@pytest.mark.parametrize("step", ["takes over", "tells", "rolled back"])
def test_a_roll_back_that_was_killed_goes_on(ready: PartitionSpec, step: str) -> None:
    with owned(ready) as partition:
        replayed(partition, Order(1, "swap"), until="swapped")
    order = Order(1, "roll back")
    killed_before(step, ready, order, until="rolled back")

    with owned(ready) as partition:
        assert names(partition) == (ALL - {LOST} if step in ("tells", "rolled back") else ALL)
        partition.tail.append([prepare(webhook("10"))])
        rest(partition, AT)
        replayed(partition, order, until="rolled back")
        assert names(partition) == (ALL - {LOST}) | {"10"}
        assert swaps(partition) == 2


def test_what_was_told_stays_as_it_was_told_when_who_takes_over_dies(
    ready: PartitionSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_order(ready.directory, Order(1, "swap"))
    with owned(ready) as partition, monkeypatch.context() as killing:
        Replayer(partition).work(AT)
        # of this one the new rows tell something else: how many are unread
        partition.tail.append([prepare(webhook("10", contact="contact-3"))])
        settle(partition, AT)
        killing.setattr(generations, "set_live", interrupted)
        with pytest.raises(KeyboardInterrupt):
            partition.take_offered(AT)

    with owned(ready) as partition:
        told = rows(partition.state)["changes"]
        replayed(partition, Order(1, "swap"), until="swapped")
        assert names(partition) == ALL | {"10"}
        assert rows(partition.state)["changes"][: len(told)] == told


def test_what_the_present_generation_tells_late_is_told(ready: PartitionSpec) -> None:
    give_order(ready.directory, Order(1, "swap"))
    with owned(ready) as partition:
        partition.tail.append([prepare(webhook("10"))])  # its owner is behind
        Replayer(partition).work(AT)
        settle(partition, AT)
        told = rows(partition.state)["changes"]

        assert partition.take_offered(AT)

        assert rows(partition.state)["changes"] == told


def test_a_replay_of_which_some_partitions_were_not_told_is_not_ready(tmp_path: Path) -> None:
    specs = [spec(tmp_path, index=index, count=2) for index in range(2)]
    for each in specs:
        each.directory.mkdir(parents=True)
    give_order(specs[0].directory, Order(5, "compare"))
    write_report(specs[0].directory, Report(5, "ready", AT))

    found = run.status(specs)

    assert found is not None
    assert (found.phase, found.is_at_rest) == ("waiting", False)
    with pytest.raises(ReplayError, match="cancel it first"):
        run.start(specs, Selection(is_quarantined=True), AT)
    assert run.start(specs, Selection(), AT) == 5
    with pytest.raises(ReplayError, match="cancel it first"):
        run.start(specs, Selection(), AT)


def test_a_partition_that_has_not_swapped_gives_up_when_others_are_rolled_back(
    ready: PartitionSpec,
) -> None:
    with owned(ready) as partition:
        replayed(partition, Order(1, "roll back"), until="cancelled")
        assert names(partition) == ALL - {LOST}
    assert list(ready.directory.glob(".replay-*")) == []


def test_what_the_child_of_a_dead_owner_folds_is_folded_once(
    own: PartitionSpec, tmp_path: Path
) -> None:
    with owned(own) as partition, closing(State(tmp_path / "fresh")) as state:
        partition.tail.append([prepare(each) for each in webhooks(10)])
        records = partition.history.records(0, 10, 1 << 20)
        understood = [fold.understand(*each, own.index, own.count) for each in records]
        write(state, understood[:7], is_history=True)
        once = rows(state)
        write(state, understood[:5], is_history=True)
        assert rows(state) == once
        write(state, understood, is_history=True)
        assert state.applied == 10


@pytest.mark.parametrize("work", [dies, server_dies])
def test_a_child_that_was_killed_is_not_the_end_of_a_replay(
    ready: PartitionSpec, monkeypatch: pytest.MonkeyPatch, work: Callable[..., Iterator[None]]
) -> None:
    give_order(ready.directory, Order(1, "swap"))
    with owned(ready) as partition:
        with monkeypatch.context() as killing:
            killing.setattr(building, "make_ready", work)
            Replayer(partition).work(AT)
        report = read_report(ready.directory)
        assert report is not None
        assert report.phase == "preparing"
        assert "the process that read it ended with" in (report.error or "")
        replayed(partition, Order(1, "swap"), until="swapped")
        assert names(partition) == ALL
