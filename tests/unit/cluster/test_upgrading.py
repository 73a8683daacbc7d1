"""History is replayed after an upgrade as the settings say: by itself, or once somebody asks."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.cluster.upgrading import Upgrading
from airy_ray.partition.partition import Partition
from airy_ray.replay import run as runs
from airy_ray.replay.order import Phase, read_report, write_report
from airy_ray.replay.replayer import Replayer
from airy_ray.replay.run import Run
from airy_ray.replay.upgrade import OnUpgrade
from airy_ray.state.tables import PROJECTION_VERSION, READABLE_SINCE
from tests.log_builders import owned, settle
from tests.upgrading import AT, unpacked


class Upgraded:
    """A data directory of an earlier release with its owners, and what a supervisor does."""

    def __init__(self, partitions: list[Partition]) -> None:
        self.partitions = partitions
        self._specs = [each.spec for each in partitions]
        self._replayers = [Replayer(each) for each in partitions]

    @property
    def projections(self) -> dict[str, int]:
        return {each.spec.name: each.state.version for each in self.partitions}

    @property
    def run(self) -> Run | None:
        return runs.status(self._specs)

    def start(self, on_upgrade: OnUpgrade) -> Upgrading:
        """Do what a supervisor and the owners do after a start, until it says that it is over."""
        upgrading = Upgrading(self._specs, on_upgrade)
        for _ in range(50):
            upgrading.look(self.projections)
            if upgrading.is_over:
                return upgrading
            self.work()
        raise AssertionError("it goes on for ever")

    def work_until(self, phase: Phase) -> None:
        """Do what the owners do until the replay is at a phase."""
        for _ in range(50):
            if self.run is not None and self.run.phase == phase:
                return
            self.work()
        raise AssertionError(f"it does not come to {phase}")

    def work(self) -> None:
        for partition, replayer in zip(self.partitions, self._replayers, strict=True):
            replayer.work(Millis(AT))
            partition.take_offered(Millis(AT))
            settle(partition, AT)


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[Upgraded]:
    with ExitStack() as stack:
        specs = unpacked(READABLE_SINCE, tmp_path)
        yield Upgraded([stack.enter_context(owned(each, AT)) for each in specs])


def test_all_of_it_is_made_anew_and_put_in_place(upgraded: Upgraded) -> None:
    upgraded.start("run")

    assert set(upgraded.projections.values()) == {PROJECTION_VERSION}
    assert upgraded.run is not None
    assert upgraded.run.upgrades_to == PROJECTION_VERSION


def test_what_is_only_offered_changes_nothing(
    upgraded: Upgraded, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        upgraded.start("offer")

    (line,) = caplog.messages
    assert "the rows of 00, 01, registry are of version 5" in line
    assert "airy-ray replay start --swap" in line
    assert upgraded.run is None
    assert set(upgraded.projections.values()) == {READABLE_SINCE}


def test_a_swap_with_which_too_much_would_vanish_waits_for_somebody(
    upgraded: Upgraded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runs, "VANISHING_MAX", -1.0)

    with caplog.at_level(logging.WARNING):
        upgraded.start("run")

    assert "stays offered: 0.00% of the messages would vanish" in caplog.messages[-1]
    assert upgraded.run is not None
    assert upgraded.run.phase == "ready"
    monkeypatch.undo()
    upgraded.start("run")
    assert set(upgraded.projections.values()) == {PROJECTION_VERSION}


def test_what_was_rolled_back_stays_so(upgraded: Upgraded) -> None:
    upgraded.start("run")
    upgraded.work_until("swapped")
    runs.roll_back([each.spec for each in upgraded.partitions])
    upgraded.work_until("rolled back")

    upgraded.start("run")

    assert set(upgraded.projections.values()) == {READABLE_SINCE}


def test_a_replay_that_failed_is_offered(
    upgraded: Upgraded, caplog: pytest.LogCaptureFixture
) -> None:
    specs = [each.spec for each in upgraded.partitions]
    upgrading = Upgrading(specs, "run")
    upgrading.look(upgraded.projections)
    upgraded.work()
    report = read_report(specs[0].directory)
    assert report is not None
    write_report(specs[0].directory, msgspec.structs.replace(report, phase="failed"))

    upgraded.start("run")

    assert "airy-ray replay start --swap" in caplog.messages[-1]
    assert set(upgraded.projections.values()) == {READABLE_SINCE}
