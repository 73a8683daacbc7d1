"""Runs a RabbitMQ node of its own with its web-STOMP plugin, on free ports."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airy_ray.serve.ports import free_ports
from benchmarks.measuring import BenchmarkError, temporary_directory
from benchmarks.subscribers import Door
from benchmarks.system import answers_on, wait_until

_START_S = 90.0
_STOP_S = 90.0
_LOGIN = ("login:guest", "passcode:guest", "host:/")


@dataclass(frozen=True)
class Node:
    """A running node.

    Attributes:
        door: where everybody hears of what is sent to one topic.
        pid: of its Erlang machine, which does all the work.
    """

    door: Door
    pid: int


@contextlib.contextmanager
def rabbitmq() -> Iterator[Node]:
    """Run a node with RabbitMQ's own defaults until the block ends."""
    if shutil.which("rabbitmq-server") is None:
        raise BenchmarkError(
            "RabbitMQ is missing: apt-get install --no-install-recommends rabbitmq-server"
        )
    web, stomp, amqp, distribution = free_ports(4)
    with temporary_directory() as base:
        _configure(base, web=web, stomp=stomp, amqp=amqp)
        environment = {
            **os.environ,
            "RABBITMQ_NODENAME": f"bench{os.getpid()}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONF_ENV_FILE": str(base / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(base / "mnesia"),
            "RABBITMQ_LOG_BASE": str(base / "log"),
            "RABBITMQ_PID_FILE": str(base / "pid"),
        }
        _call(["rabbitmq-server", "-detached"], environment)
        try:
            wait_until(lambda: answers_on(web), "RabbitMQ", timeout_s=_START_S)
            door = Door(f"ws://127.0.0.1:{web}/ws", "/topic/events", _LOGIN)
            yield Node(door, int((base / "pid").read_text()))
        finally:
            _call(["rabbitmqctl", "stop", str(base / "pid")], environment)


def version() -> str:
    """Return which RabbitMQ is measured."""
    told = subprocess.run(["dpkg-query", "-W", "rabbitmq-server"], capture_output=True, text=True)
    found = re.search(r"\d\S*", told.stdout)
    return f"RabbitMQ {found[0] if found else 'of unknown version'}"


def _configure(base: Path, *, web: int, stomp: int, amqp: int) -> None:
    for directory in ("mnesia", "log"):
        (base / directory).mkdir()
    (base / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{amqp}\n"
        f"stomp.listeners.tcp.1 = 127.0.0.1:{stomp}\n"
        f"web_stomp.tcp.ip = 127.0.0.1\nweb_stomp.tcp.port = {web}\n"
        "log.console = false\n"
    )
    # Debian's wrapper goes through su, which leaves 1024 open files: about 830 subscribers
    (base / "rabbitmq-env.conf").write_text("ulimit -S -n $(ulimit -H -n)\n")
    (base / "enabled_plugins").write_text("[rabbitmq_web_stomp].\n")
    for path in base.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
    if os.geteuid() == 0:  # then it runs as a user of its own
        for path in (base, *base.iterdir()):
            shutil.chown(path, "rabbitmq", "rabbitmq")


def _call(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_STOP_S, check=False
    )
    if done.returncode != 0:
        raise BenchmarkError(f"{command[0]}: {(done.stderr or done.stdout).strip()[-500:]}")
