"""What the processes of a machine tell one another about a log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airy_ray.storage.beacon import Beacon, is_alive, started

HEAD_AT = 40


@pytest.fixture
def beacon(tmp_path: Path) -> Beacon:
    return Beacon(tmp_path / "beacon")


def test_another_process_sees_what_was_set(beacon: Beacon, tmp_path: Path) -> None:
    beacon.enter(123)
    beacon.doubt(is_in_doubt=True)
    beacon.use(7)
    beacon.reach(99)

    other = Beacon(tmp_path / "beacon")

    assert (other.writer, other.is_in_doubt) == ((os.getpid(), 123), True)
    assert (other.number, other.head) == (7, 99)


def test_a_new_beacon_says_nothing(beacon: Beacon) -> None:
    assert (beacon.writer, beacon.is_in_doubt, beacon.number, beacon.head) == (None, False, 0, 0)


def test_a_writer_that_is_dead_is_none(beacon: Beacon, tmp_path: Path) -> None:
    dies_inside = (
        "import sys; from pathlib import Path; from airy_ray.storage.beacon import Beacon;"
        "Beacon(Path(sys.argv[1])).enter(1)"
    )

    subprocess.run([sys.executable, "-c", dies_inside, str(tmp_path / "beacon")], check=True)

    assert beacon.writer is None


def test_a_process_that_got_the_id_of_a_dead_writer_is_none(beacon: Beacon, tmp_path: Path) -> None:
    beacon.enter(1)
    with (tmp_path / "beacon").open("r+b") as file:
        file.seek(16)
        file.write(((started(os.getpid()) or 0) - 1).to_bytes(8, "little"))

    assert beacon.writer is None


def test_leaving_does_not_wipe_out_who_came_after(beacon: Beacon, tmp_path: Path) -> None:
    child = subprocess.Popen(["/bin/sleep", "60"])
    try:
        with (tmp_path / "beacon").open("r+b") as file:
            file.write(child.pid.to_bytes(8, "little") + (5).to_bytes(8, "little"))
            file.write((started(child.pid) or 0).to_bytes(8, "little"))

        beacon.leave()

        assert beacon.writer == (child.pid, 5)
    finally:
        child.kill()
        child.wait()


def test_a_damaged_head_is_not_believed(beacon: Beacon, tmp_path: Path) -> None:
    beacon.reach(1_000)
    with (tmp_path / "beacon").open("r+b") as file:
        file.seek(HEAD_AT + 5)
        file.write(b"\x01")

    assert beacon.head == 0


def test_a_process_that_ended_but_was_not_waited_for_is_not_alive() -> None:
    child = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert not is_alive(child.pid)
    assert is_alive(os.getpid())
    child.wait()
