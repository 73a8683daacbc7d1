"""`airy-ray backup`: copies of a data directory, taken while it is in use."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from airy_ray.backup import taking
from airy_ray.backup.manifest import Manifest
from airy_ray.backup.taking import Step, Taken
from airy_ray.backup.target import Target, open_target, private_files
from airy_ray.cli.data import ConfigOption, DataOption, JsonOption
from airy_ray.cli.output import (
    complain,
    error_console,
    fail,
    print_json,
    print_table,
    say,
)
from airy_ray.cli.scratch import scratch
from airy_ray.cli.units import instant, size
from airy_ray.clock import now_millis
from airy_ray.cluster.layout import read_layout
from airy_ray.config import load
from airy_ray.errors import AiryError, ConfigError

backup = typer.Typer(
    name="backup",
    invoke_without_command=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

TargetOption = Annotated[
    str,
    typer.Option("--from", help="Where the backups are: a directory, or s3://…, gs://…, az://…"),
]


@backup.callback()
def take(
    context: typer.Context,
    to: Annotated[
        str | None, typer.Option(help="Where to: a directory, or s3://…, gs://…, az://…")
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    keep: Annotated[
        int | None,
        typer.Option(min=1, help="Then delete all backups there but the newest so many."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Take a backup, whether the system runs or not; `airy-ray restore` makes it data again.

    Everything that was acknowledged before is in it. What an earlier backup in the same place holds
    is not copied again. Credentials of an object store come from the environment, as its own tools
    take them. Take one at a time to one place.

    People who are erased stay in backups that were taken before: --keep has these go in time.

    Exit code 0: taken. 1: not, because of damage, the disk or the target. 2: wrong use.

    Example: airy-ray backup --data /var/lib/airy --to s3://backups/airy --keep 14
    """
    if context.invoked_subcommand is not None:
        return
    with trouble_told(), private_files():
        if to is None:
            raise ConfigError("--to: say where the backup is to go")
        settings = load({"data": data}, file=config)
        read_layout(settings.data)
        target = open_target(to, create=True)
        with (
            scratch(settings.data.resolve(), "backup") as copies,
            error_console.status("") as progress,
        ):
            taken = taking.take(
                settings, target, copies, now_millis(), lambda step: progress.update(told(step))
            )
            gone = [] if keep is None else target.keep_newest(keep)
    if as_json:
        print_json(_for_programs(taken.manifest) | _sent(taken) | {"deleted": gone})
    else:
        _show(taken, to, gone)


@backup.command(name="list")
def listed(place: TargetOption, *, as_json: JsonOption = False) -> None:
    """List the backups in a place, newest first.

    Exit code 0: this is all there is. 1: the place does not answer. 2: wrong use.
    """
    with trouble_told():
        target = open_target(place)
        found = [target.manifest(identifier) for identifier in reversed(target.ids())]
    if as_json:
        print_json([_for_programs(each) for each in found])
        return
    rows = [
        (
            each.id,
            instant(each.began_at),
            each.layout.partitions,
            _records(each),
            size(_bytes(each)),
        )
        for each in found
    ]
    print_table(("backup", "taken", "partitions", "records", "size"), rows)


@backup.command()
def verify(
    place: TargetOption,
    identifier: Annotated[
        str | None, typer.Option("--backup", help="Which; the newest without it.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Read every file of a backup and hold it against its digest.

    Exit code 0: all is whole. 1: damage was found. 2: wrong use.
    """
    with trouble_told():
        target = open_target(place)
        manifest = chosen(target, identifier)
        with error_console.status("") as progress:
            damages = list(
                target.problems(manifest, lambda *far: progress.update(told(Step("files", *far))))
            )
    if as_json:
        print_json({"backup": manifest.id, "whole": not damages, "damages": damages})
    else:
        for damage in damages:
            complain(damage)
    if damages:
        raise typer.Exit(1)
    if not as_json:
        say(f"backup {manifest.id} is whole: {len(manifest.files)} files", "green")


def chosen(target: Target, identifier: str | None) -> Manifest:
    """Return the backup that is asked for: the newest, unless it is named.

    Raises:
        ConfigError: there is none.
    """
    manifest = target.newest() if identifier is None else target.manifest(identifier)
    if manifest is None:
        raise ConfigError("there is no backup")
    return manifest


def told(step: Step) -> str:
    """Return how far the work is, for people."""
    return f"{step.what}: {step.done:,} of {step.total:,}" if step.total else step.what


@contextmanager
def trouble_told() -> Iterator[None]:
    """Tell what goes wrong in one line, and end: with code 2 if nothing was begun."""
    try:
        yield
    except ConfigError as error:
        fail(error)
    except AiryError as error:
        fail(error, code=1)
    except OSError as error:
        fail(f"{error.filename or 'the disk'}: {error.strerror}", code=1)


def _show(taken: Taken, to: str, gone: list[str]) -> None:
    manifest = taken.manifest
    say(
        f"backup {manifest.id} is in {to}: {_records(manifest)} records, "
        f"{len(manifest.files)} files of {size(_bytes(manifest))}, "
        f"{taken.sent_files} of them new ({size(taken.sent_bytes)})",
        "none",
    )
    if not manifest.has_media:
        say("files of messages are not in it: they are in an object store already", "dim")
    if gone:
        say(f"deleted: {', '.join(gone)}", "dim")


def _for_programs(manifest: Manifest) -> dict[str, Any]:
    return {
        "backup": manifest.id,
        "taken": instant(manifest.began_at),
        "partitions": manifest.layout.partitions,
        "history": manifest.layout.history,
        "records": manifest.records,
        "files": len(manifest.files),
        "bytes": _bytes(manifest),
        "has_media": manifest.has_media,
    }


def _sent(taken: Taken) -> dict[str, int]:
    return {"sent_files": taken.sent_files, "sent_bytes": taken.sent_bytes}


def _records(manifest: Manifest) -> str:
    return f"{sum(manifest.records.values()):,}"


def _bytes(manifest: Manifest) -> int:
    return sum(file.size for file in manifest.files)
