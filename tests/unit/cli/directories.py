"""Data directories for the tests of commands, and how commands are run on them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from airy_ray.cli.app import app
from airy_ray.cli.running import only_one
from airy_ray.cluster.layout import prepare_data, specs
from airy_ray.config import load
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.routing import partitions_of
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Record
from tests.log_builders import owned, project, settle

URL = "http://127.0.0.1:8000"
PARTITIONS = 2


class Directory:
    """A data directory with nothing in it yet."""

    def __init__(self, path: Path) -> None:
        settings = load({"data": path, "partitions": PARTITIONS}, environment={})
        layout = prepare_data(settings)
        self.path = path
        self.specs = specs(settings, layout)

    @property
    def registry(self) -> PartitionSpec:
        return self.specs[-1]

    def project(self, records: Iterable[Record]) -> None:
        """Append records where they belong and fold them; leave the partitions in order."""
        taken: dict[PartitionIndex, list[Record]] = defaultdict(list)
        for record in records:
            for index in partitions_of(record, PARTITIONS):
                taken[index].append(record)
        for index, own in taken.items():
            project(self.specs[index], own)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be the system that runs on it: every partition is owned by this process."""
        with only_one(self.path, URL) as announcement, ExitStack() as stack:
            for spec in self.specs:
                settle(stack.enter_context(owned(spec)))
            announcement.ready()
            yield

    def digest(self) -> dict[str, str]:
        """Return what is in each file but the lock tables of LMDB, which readers enter."""
        return {
            str(file.relative_to(self.path)): blake2b(file.read_bytes()).hexdigest()
            for file in sorted(self.path.rglob("*"))
            if file.is_file() and file.name != "lock.mdb"
        }


def run(directory: Directory | Path, *arguments: str) -> Result:
    """Run a command on a data directory."""
    path = directory.path if isinstance(directory, Directory) else directory
    return CliRunner().invoke(app, [*arguments, "--data", str(path)])


def told(directory: Directory, *arguments: str) -> Any:
    """Return what a command tells programs."""
    return json.loads(run(directory, *arguments, "--json").stdout)
