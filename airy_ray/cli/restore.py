"""`airy-ray restore`: a data directory made of a backup."""

from typing import Annotated

import typer

from airy_ray.backup.restoring import restore as restored
from airy_ray.backup.target import open_target, private_files
from airy_ray.cli.backup import TargetOption, chosen, told, trouble_told
from airy_ray.cli.data import ConfigOption, DataOption, JsonOption
from airy_ray.cli.output import error_console, print_json, say
from airy_ray.config import load


def restore(
    place: TargetOption,
    config: ConfigOption = None,
    data: DataOption = None,
    identifier: Annotated[
        str | None, typer.Option("--backup", help="Which; the newest without it.")
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1, max=1_024, help="How many it is to have; as many as it had without it."
        ),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a new data directory of a backup; `airy-ray up` goes on from it.

    Every file is held against its digest. A restore that was broken off is gone on with by the same
    command; `up` refuses the directory until then. The next start folds the states out of the log.

    The system that was backed up must not go on beside the restored one: both would send what was
    waiting to be sent, and call the same webhooks.

    With another number of partitions all records are written anew, which takes the space of log and
    archive twice for a while; webhooks may hear of recent events once more, under other ids.

    Exit code 0: restored. 1: the backup is damaged, or there was no space. 2: wrong use.

    Example: airy-ray restore --from s3://backups/airy --data /var/lib/airy
    """
    with trouble_told(), private_files():
        settings = load({"data": data}, file=config)
        target = open_target(place)
        manifest = chosen(target, identifier)
        with error_console.status("") as progress:
            layout = restored(
                settings,
                target,
                manifest,
                lambda step: progress.update(told(step)),
                partitions=partitions,
            )
    if as_json:
        print_json(
            {
                "backup": manifest.id,
                "data": str(settings.data.resolve()),
                "partitions": layout.partitions,
                "history": layout.history,
            }
        )
        return
    say(
        f"backup {manifest.id} is restored: {sum(manifest.records.values()):,} records in "
        f"{layout.partitions} partitions and the registry\n"
        f"start it with: airy-ray up --data {settings.data}"
    )
