"""Who owns a partition: one process at a time, and whether the last one left it in order.

1. The owner holds a lock on `owner.lock` for life; the kernel lets go of it when the process dies.
2. While it runs, `running.json` says on which machine, boot and file system. State that was not
   synced is trusted only if all three are the same, for then the page cache survived the process;
   or if the mark is gone, for then the last owner synced everything and left.
"""

import fcntl
import os
import socket
from pathlib import Path

import msgspec

from airy_ray.errors import PartitionUnavailableError
from airy_ray.storage.files import remove_synced, write_synced

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MACHINE_ID = Path("/etc/machine-id")


class OwnerLock:
    """The right to project, seal, trim and forward one partition."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / _LOCK
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)

    def acquire(self) -> None:
        """Become the owner at once.

        Raises:
            PartitionUnavailableError: another process is.
        """
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PartitionUnavailableError(str(self._path)) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    @property
    def holder(self) -> int | None:
        """The process that wrote its id last: the present owner's, if there is one."""
        text = os.pread(self._descriptor, 32, 0)
        return int(text) if text.isdigit() else None

    def release(self) -> None:
        """Stop being the owner."""
        os.close(self._descriptor)


def owner_of(directory: Path) -> int | None:
    """Return the process that owns a partition now, if one does."""
    try:
        descriptor = os.open(directory / _LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # a new owner tries again
        return None
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0)
        return int(text) if text.isdigit() else 0
    finally:
        os.close(descriptor)


class Running(msgspec.Struct, frozen=True):
    """Where an owner runs; its starts without an end in order, newest last."""

    machine: str
    boot: str
    filesystem: str
    starts: tuple[int, ...] = ()


def here(directory: Path) -> Running:
    """Return this machine, its present boot, and the file system of `directory`."""
    machine = _MACHINE_ID.read_text().strip() if _MACHINE_ID.exists() else ""
    status = os.stat(directory)
    filesystem = f"{os.statvfs(directory).f_fsid:x}-{status.st_dev:x}"
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    return Running(f"{socket.gethostname()}-{machine}", boot, filesystem)


def left_running(directory: Path) -> Running | None:
    """Return the mark of an owner that did not stop in order, if there is one."""
    mark = directory / _MARK
    if not mark.exists():
        return None
    try:
        return msgspec.json.decode(mark.read_bytes(), type=Running)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Running("", "", "")


def is_trusted(directory: Path) -> bool:
    """Whether the live generation of a partition is what was written, as far as marks can tell."""
    mark = left_running(directory)
    return mark is None or is_same_boot(mark, here(directory))


def is_same_boot(mark: Running, present: Running) -> bool:
    """Whether what the process of `mark` wrote without syncing is still there."""
    return (mark.machine, mark.boot, mark.filesystem) == (
        present.machine,
        present.boot,
        present.filesystem,
    )


def mark_running(directory: Path, mark: Running) -> None:
    """Say, on disk, that an owner runs; before it writes anything else."""
    write_synced(directory / _MARK, msgspec.json.encode(mark))


def mark_stopped(directory: Path) -> None:
    """Say, on disk, that the owner has synced everything and left."""
    remove_synced(directory / _MARK)


_LOCK = "owner.lock"
_MARK = "running.json"
