"""One local Ray, with everything on it that `airy-ray up` starts."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import prometheus_client  # noqa: F401 - before the directory for its counts is set: not for us
import pytest
from pydantic import SecretStr

from airy_ray.cluster.layout import prepare_data, run_directory
from airy_ray.cluster.machine import machine_spec
from airy_ray.config import Google, Http, Settings, Sources
from airy_ray.serve import metrics, ray_environment
from airy_ray.serve.ports import free_port
from tests.cluster.running import Cluster
from tests.e2e import platforms

PARTITIONS = 2


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """The running system, in this process and its children."""
    with data_directory() as data, environment(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, while it is imported, started and stopped
        settings = Settings(
            data=data,
            partitions=PARTITIONS,
            http=Http(port=free_port()),
            sources=Sources(google=Google(partner_key=SecretStr(platforms.PARTNER_KEY))),
        )
        layout = prepare_data(settings)
        run = run_directory(data)
        metrics.use_directory(run / "metrics")
        ray_environment.prepare(run, max_connections=1_000, sockets_per_s=1_000)
        from airy_ray.serve.system import System  # Ray Serve reads its environment now

        system = System(settings, layout)
        try:
            system.start_ray(None, run / "ray")
            system.start_partitions()
            system.start_applications()
            yield Cluster(machine_spec(settings, layout), f"http://127.0.0.1:{settings.http.port}")
        finally:
            system.stop()
            shutil.rmtree(run)


@contextmanager
def data_directory() -> Iterator[Path]:
    """Make a data directory with a short path, and remove it in the end."""
    root = Path(tempfile.mkdtemp(prefix="airy-c-", dir="/tmp"))
    try:
        yield root / "data"
    finally:
        shutil.rmtree(root)


@contextmanager
def environment() -> Iterator[None]:
    """Take back in the end what was set for the processes of the system."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
