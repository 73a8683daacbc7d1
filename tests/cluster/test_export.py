"""Ray Data reads what was exported while the system runs, as the README has it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from airy_ray.analytics.export import exported
from airy_ray.storage import child
from tests.cluster.running import Cluster
from tests.cluster.traffic import traffic
from tests.e2e.client import Client
from tests.unit.analytics.test_documentation import code

_PROJECT = Path(__file__).parents[2]
_OF_OURS = ("RAY_", "PYTHON", "VIRTUAL_ENV")
"""What the environment of the tests says of their Python and their Ray."""
_TOLD = "\nimport json\nprint(json.dumps([by_kind, events.count()]))\n"


def test_the_query_for_ray_data_runs_over_an_export_of_the_running_system(
    cluster: Cluster, tmp_path: Path
) -> None:
    with Client(cluster.url) as client, traffic(client):
        pass
    specs = cluster.machine.partitions
    list(child.results(exported, specs, "0f3a9c11", str(tmp_path / "export"), False))
    (query,) = code("python", "import ray")
    uv = Path(sys.executable).with_name("uv")
    environment = ("--project", _PROJECT, "--isolated", "--frozen", "--only-group", "ray-data")
    inherited = {key: told for key, told in os.environ.items() if not key.startswith(_OF_OURS)}

    with TemporaryDirectory(prefix="airy-r-", dir="/tmp") as short:  # for Ray's sockets
        asked = subprocess.run(
            [uv, "run", *environment, "python", "-c", query + _TOLD],
            cwd=tmp_path,
            env=inherited | {"RAY_TMPDIR": short, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert asked.returncode == 0, asked.stderr[-2_000:]
    by_kind, events = json.loads(asked.stdout.splitlines()[-1])
    assert by_kind["webhook"] > 0
    assert sum(by_kind.values()) == events
