"""Data directories that code of earlier versions has written; see `fixtures/upgrade`."""

import tarfile
from pathlib import Path

from airy_ray.cluster.layout import prepare_data, specs
from airy_ray.config import load
from airy_ray.partition.spec import PartitionSpec
from tests.builders import NOW
from tests.manifests import FIXTURES

AT = NOW + 10_000_000
"""A while after the last record in them."""


def unpack(version: int, to: Path) -> Path:
    """Make a data directory that code of a version has written, below a directory."""
    with tarfile.open(FIXTURES / "upgrade" / f"version-{version}.tar.xz") as packed:
        packed.extractall(to, filter="data")
    return to / "data"


def unpacked(version: int, to: Path) -> list[PartitionSpec]:
    """Make one, and return its partitions, the registry last."""
    settings = load({"data": unpack(version, to)}, environment={})
    return specs(settings, prepare_data(settings))
