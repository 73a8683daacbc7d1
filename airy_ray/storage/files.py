"""Writes that survive a power cut, and what a disk says when it is full."""

import errno
import os
from pathlib import Path

from airy_ray.errors import DiskFullError

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


def write_synced(path: Path, content: bytes) -> None:
    """Replace a file as a whole: a power cut leaves the old one or, after return, the new one.

    Only its owner may read it.

    Raises:
        DiskFullError: there is no space; the old one is still there.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        fresh.unlink()
        if is_no_space(error.errno):
            raise DiskFullError(str(path)) from error
        raise
    fresh.replace(path)
    sync_directory(path.parent)


def reserve(path: Path, length: int) -> None:
    """Have a file, new or not, hold at least `length` bytes for which there is space on the disk.

    Whoever writes to a mapped file that has none is killed by the kernel.

    Raises:
        DiskFullError: there is no space.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, length)
    except OSError as error:
        if is_no_space(error.errno):
            raise DiskFullError(str(path)) from error
        raise
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Bring a file that somebody else wrote to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Bring the names in a directory to the disk."""
    sync_file(path)


def remove_synced(path: Path) -> None:
    """Remove a file, if it is there, so that a power cut does not bring it back."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def is_no_space(code: int | None) -> bool:
    """Whether an error number says that the disk, or our share of it, is full."""
    return code in _NO_SPACE
