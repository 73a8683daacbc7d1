"""A partition whose state has something in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airy_ray.partition.partition import Partition
from tests.log_builders import append, owned, settle, spec, webhooks


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    """50 messages of 7 conversations, all folded."""
    own = spec(tmp_path)
    append(own.directory, webhooks(50))
    with owned(own) as opened:
        settle(opened)
        yield opened
