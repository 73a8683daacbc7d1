"""Stories in which the system stops anywhere; `python -m benchmarks.simulation` tells more."""

import os
import subprocess
import sys

import pytest

from tests.simulation.world import simulate

SEEDS = 200
_AT_ONCE = 20


@pytest.mark.parametrize("first", range(0, SEEDS, _AT_ONCE))
def test_what_was_acknowledged_stays_wherever_the_machine_stops(first: int) -> None:
    outcomes = [simulate(seed) for seed in range(first, first + _AT_ONCE)]

    assert all(outcome.counts["webhooks acknowledged"] for outcome in outcomes)
    assert sum(outcome.counts.get("crash: power", 0) for outcome in outcomes) > _AT_ONCE


@pytest.mark.parametrize("seed", [3, 14, 159])
def test_a_seed_tells_the_same_story_again(seed: int) -> None:
    assert simulate(seed) == simulate(seed)


def test_a_seed_tells_the_same_story_in_another_process() -> None:
    told = simulate(26).digest
    program = "from tests.simulation.world import simulate; print(simulate(26).digest)"
    environment = os.environ | {"PYTHONHASHSEED": "535", "PYTHONPATH": os.getcwd()}
    again = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True)

    assert again.strip() == told
