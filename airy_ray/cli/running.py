"""Which system runs on a data directory: one at most, named in its `up.lock`.

The lock itself keeps a second one out. Who only asks looks at what is written there, for taking the
lock, be it for a moment, could keep a start from succeeding.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from airy_ray.clock import Millis, now_millis
from airy_ray.errors import ConfigError
from airy_ray.storage.beacon import started

_LOCK = "up.lock"


class Running(msgspec.Struct, frozen=True):
    """A system that runs, or has run until somebody killed it.

    Attributes:
        started: of its process, in ticks since boot: an id that came again is another process.
        ready_at: since when every route answers; None while it is starting.
    """

    pid: int
    started: int
    url: str
    since: Millis
    ready_at: Millis | None = None


class Announcement:
    """What is written of a system in the lock that it holds."""

    def __init__(self, descriptor: int, url: str) -> None:
        self._descriptor = descriptor
        pid = os.getpid()
        self._running = Running(pid, started(pid) or 0, url, now_millis())
        self._write(msgspec.json.encode(self._running))

    def ready(self) -> None:
        """Say that every route answers."""
        self._running = msgspec.structs.replace(self._running, ready_at=now_millis())
        self._write(msgspec.json.encode(self._running))

    def withdraw(self) -> None:
        """Say that nothing runs here any more."""
        self._write(b"")

    def _write(self, content: bytes) -> None:
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))


@contextmanager
def only_one(data: Path, url: str) -> Iterator[Announcement]:
    """Keep others from running on the same data meanwhile.

    Raises:
        ConfigError: another does.
    """
    descriptor = os.open(data / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError(f"data: another airy-ray runs on {data}") from None
    announcement = Announcement(descriptor, url)
    try:
        yield announcement
    finally:
        announcement.withdraw()
        os.close(descriptor)


def running_on(data: Path) -> Running | None:
    """Return the system that runs on a data directory, if one does."""
    running = _announced(data)
    return running if running is not None and _is_alive(running) else None


def was_killed(data: Path) -> bool:
    """Whether the last system on a data directory ended without saying so."""
    running = _announced(data)
    return running is not None and not _is_alive(running)


def _announced(data: Path) -> Running | None:
    try:
        return msgspec.json.decode((data / _LOCK).read_bytes(), type=Running)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _is_alive(running: Running) -> bool:
    return started(running.pid) == running.started
