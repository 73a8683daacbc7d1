"""A partition whose history is processed again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec
from tests.log_builders import owned, spec


@pytest.fixture
def own(tmp_path: Path) -> PartitionSpec:
    return spec(tmp_path)


@pytest.fixture
def partition(own: PartitionSpec) -> Iterator[Partition]:
    with owned(own) as opened:
        yield opened
