"""A replay that finds no space is given up whole, and can be begun again once there is some."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airy_ray.clock import Millis
from airy_ray.partition.partition import Partition
from airy_ray.replay.order import Order, Report, give_order, read_report
from airy_ray.replay.replayer import Replayer
from airy_ray.replay.selection import Selection
from tests.log_builders import owned, spec
from tests.replaying import replayed, told_rows
from tests.small_disks import full, mounted
from tests.unit.replay.test_swapping import AT, came

KB = 1 << 10
PART = Selection(sources=("facebook",))


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    """A partition on a disk of 16 MB."""
    with mounted(tmp_path / "disk", "16m") as disk, owned(spec(disk)) as opened:
        came(opened, 300)
        yield opened


def given_up(partition: Partition, order: Order) -> Report:
    """Do what an owner does with an order until it is done or has failed."""
    give_order(partition.spec.directory, order)
    replayer = Replayer(partition)
    for _ in range(20):
        replayer.work(Millis(AT))
        partition.take_offered(Millis(AT))
        report = read_report(partition.spec.directory)
        if report is not None and report.phase in ("failed", "swapped"):
            return report
    raise AssertionError(f"the replay came to {report}")


@pytest.mark.parametrize(
    ("left", "selection"),
    [
        pytest.param(64 * KB, Selection(), id="all, not even begun"),
        pytest.param(400 * KB, Selection(), id="all"),
        pytest.param(400 * KB, PART, id="part, not even begun"),
        pytest.param(1_200 * KB, PART, id="part"),
    ],
)
def test_it_fails_and_says_why_and_works_once_there_is_space(
    partition: Partition, left: int, selection: Selection
) -> None:
    before = told_rows(partition)
    with full(partition.spec.directory.parents[1], left=left):
        report = given_up(partition, Order(1, "swap", selection))

        assert report.phase == "failed"
        assert "disk is full" in (report.error or "")
        assert list(partition.spec.directory.glob(".replay-*")) == []
        assert told_rows(partition) == before
        assert (partition.is_readable, partition.generation.number) == (True, 1)
    came(partition, 10, first=300)

    assert replayed(partition, Order(2, "swap", selection), until="swapped").error is None
