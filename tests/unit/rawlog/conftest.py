"""A log, and a disk that is soon full."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airy_ray.rawlog.tail import LogTail
from tests.small_disks import mounted


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[LogTail]:
    opened = LogTail(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB of its own."""
    with mounted(tmp_path / "disk", "2m") as disk:
        yield disk
