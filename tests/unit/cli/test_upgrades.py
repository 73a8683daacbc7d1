"""What commands say of rows of another release: older ones are served, newer ones refused."""

from contextlib import closing
from pathlib import Path

import pytest

from airy_ray.cli import up
from airy_ray.cli.output import console
from airy_ray.cluster.layout import prepare_data
from airy_ray.config import load
from airy_ray.serve.ports import free_port
from airy_ray.state.state import State
from airy_ray.state.tables import PROJECTION_VERSION, READABLE_SINCE
from tests.unit.cli.directories import Directory, run, told
from tests.upgrading import unpack

OFFER = (
    f"the rows of 00, 01, registry are of version {READABLE_SINCE} of the projection, this release "
    f"makes version {PROJECTION_VERSION}"
)


@pytest.fixture
def earlier(tmp_path: Path) -> Directory:
    return Directory(unpack(READABLE_SINCE, tmp_path))


def test_a_running_system_that_serves_them_is_well_and_status_says_what_is_offered(
    earlier: Directory,
) -> None:
    with earlier.running():
        shown = run(earlier, "status")
        status = told(earlier, "status")

    assert shown.exit_code == 0
    assert OFFER in shown.stdout
    assert "all is well" in shown.stdout
    assert (status["healthy"], status["attention"]) == (True, [])
    (line,) = status["notes"]
    assert line.startswith(OFFER)
    assert "airy-ray replay start --swap" in line
    assert {each["projection"] for each in status["partitions"]} == {READABLE_SINCE}


def test_a_stopped_one_needs_to_be_started_and_nothing_else(earlier: Directory) -> None:
    status = told(earlier, "status")

    assert status["attention"] == [
        "it is not running: nothing is received; start it with airy-ray up"
    ]
    assert len(status["notes"]) == 1


def test_their_generations_are_shown(earlier: Directory) -> None:
    before = earlier.digest()

    shown = told(earlier, "replay", "generations")
    table = run(earlier, "replay", "generations").stdout

    made = {each["partition"]: each["present"]["projection"] for each in shown["partitions"]}
    assert made == dict.fromkeys(("00", "01", "registry"), READABLE_SINCE)
    assert (shown["projection"], shown["readable_since"]) == (PROJECTION_VERSION, READABLE_SINCE)
    assert len(table.splitlines()) == 4
    assert earlier.digest() == before


def test_the_generations_of_the_present_release_say_what_they_were_made_of(
    directory: Directory,
) -> None:
    assert "records as they came" in run(directory, "replay", "generations").stdout


def test_they_are_no_damage(earlier: Directory) -> None:
    checked = run(earlier, "verify", "--deep")

    assert checked.exit_code == 0, checked.output
    assert f"version {READABLE_SINCE} of the projection made it" in checked.output


def test_a_start_says_so_in_one_line(earlier: Directory) -> None:
    settings = load({"data": earlier.path}, environment={})
    with console.capture() as said:
        up._tell_of_earlier(settings, prepare_data(settings))

    assert said.get().startswith(OFFER)
    assert len(said.get().splitlines()) == 1


def test_a_data_directory_of_a_newer_release_is_refused(directory: Directory) -> None:
    path = directory.specs[1].directory / "state.g1"
    with closing(State(path)) as state, state.environment.write() as transaction:
        state.set_fact(transaction, "version", PROJECTION_VERSION + 1)
    before = directory.digest()

    refused = run(directory, "up", "--port", str(free_port()))

    assert refused.exit_code == 2
    assert "partition 01: a newer release has made the state" in refused.stderr
    assert directory.digest() == before
