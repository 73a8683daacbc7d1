"""Unit tests run without a cluster: whoever needs one has taken a wrong turn."""

import pytest
import ray
from hypothesis import HealthCheck, settings

settings.register_profile(
    "shared machine",  # where how long an example takes says little of the code
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("shared machine")


@pytest.fixture(autouse=True)
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a unit test started Ray")

    monkeypatch.setattr(ray, "init", refuse)
