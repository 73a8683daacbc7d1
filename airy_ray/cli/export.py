"""`airy-ray export`: everything as Parquet files, for people who evaluate it."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from airy_ray.cli.data import ConfigOption, DataOption, JsonOption, opened
from airy_ray.cli.output import error_console, fail, print_json, print_table, say
from airy_ray.errors import AiryError, ConfigError
from airy_ray.storage import child

if TYPE_CHECKING:
    from airy_ray.analytics.export import Done, Step


def export(
    to: Annotated[
        str,
        typer.Option(help="A directory, or a place in an object store, such as s3://bucket/airy."),
    ],
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    is_full: Annotated[
        bool,
        typer.Option(
            "--full/--since-last",
            help="Write everything anew, in few files; else only what changed is added.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write conversations, messages, contacts and events to Parquet files, for DuckDB and others.

    Works while the system runs. Each run adds what changed since the last; what a run that was
    killed left unfinished, the next one does. Where something was erased, or what changed cannot be
    told any more, all of that partition is written anew. docs/export.md tells the columns.

    How an object store is reached, its usual environment variables say (AWS_ACCESS_KEY_ID, ...).

    Exit code 0: all is exported. 1: a partition could not be. 2: wrong use.

    Example: airy-ray export --to /srv/export
    """
    from airy_ray.analytics.export import Done, Step, exported  # loads Arrow: half a second

    found = opened(data, config)
    done: list[Done] = []
    try:
        with error_console.status("exporting") as progress:
            for each in child.results(exported, found.specs, found.history, to, is_full):
                match each:
                    case Step():
                        progress.update(_told_step(each))
                    case Done():
                        done.append(each)
    except ConfigError as error:
        fail(error)
    except AiryError as error:
        fail(f"not everything was exported: {error}", code=1)
    if as_json:
        print_json(_for_programs(to, done))
    else:
        _show(done)


def _told_step(step: "Step") -> str:
    return f"exporting partition {step.partition}, {step.table}: {step.rows:,} rows"


def _show(done: "list[Done]") -> None:
    tables = list(done[0].rows)
    print_table(("partition", *tables, "files"), [_row(each, tables) for each in done])
    for each in done:
        if each.reason is not None:
            line = f"partition {each.partition}: all of it, for {each.reason}"
            say(line, "dim")


def _row(done: "Done", tables: list[str]) -> tuple[object, ...]:
    return (done.partition, *(f"{done.rows[table]:,}" for table in tables), done.files)


def _for_programs(to: str, done: "list[Done]") -> dict[str, Any]:
    return {"to": to, "partitions": msgspec.to_builtins(done)}
