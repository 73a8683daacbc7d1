"""The platform as chaos has it: started by the same command again and again, killed in parts.

Its settings are small where that makes more happen: files are sealed, states copied, logs trimmed
all the time.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from airy_ray.serve.ports import free_port
from airy_ray.simulator.hooks import Secrets
from benchmarks.measuring import BenchmarkError

APP_ID = "412345678901234"
SECRETS = Secrets("chaos", "chaos")  # sign what we send to ourselves

PARTITIONS = 4

COMMANDS = {
    "webhooks": "ray::ServeReplica:webhooks:",
    "api": "ray::ServeReplica:api:",
    "realtime": "ray::ServeReplica:realtime:",
    "delivering": "-m airy_ray.cluster.delivering",
    "writer": "-m airy_ray.cluster.log_writer",
    "supervisor": "ray::Supervisor",
    "controller": "ray::ServeController",
    "haproxy": "/bin/haproxy -db",
    "proxy": "ray::HAProxyManager",
    "ray": "/ray/core/src/ray/",
}
"""How a process of each kind is known."""

_READY = "airy-ray is ready"
_READY_S = 180.0
_STARTS_TRIED = 3
_ENDED_S = 60.0
_LOOK_S = 0.03


class Installation:
    """`airy-ray up` and all processes that come from it, which are one Unix session."""

    def __init__(self, directory: Path, graph_port: int) -> None:
        self.port = free_port()
        self.data = directory / "d"
        self.starts = 0
        self.failed_starts = 0
        self._log = directory / "up.log"
        self._config = directory / "airy.yaml"
        self._config.write_text(yaml.safe_dump(_settings(self.data, self.port, graph_port)))
        self._process: subprocess.Popen[bytes] | None = None
        self._sessions: list[int] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    async def start_again(self) -> None:
        """Start it once it has ended, which it has to by itself.

        Raises:
            BenchmarkError: it does not end, or not start.
        """
        process = self._process
        assert process is not None
        if not await within(_ENDED_S, lambda: process.poll() is not None):
            raise BenchmarkError("Ray is gone, and the platform has not ended")
        await self.start()

    async def start(self) -> None:
        """Start it, with the same command each time, until it says that it is ready.

        Raises:
            BenchmarkError: it ends again and again, or says nothing.
        """
        self.starts += 1
        for _ in range(_STARTS_TRIED):
            if await self._started():
                return
            self.failed_starts += 1
            self.kill_everything()  # one that hangs
        told = self._log.read_text()[-500:]
        raise BenchmarkError(f"start {self.starts} of the platform failed: {told}")

    async def _started(self) -> bool:
        command = [str(Path(sys.executable).parent / "airy-ray"), "up"]
        command += ["--config", str(self._config)]
        with self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 - forking takes milliseconds
                command, stdout=log, stderr=log, start_new_session=True
            )
        self._process = process
        self._sessions.append(process.pid)
        ready = self._log.read_text().count(_READY)

        def is_decided() -> bool:
            is_ready = self._log.read_text().count(_READY) > ready
            return is_ready or process.poll() is not None

        return await within(_READY_S, is_decided) and process.poll() is None

    async def stop(self) -> bool:
        """Stop it in order; return whether it did as it was told and left nothing behind."""
        assert self._process is not None
        self._process.terminate()
        try:
            code = await asyncio.to_thread(self._process.wait, 60)
        except subprocess.TimeoutExpired:
            return False
        return code == 0 and await within(10, lambda: not self._family())

    def kill_everything(self) -> None:
        """Kill all processes, those that come up meanwhile too."""
        while family := self._family():
            for pid in family:
                kill_process(pid)
        if self._process is not None:
            self._process.wait()

    def clean_up(self) -> None:
        """Kill what is left of all starts."""
        for session in self._sessions:
            for pid in _session(session):
                kill_process(pid)

    def kill_up(self) -> None:
        """Kill the process that was started, and only that."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def targets(self, kind: str, partition: int) -> list[int]:
        """Return the processes that are of a kind now; none while they are on their way back."""
        if kind in COMMANDS:
            return [pid for pid in self._family() if COMMANDS[kind] in _command(pid)]
        name = "registry" if kind == "registry" else f"{partition:02}"
        family = set(self._family())
        with contextlib.suppress(FileNotFoundError, ValueError):
            owner = int((self.data / "partitions" / name / "owner.lock").read_text())
            if owner in family and _command(owner).startswith("ray::PartitionActor"):
                return [owner]
        return []

    def _family(self) -> list[int]:
        return [] if self._process is None else _session(self._process.pid)


async def within(timeout_s: float, condition: Callable[[], bool]) -> bool:
    """Wait for a condition; return whether it came within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOK_S)
    return True


def _session(leader: int) -> list[int]:
    """Return the living processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(stat.parent.name))
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def kill_process(pid: int) -> None:
    """Kill a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _settings(data: Path, port: int, graph_port: int) -> dict[str, object]:
    return {
        "data": str(data),
        "partitions": PARTITIONS,
        "http": {"port": port},
        "sources": {
            "facebook": {
                "app_id": APP_ID,
                "app_secret": SECRETS.app_secret,
                "api_url": f"http://127.0.0.1:{graph_port}",
            },
            "google": {"partner_key": SECRETS.partner_key},
        },
        "archive": {"segment_bytes": 1 << 17, "segment_age_s": 60, "tail_records": 100},
        "state": {"sync_s": 2, "snapshot_records": 1_000},
        "webhooks": {"allow_private_networks": True},
        "realtime": {"queue_bytes": 1 << 16, "resume_events": 1_000_000},
        "media": {"inbound": {"fetch": False}},  # what is played links to hosts that are none
    }
