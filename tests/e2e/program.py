"""The platform as who runs it sees it: the program `airy-ray`, its output, its processes."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import yaml

from airy_ray.serve.ports import free_port

PROGRAM = Path(sys.executable).with_name("airy-ray")
START_S = 180.0
STOP_S = 90.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Finished:
    """What a command that ended has said."""

    code: int
    output: str
    errors: str


class Home:
    """A place of its own for one platform: its settings, its data, its port."""

    def __init__(self, root: Path, settings: Mapping[str, Any]) -> None:
        self.root = root
        self.data = root / "data"
        self.port = free_port()
        self.settings = root / "airy.yaml"
        self.configure(settings)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the settings."""
        self.settings.write_text(yaml.safe_dump(dict(settings)))

    def arguments(self, *more: str) -> list[str]:
        """Return the command that starts the platform here."""
        given = {"--config": self.settings, "--data": self.data, "--port": self.port}
        flags = [str(part) for pair in given.items() for part in pair]
        return [str(PROGRAM), "up", *flags, *more]

    def environment(self) -> dict[str, str]:
        """Return the environment of the program: none of our own settings in it."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("AIRY_")}
        return own | {"COLUMNS": "500"}

    @property
    def run_directory(self) -> Path:
        """Where the platform on this data puts its sockets and Ray's logs."""
        name = blake2b(str(self.data.resolve()).encode(), digest_size=6).hexdigest()
        return Path("/tmp") / f"airy-{name}"

    def run(self, *command: str) -> Finished:
        """Run a command that ends by itself."""
        ended = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        return Finished(ended.returncode, ended.stdout, ended.stderr)


class Running:
    """A platform in the foreground of a process of its own."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{home.port}"
        self._output = (home.root / "output").open("w+b")
        self.process = subprocess.Popen(
            home.arguments(),
            cwd=home.root,
            env=home.environment(),
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )

    @property
    def output(self) -> str:
        """What it has said so far."""
        return (self.home.root / "output").read_text()

    def wait_until_ready(self) -> None:
        """Wait until it says that it is ready."""
        until(lambda: "is ready at" in self.output or self.process.poll() is not None, START_S)
        assert self.process.poll() is None, self.output

    def processes(self) -> dict[int, str]:
        """Return what it consists of: the ids of all its processes, and what each is called."""
        return descendants(self.process.pid)

    def stop(self) -> tuple[int, dict[int, str]]:
        """Have it stop in order; return its exit code, and which of its processes are left."""
        running = self.processes() if self.process.poll() is None else {}
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_S)
        finally:
            left = alive(running)
            for pid in left:
                _kill(pid)
            self.process.kill()
            self.process.wait()
            self._output.close()
        return code, left


@contextmanager
def home(settings: Mapping[str, Any]) -> Iterator[Home]:
    """Make a place for one platform, and remove it in the end."""
    root = Path(tempfile.mkdtemp(prefix="airy-e2e-", dir="/tmp"))
    place = Home(root, settings)
    try:
        yield place
    finally:
        shutil.rmtree(place.run_directory, ignore_errors=True)
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def small_disk(directory: Path, size_bytes: int) -> Iterator[None]:
    """Put a directory onto a disk of its own for a while, if we may mount; `is_mount` tells."""
    directory.mkdir()
    mounting = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        f"size={size_bytes},mode=700",
        "tmpfs",
        str(directory),
    ]
    mounted = subprocess.run(mounting, check=False, capture_output=True)
    try:
        yield
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", directory], check=True)


@contextmanager
def started(at: Home) -> Iterator[Running]:
    """Run a platform for a while."""
    running = Running(at)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


def until(is_so: Callable[[], Any], within_s: float = 20.0, *, every_s: float = 0.05) -> Any:
    """Return what `is_so` says once that is true; it has to be within some time."""
    deadline = time.monotonic() + within_s
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"not so within {within_s} s"
        time.sleep(every_s)
    return found


def descendants(root: int) -> dict[int, str]:
    """Return a process and all that it has started, directly or not, and how each is called."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent(int(entry.name))) is not None:
            parents[int(entry.name)] = parent
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: _title(pid) for pid in sorted(found)}


def alive(known: Mapping[int, str]) -> dict[int, str]:
    """Return those of some processes that are still there; an id may come again for others."""
    return {
        pid: title
        for pid, title in known.items()
        if _parent(pid) is not None and _title(pid) == title
    }


def _parent(pid: int) -> int | None:
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _end_with_parent() -> None:
    """Ask the kernel to stop the platform in order should the tests be killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
