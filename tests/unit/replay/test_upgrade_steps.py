"""What becomes of rows of an earlier projection: decided out of versions and the newest replay."""

from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.replay.order import Order, Phase, Report, Wanted
from airy_ray.replay.run import Part, Run
from airy_ray.replay.upgrade import next_step, notice
from airy_ray.state.tables import PROJECTION_VERSION, READABLE_SINCE

OLD = PROJECTION_VERSION - 1
MIXED = [PROJECTION_VERSION, OLD]


def run(*phases: Phase, wanted: Wanted = "compare", upgrades_to: int | None = None) -> Run:
    order = Order(1, wanted, upgrades_to=upgrades_to)
    reports = [Report(1, phase, Millis(0)) for phase in phases]
    return Run(1, [Part(f"{index:02}", order, each) for index, each in enumerate(reports)])


def ours(*phases: Phase, wanted: Wanted = "compare") -> Run:
    return run(*phases, wanted=wanted, upgrades_to=PROJECTION_VERSION)


@pytest.mark.parametrize(
    ("newest", "step"),
    [
        pytest.param(None, "start", id="there never was a replay"),
        pytest.param(run("swapped", "swapped", wanted="swap"), "start", id="an older one is over"),
        pytest.param(run("folding", "ready"), "wait", id="somebody's is at work"),
        pytest.param(run("ready", "ready"), "wait", id="somebody looks at what differs"),
        pytest.param(run("failed", "ready"), "start", id="it was begun by another release"),
        pytest.param(run("ready", upgrades_to=OLD), "wait", id="that of the upgrade before"),
        pytest.param(ours("folding", "waiting"), "wait", id="ours is at work"),
        pytest.param(ours("ready", "ready"), "swap", id="ours is ready"),
        pytest.param(ours("ready", "swapped", wanted="swap"), "wait", id="ours is half in place"),
        pytest.param(ours("swapped", "swapped", wanted="swap"), "wait", id="not noticed yet"),
        pytest.param(ours("failed", "ready"), "offer", id="ours has failed"),
        pytest.param(ours("cancelled", "cancelled", wanted="cancel"), "offer", id="cancelled"),
        pytest.param(ours("rolled back", wanted="roll back"), "offer", id="rolled back"),
    ],
)
def test_history_is_replayed_once_for_each_version(newest: Run | None, step: str) -> None:
    assert next_step(MIXED, newest) == step


@pytest.mark.parametrize("newest", [None, run("folding"), ours("rolled back", wanted="roll back")])
def test_rows_of_the_present_version_need_nothing(newest: Run | None) -> None:
    assert next_step([PROJECTION_VERSION], newest) == "nothing"


@pytest.mark.parametrize(
    ("versions", "on_upgrade", "told"),
    [
        pytest.param({"00": PROJECTION_VERSION}, "offer", None, id="nothing is old"),
        pytest.param({"00": OLD}, "offer", "airy-ray replay start --swap", id="offered"),
        pytest.param({"00": OLD}, "run", "made anew beside that", id="done"),
        pytest.param({"00": READABLE_SINCE - 1}, "offer", "before they are served", id="too old"),
    ],
)
def test_one_line_tells_of_them(
    versions: dict[str, int], on_upgrade: Any, told: str | None
) -> None:
    line = notice({"01": PROJECTION_VERSION} | versions, on_upgrade)

    assert (line is None) == (told is None)
    if line is not None and told is not None:
        assert told in line
        assert "00" in line
        assert "01" not in line
