"""The data directory that a command looks at, found as `up` finds it, and changed by nobody."""

from pathlib import Path
from typing import Annotated

import typer

from airy_ray.cli.output import fail
from airy_ray.cluster.layout import read_layout, specs
from airy_ray.config import Settings, load
from airy_ray.errors import ConfigError
from airy_ray.partition.spec import PartitionSpec

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings; airy.yaml if it is there.")
]
DataOption = Annotated[Path | None, typer.Option("--data", help="Where everything is kept.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print it for programs.")]


class Data:
    """A data directory and its partitions, the registry last."""

    def __init__(self, settings: Settings) -> None:
        layout = read_layout(settings.data)
        self.settings = settings
        self.directory = settings.data.resolve()
        self.history = layout.history
        self.specs: list[PartitionSpec] = specs(settings, layout)


def opened(data: Path | None, config: Path | None) -> Data:
    """Return the data directory that flags, environment and settings name, or end with code 2."""
    try:
        return Data(load({"data": data}, file=config))
    except ConfigError as error:
        fail(error)
