"""Paths that clients know and that are not served."""

import pytest

from airy_ray.serve.api.app import ENDPOINTS, FILE_ENDPOINTS
from airy_ray.serve.api.elsewhere import reason


@pytest.mark.parametrize(
    "path",
    [
        "/streams.list",
        "/streams.create",
        "/topics",
        "/topics/a",
        "/schemas.list",
        "/kafka/topics/a",
        "/cluster.update",
        "/components.install",
        "/components.update",
        "/llm.query",
        "/llm-consumers.list",
    ],
)
def test_a_path_that_clients_know_is_explained(path: str) -> None:
    assert (reason(path) or "").startswith("not part of this platform: ")


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/topicsx", "/kafkaesque", "/components.updated"]
)
def test_a_path_that_nobody_calls_is_not(path: str) -> None:
    assert reason(path) is None


def test_nothing_that_is_served_is_said_not_to_be() -> None:
    assert not [path for path in (*ENDPOINTS, *FILE_ENDPOINTS) if reason(path)]
