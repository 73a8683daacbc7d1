"""What the supervisor decides: who is killed, and when; without Ray."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ray.exceptions import GetTimeoutError, RayError

from airy_ray.clock import now_millis
from airy_ray.cluster import supervisor
from airy_ray.cluster.duties import Duties
from airy_ray.cluster.machine import MachineSpec
from airy_ray.cluster.partition_actor import ActorStatus
from airy_ray.cluster.supervisor import Supervisor
from airy_ray.rawlog.tail import BEACON
from airy_ray.storage.beacon import started
from tests.log_builders import spec

LONG_S = 20.0


class Access:
    """A partition's owner as it answers, or not."""

    def __init__(self, answer: Callable[[], ActorStatus]) -> None:
        self.answer = answer
        self.asked = 0

    def status_now(self, *, timeout_s: float) -> ActorStatus:
        self.asked += 1
        return self.answer()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Some process that may be killed."""
    child = subprocess.Popen(["/bin/sleep", "60"])
    yield child
    child.kill()
    child.wait()


@pytest.fixture
def machine(tmp_path: Path) -> MachineSpec:
    owns = [spec(tmp_path, index=index, count=2) for index in (0, 1)]
    return MachineSpec(owns, tmp_path, append_wait_s=1, append_queue=1)


@pytest.fixture
def supervise(
    machine: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Access], Supervisor]]:
    running: list[Supervisor] = []

    def start(access: Access) -> Supervisor:
        monkeypatch.setattr(supervisor, "start_partition", lambda *_: access)
        monkeypatch.setattr(supervisor, "_LOOK_S", 0.01)
        running.append(Supervisor(machine, Duties(), "offer"))
        return running[0]

    yield start
    for each in running:
        each._stop.set()
        each._watcher.join()
        for child in each._children.values():
            child.end()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_partitions_are_owned_once_each_owner_said_so(
    supervise: Callable[[Access], Supervisor],
) -> None:
    taken = False
    access = Access(lambda: ActorStatus(os.getpid(), is_owner=taken))
    watching = supervise(access)
    until(lambda: access.asked >= 2)
    assert not watching.are_owned()

    taken = True
    until(watching.are_owned)


def test_an_owner_that_keeps_silent_is_killed(
    supervise: Callable[[Access], Supervisor],
    process: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "_SILENT_LOOKS_MAX", 3)
    access = Access(lambda: ActorStatus(process.pid, is_owner=True))
    watching = supervise(access)
    until(watching.are_owned)

    access.answer = _raise(GetTimeoutError)

    assert process.wait(LONG_S) == -signal.SIGKILL


@pytest.mark.parametrize(
    "error",
    [pytest.param(RayError, id="on its way back"), pytest.param(None, id="answers now and then")],
)
def test_an_owner_that_is_only_late_is_left_alone(
    supervise: Callable[[Access], Supervisor],
    process: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception] | None,
) -> None:
    monkeypatch.setattr(supervisor, "_SILENT_LOOKS_MAX", 5)
    access = Access(lambda: ActorStatus(process.pid, is_owner=True))
    watching = supervise(access)
    until(watching.are_owned)

    def now_and_then() -> ActorStatus:
        if access.asked % 6 < 4:  # two partitions: two or so in a row for each
            raise GetTimeoutError
        return ActorStatus(process.pid, is_owner=True)

    before = access.asked
    access.answer = now_and_then if error is None else _raise(error)
    until(lambda: access.asked > before + 60)

    assert process.poll() is None


@pytest.mark.parametrize(
    ("held_ms", "is_killed"),
    [pytest.param(6_000, True, id="frozen"), pytest.param(3_000, False, id="slow")],
)
def test_a_process_that_holds_a_log_up_for_long_is_killed(
    supervise: Callable[[Access], Supervisor],
    machine: MachineSpec,
    process: subprocess.Popen[bytes],
    held_ms: int,
    is_killed: bool,
) -> None:
    access = Access(lambda: ActorStatus(os.getpid(), is_owner=True))
    beacon = machine.partitions[1].directory / BEACON
    supervise(access)
    until(lambda: access.asked > 0)

    _enter(beacon, process.pid, now_millis() - held_ms, started(process.pid) or 0)
    before = access.asked
    if is_killed:
        assert process.wait(LONG_S) == -signal.SIGKILL
    else:
        until(lambda: access.asked > before + 20)
        assert process.poll() is None


def test_a_process_that_got_the_id_of_one_that_died_in_an_append_is_left_alone(
    supervise: Callable[[Access], Supervisor],
    machine: MachineSpec,
    process: subprocess.Popen[bytes],
) -> None:
    access = Access(lambda: ActorStatus(os.getpid(), is_owner=True))
    supervise(access)
    until(lambda: access.asked > 0)

    _enter(machine.partitions[0].directory / BEACON, process.pid, 0, known := 1)
    before = access.asked
    until(lambda: access.asked > before + 20)

    assert process.poll() is None
    assert started(process.pid) != known


def _enter(beacon: Path, pid: int, since: int, known: int) -> None:
    """Put into a beacon what a process writes there when it enters an append."""
    with beacon.open("r+b") as file:
        file.write(b"".join(word.to_bytes(8, "little") for word in (pid, since, known)))


def _raise(error: type[Exception]) -> Callable[[], ActorStatus]:
    def answer() -> ActorStatus:
        raise error

    return answer
