"""What tests of partitions and of their searches need."""

import pytest

from airy_ray.cluster import shared_hops


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no call on another thread for a long one, however busy the machine is."""
    monkeypatch.setattr(shared_hops, "_SHORT_S", 30.0)
