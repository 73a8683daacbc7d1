"""Starts and stops what is measured, by process id: `airy-ray up` on its own data, or a peer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from airy_ray.cluster.commands import Commands
from airy_ray.cluster.layout import read_layout, run_directory
from airy_ray.cluster.machine import Machine, machine_spec
from airy_ray.config import Settings, load
from airy_ray.model.commands import ConnectChannel
from airy_ray.model.ids import Slot, channel_id, command_id, format_id
from airy_ray.serve.ports import free_port
from benchmarks.measuring import BenchmarkError, Report, console, cpu_s, family, pss_mib

APP_SECRET = "benchmark"  # noqa: S105 - signs what we send to ourselves
PAGE = "108800000000001"

SETTINGS: Mapping[str, Any] = {"sources": {"facebook": {"app_secret": APP_SECRET}}}
"""What a platform under measurement is told: it takes Facebook's webhooks."""

ANY_RATE: Mapping[str, Any] = {**SETTINGS, "realtime": {"connects_per_s": 100_000}}
"""The same, where many subscribers connect at once."""

_READY_S = 180.0
_STOP_S = 60.0
_POLL_S = 0.01
_LOOK_S = 3.0
_QUIET_SHARE = 0.25
"""Of one core: with Ray's own housekeeping, all processes at rest take less."""


class Progress(NamedTuple):
    """How far a platform is.

    Attributes:
        lag: records that are appended and not folded yet.
        messages: that can be read.
    """

    lag: int
    messages: int


