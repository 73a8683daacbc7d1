"""Ray Data reads what was exported while the system runs, as the README has it."""

from pathlib import Path
from typing import Any

import pytest

from airy_ray.analytics.export import exported
from airy_ray.storage import child
from tests.cluster.running import Cluster
from tests.cluster.traffic import traffic
from tests.e2e.client import Client
from tests.unit.analytics.test_documentation import code


@pytest.mark.filterwarnings("ignore")  # Ray Data warns of its own settings
def test_the_query_for_ray_data_runs_over_an_export_of_the_running_system(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(cluster.url) as client, traffic(client):
        pass
    specs = cluster.machine.partitions
    list(child.results(exported, specs, "0f3a9c11", str(tmp_path / "export"), False))
    monkeypatch.chdir(tmp_path)
    (query,) = code("python", "import ray")
    names: dict[str, Any] = {}

    exec(query, names)

    assert names["by_kind"]["webhook"] > 0
    assert sum(names["by_kind"].values()) == names["events"].count()
