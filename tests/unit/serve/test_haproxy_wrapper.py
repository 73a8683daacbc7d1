import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from airy_ray.serve import ray_environment

_CONFIG = """
defaults
    mode http
    timeout client 1s
frontend all
    bind unix@{socket}
"""
_STARTER = "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:]); time.sleep(60)"


def _wait_until(condition: object, timeout_s: float = 10) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _child_of(pid: int) -> int | None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def test_haproxy_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    config = tmp_path / "haproxy.cfg"
    listening = tmp_path / "socket"
    config.write_text(_CONFIG.format(socket=listening))
    wrapper = ray_environment._wrapped_haproxy(tmp_path)
    starter = subprocess.Popen([sys.executable, "-c", _STARTER, wrapper, "-db", "-f", config])
    assert _wait_until(listening.exists)
    haproxy = _child_of(starter.pid)
    assert haproxy is not None

    starter.send_signal(signal.SIGKILL)
    starter.wait()

    assert _wait_until(lambda: not _is_alive(haproxy))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
