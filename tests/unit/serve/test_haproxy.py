"""HAProxy as Ray starts it through our wrapper."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from airy_ray.serve import haproxy, ray_environment

_CONFIG = """
defaults
    mode http
    timeout client 1s
frontend all
    bind unix@{socket}
"""
_FRONTEND = """
defaults
    mode http
    timeout client 5s
frontend http_frontend
    bind unix@{socket}
    http-request return status 200
"""
_BACKEND = """\
backend http-{0}
    log global
    # Servers in this backend
    server SERVE_REPLICA_{0}-x 127.0.0.1:30000 check
"""
_FALLBACK = "    server SERVE_PROXY_ACTOR-fallback-66 127.0.0.1:27042 check backup\n"
_STARTER = "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:]); time.sleep(60)"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("    bind :8404\n", "    bind 127.0.0.1:8404\n", id="metrics page"),
        pytest.param("  bind *:8405\n", "  bind 127.0.0.1:8405\n", id="statistics page"),
        pytest.param("    bind 0.0.0.0:80\n", "    bind 0.0.0.0:80\n", id="what we listen on"),
        pytest.param("    errorfile 503 /x/500.http\n", "", id="page for nobody there"),
        pytest.param(
            "http-request return status 404 x", "http-request return status 503 x", id="no path yet"
        ),
        pytest.param(
            _BACKEND.format("realtime") + _FALLBACK, _BACKEND.format("realtime"), id="sockets"
        ),
        pytest.param(
            _BACKEND.format("realtime") + _BACKEND.format("api") + _FALLBACK,
            _BACKEND.format("realtime") + _BACKEND.format("api") + _FALLBACK,
            id="requests",
        ),
    ],
)
def test_the_configuration_is_adapted(written: str, read: str) -> None:
    assert haproxy.adapted(written, 7) == read


def test_what_comes_in_is_told_and_changed() -> None:
    first, *told = haproxy.adapted("frontend http_frontend\n", 7).splitlines()

    assert first == "frontend http_frontend"
    assert (
        "    http-request set-header x-request-disconnect-disabled ?1 if !{ path_beg /media/ }"
        in told
    )
    assert r"    http-request replace-path ^/ws[.](.*) /ws/\1" in told
    assert "    http-request del-header sec-websocket-extensions" in told
    assert any(line.endswith("if is_socket { sc0_gpc0_rate gt 7 }") for line in told)
    assert "backend socket_rate" in told


def test_a_start_is_not_disturbed_by_a_configuration_that_is_written_meanwhile(
    tmp_path: Path,
) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("errorfile 503 x\nglobal\n")

    arguments = haproxy.arguments_for(["-db", "-f", str(file), "-sf", "7"], 9)
    file.write_text("errorfile 503 x\nsomething else\n")

    assert Path(arguments[2]).read_text() == "global\n"
    assert arguments == ["-db", "-f", arguments[2], "-L", str(file), "-sf", "7"]


def test_haproxy_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    config, listening = tmp_path / "haproxy.cfg", tmp_path / "socket"
    config.write_text(_CONFIG.format(socket=listening))
    command = [str(ray_environment._wrapped_haproxy(tmp_path, 9)), "-db", "-f", str(config)]
    starter = subprocess.Popen([sys.executable, "-c", _STARTER, *command])
    wait_until(listening.exists)
    (child,) = children_of(starter.pid)

    starter.send_signal(signal.SIGKILL)
    starter.wait()

    wait_until(lambda: not is_alive(child))


def test_a_storm_of_websockets_is_let_in_bit_by_bit_and_others_do_not_wait(tmp_path: Path) -> None:
    config, listening = tmp_path / "haproxy.cfg", tmp_path / "socket"
    config.write_text(_FRONTEND.format(socket=listening))
    command = [str(ray_environment._wrapped_haproxy(tmp_path, 10)), "-db", "-f", str(config)]
    with running(command):
        wait_until(listening.exists)
        with ThreadPoolExecutor(60) as crowd:
            storm = list(crowd.map(partial(answer, listening), ["/ws.communication"] * 60))
            others = list(crowd.map(partial(answer, listening), ["/conversations.list"] * 60))
        wait_until(lambda: answer(listening, "/ws.communication").said == "200")

    refused = [each for each in storm if each.said == "503, again after 1"]
    assert {each.said for each in storm} == {"200", "503, again after 1"}
    assert min(each.took_s for each in refused) >= 1
    assert {each.said for each in others} == {"200"}


class Answer(NamedTuple):
    said: str
    took_s: float


@contextmanager
def running(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def answer(listening: Path, path: str) -> Answer:
    began = time.monotonic()
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(listening))) as client:
        said = client.get(f"http://here{path}", timeout=20)
    again = said.headers.get("retry-after")
    told = f"{said.status_code}, again after {again}" if again else str(said.status_code)
    return Answer(told, time.monotonic() - began)


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