@dataclass(frozen=True)
class Platform:
    """`airy-ray up`, running on a data directory of its own.

    Attributes:
        url: where it answers, without a slash at the end.
        ready_s: how long it took from its start to its ready line.
    """

    url: str
    settings: Settings
    process: subprocess.Popen[bytes]
    ready_s: float

    @property
    def memory_mib(self) -> float:
        """The memory of all its processes, shared pages counted once."""
        return sum(pss_mib(pid) for pid in family(self.process.pid))

    @property
    def api_memory_mib(self) -> float:
        """The memory of the processes that serve the API, without the files that they map."""
        return sum(pss_mib(pid, "Pss_Anon") for pid in self.processes("ServeReplica:api"))

    @property
    def cpu_s(self) -> float:
        """The processor time that its present processes have used."""
        return sum(cpu_s(pid) for pid in family(self.process.pid))

    def processes(self, named: str) -> list[int]:
        """Return those of its processes whose command line says `named`."""
        return [pid for pid in family(self.process.pid) if named in _command_line(pid)]

    def cores_used(self, window_s: float) -> float:
        """Look for a while; return how many cores its processes take meanwhile."""
        used_s = self.cpu_s
        time.sleep(window_s)
        return (self.cpu_s - used_s) / window_s

    def post(self, path: str, body: Any) -> Any:
        """Call the API and return what it answers."""
        answer = httpx.post(f"{self.url}{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def connect(self, source: str, source_channel_id: str) -> None:
        """Connect a channel without its platform's consent, which takes the internet."""
        asyncio.run(connect_channel(self.settings, source, source_channel_id))

    def progress(self) -> Progress:
        """Return how far the partitions are, by the API's own word."""
        answer = httpx.get(f"{self.url}/actuator/prometheus", timeout=30)
        answer.raise_for_status()
        lag = messages = 0.0
        for metric in text_string_to_metric_families(answer.text):
            for sample in metric.samples:
                if sample.name == "airy_log_lag":
                    lag += max(0.0, sample.value)
                elif sample.name == "airy_rows" and sample.labels["table"] == "messages":
                    messages += sample.value
        return Progress(int(lag), int(messages))

    def wait_until_projected(self, *, messages: int = 0, timeout_s: float = 60) -> float:
        """Wait until all that was appended can be read, `messages` of them or more.

        Returns how long that took, in seconds.

        Raises:
            BenchmarkError: it is not so within `timeout_s`.
        """

        def is_projected() -> bool:
            progress = self.progress()
            return progress.lag == 0 and progress.messages >= messages

        began = time.monotonic()
        wait_until(is_projected, "everything projected", timeout_s=timeout_s, process=self.process)
        return time.monotonic() - began

    def wait_until_quiet(self, *, timeout_s: float = 300) -> None:
        """Wait until it has done what it does unasked, such as archiving what is old.

        Raises:
            BenchmarkError: it is still busy after `timeout_s`.
        """
        wait_until(
            lambda: self.cores_used(_LOOK_S) < _QUIET_SHARE,
            "the platform at rest",
            timeout_s=timeout_s,
            process=self.process,
        )


@contextlib.contextmanager
def platform(
    directory: Path, settings: Mapping[str, Any] = SETTINGS, *, folding_s: float = 0
) -> Iterator[Platform]:
    """Run `airy-ray up` on `directory/data`, made if need be, on a free port, until the block ends.

    It folds first what its log holds, for which it has `folding_s` more than to start.

    Raises:
        BenchmarkError: it does not get ready.
    """
    data, config, log = directory / "data", directory / "airy.yaml", directory / "up.log"
    config.write_text(yaml.safe_dump(dict(settings)))
    port = free_port()
    command = [str(Path(sys.executable).with_name("airy-ray")), "up"]
    command += ["--config", str(config), "--data", str(data), "--port", str(port)]
    began = time.monotonic()
    with (
        _run_directory_removed(data),
        log.open("wb") as output,
        running(command, stdout=output, stderr=output) as process,
    ):
        try:
            wait_until(
                lambda: b"airy-ray is ready at" in log.read_bytes(),
                "airy-ray up",
                timeout_s=_READY_S + folding_s,
                process=process,
            )
        except BenchmarkError as error:
            raise BenchmarkError(f"{error}: {log.read_text().strip()[-500:]}") from None
        ready_s = time.monotonic() - began
        known = load({"data": data, "http.port": port}, file=config)
        yield Platform(f"http://127.0.0.1:{port}", known, process, ready_s)


@contextlib.contextmanager
def _run_directory_removed(data: Path) -> Iterator[None]:
    """Remove the sockets and logs of a run, unless something failed: then they say why."""
    is_kept = False
    try:
        yield
    except BenchmarkError:
        is_kept = True
        raise
    finally:
        if not is_kept:
            shutil.rmtree(run_directory(data), ignore_errors=True)


def finished(report: Report, directory: Path) -> int:
    """Finish a report; what a run has left in `directory` is kept if a requirement is missed.

    Its data are in `d` below that. Return the exit code.
    """
    code = report.finish()
    if code == 0:
        shutil.rmtree(run_directory(directory / "d"), ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)
    else:
        console.print(f"everything is kept in {directory}", markup=False, highlight=False)
    return code


def answers_on(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def connect_channel(settings: Settings, source: str, source_channel_id: str) -> None:
    """Connect a channel of a running platform without its source's consent."""
    machine = Machine(machine_spec(settings, read_layout(settings.data)))
    try:
        commands = Commands(machine.partitions, machine.spec.count, wait_s=10)
        command = ConnectChannel(
            id=format_id(command_id(Slot(0), source_channel_id.encode())),
            source=source,
            source_channel_id=source_channel_id,
            channel_id=format_id(channel_id(source, source_channel_id)),
            token="",
            metadata={"name": "Benchmark"},
        )
        await commands.register(command)
    finally:
        machine.close()


@contextlib.contextmanager
def running(
    command: list[str], *, stop: int = signal.SIGTERM, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the block ends; nothing that descends from it is left behind."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            _end(process, stop)


def _end(process: subprocess.Popen[bytes], stop: int) -> None:
    if process.poll() is not None:
        return
    descendants = family(process.pid)
    process.send_signal(stop)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        for pid in descendants:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def wait_until(
    condition: Callable[[], bool],
    what: str,
    *,
    timeout_s: float,
    process: subprocess.Popen[bytes] | None = None,
) -> None:
    """Wait for a condition.

    Raises:
        BenchmarkError: it did not come in time, or `process`, which is to bring it, has ended.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if process is not None and process.poll() is not None:
            raise BenchmarkError(f"{what}: the process ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{what}: not within {timeout_s:g} s")
        time.sleep(_POLL_S)
