"""HAProxy as Ray starts it through our wrapper."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from airy_ray.serve import ray_environment

_CONFIG = """
defaults
    mode http
    timeout client 1s
frontend all
    bind unix@{socket}
    http-request return status 404 content-type text/plain string "no such path"
"""
_STARTER = "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:]); time.sleep(60)"


def test_haproxy_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    config, listening = tmp_path / "haproxy.cfg", tmp_path / "socket"
    config.write_text(_CONFIG.format(socket=listening))
    command = [str(ray_environment._wrapped_haproxy(tmp_path)), "-db", "-f", str(config)]
    starter = subprocess.Popen([sys.executable, "-c", _STARTER, *command])
    wait_until(listening.exists)
    (haproxy,) = children_of(starter.pid)

    starter.send_signal(signal.SIGKILL)
    starter.wait()

    wait_until(lambda: not is_alive(haproxy))


def test_a_path_without_an_application_is_not_there_yet(tmp_path: Path) -> None:
    config = tmp_path / "haproxy.cfg"
    config.write_text(_CONFIG.format(socket=tmp_path / "socket"))

    subprocess.run([ray_environment._wrapped_haproxy(tmp_path), "-c", "-f", config], check=True)

    assert "return status 503 " in config.read_text()


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
