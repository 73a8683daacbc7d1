"""A partition to export, and where to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec, Upkeep
from tests.erasing import traffic
from tests.log_builders import append, owned, settle, spec


@pytest.fixture
def own(tmp_path: Path) -> PartitionSpec:
    upkeep = Upkeep(segment_bytes=1 << 14, segment_age_ms=0, tail_records=20, sync_ms=0)
    return spec(tmp_path, upkeep=upkeep)


@pytest.fixture
def partition(own: PartitionSpec) -> Iterator[Partition]:
    """A partition in which people, commands and outcomes did all that records can tell."""
    with owned(own) as opened:
        append(own.directory, traffic(60))
        settle(opened)
        yield opened


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "export"
