"""Disks of a few megabytes, and how they are filled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import pytest


@contextmanager
def mounted(disk: Path, size: str) -> Iterator[Path]:
    """Make a file system of its own for a while."""
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if os.getuid() != 0 or done.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@contextmanager
def full(disk: Path, *, left: int = 0) -> Iterator[None]:
    """Take all blocks of a disk for a while, but for `left` bytes."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        with pytest.raises(OSError, match="No space"):
            _write_for_ever(file)
        file.truncate(file.tell() - left)
    yield
    filler.unlink()


def _write_for_ever(file: FileIO) -> None:
    while True:
        file.write(bytes(4_096))
