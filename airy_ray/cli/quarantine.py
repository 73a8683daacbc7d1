"""`airy-ray quarantine`: records whose projection failed, and why."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from airy_ray.cli.data import ConfigOption, Data, DataOption, JsonOption, opened
from airy_ray.cli.output import complain, console, error_console, fail, print_json, print_table
from airy_ray.cli.units import instant
from airy_ray.clock import Micros, to_millis
from airy_ray.errors import AiryError, ConfigError, OffsetOutOfRangeError
from airy_ray.partition import ledger as ledgers
from airy_ray.partition.ledger import Docket
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Record
from airy_ray.state.tables import Fault
from airy_ray.storage import child
from airy_ray.storage.files import write_synced

quarantine = typer.Typer(
    name="quarantine",
    invoke_without_command=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


@quarantine.callback()
def listed(
    context: typer.Context,
    config: ConfigOption = None,
    data: DataOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many to show.")] = 50,
    *,
    as_json: JsonOption = False,
) -> None:
    """List the records whose projection failed, newest first; `show` says why.

    Such a record changed nothing, and those behind it were applied. What came in is kept in the
    log.

    Exit code 0: this is all there is. 1: a partition could not be read. 2: wrong use.

    Example: airy-ray quarantine show 02:1746
    """
    if context.invoked_subcommand is not None:
        context.obj = (data, config, as_json)
        return
    found = opened(data, config)
    try:
        docket = next(child.results(ledgers.docket, found.specs, limit))
    except AiryError as error:
        fail(f"the quarantine cannot be read: {error}", code=1)
    if as_json:
        print_json(_for_programs(docket))
    else:
        _show(docket)
    if docket.unreadable:
        raise typer.Exit(1)


@quarantine.command()
def show(
    context: typer.Context,
    record: Annotated[str, typer.Argument(help="Which: partition:offset, as it is listed.")],
    config: ConfigOption = None,
    data: DataOption = None,
    body: Annotated[
        Path | None, typer.Option(help="Write the raw body to this file too; - for here.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show why a record is in quarantine: the error, and where in the code it was raised.

    What came in, which may be private, is not shown; --body writes it, byte for byte.

    Example: airy-ray quarantine show 02:1746 --body body.json
    """
    outer_data, outer_config, outer_json = context.obj
    found = opened(data or outer_data, config or outer_config)
    try:
        spec, offset = _place(record, found)
        fault, stored = next(child.results(ledgers.case, spec, offset))
    except (ConfigError, OffsetOutOfRangeError) as error:
        fail(error)
    except FileNotFoundError:
        fail(f"{record}: nothing has begun in this partition")
    except AiryError as error:
        fail(f"{record} cannot be read: {error}", code=1)
    if fault is None:
        fail(f"{record} is not in quarantine")
    if body is not None:
        _write(stored.body, body)
    if body == Path("-"):
        return
    if as_json or outer_json:
        print_json(_case(record, fault, stored))
    else:
        _show_case(record, fault, stored)


def _place(text: str, data: Data) -> tuple[PartitionSpec, int]:
    """Return the partition and the offset that a person means; `2:17` is `02:17`."""
    name, _, offset = text.partition(":")
    name = f"{int(name):02}" if name.isdecimal() else name
    spec = next((spec for spec in data.specs if spec.name == name), None)
    if spec is None or not offset.isdecimal():
        raise ConfigError(f"{text}: expected partition:offset, such as 02:1746")
    return spec, int(offset)


def _write(content: bytes, file: Path) -> None:
    if file == Path("-"):
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    try:
        write_synced(file, content)  # for its owner's eyes only
    except OSError as error:
        fail(f"--body: {file}: {error.strerror}")


def _show(docket: Docket) -> None:
    if docket.cases:
        columns = ("record", "received", "error")
        rows = [(case.place, _instant(case.fault), case.fault.error) for case in docket.cases]
        print_table(columns, rows)
    elif not docket.unreadable:
        console.print("no record is in quarantine")
    for each in docket.unreadable:
        complain(f"partition {each.partition} is missing here: {each.reason}")
    if docket.count > len(docket.cases):
        error_console.print(f"{docket.count:,} in all; --limit shows more", style="dim")


def _show_case(record: str, fault: Fault, stored: Record) -> None:
    told = (
        f"{record}, received {_instant(fault)}",
        f"{stored.kind} of {stored.source or '-'}, {len(stored.body):,} bytes, "
        f"payload {stored.payload_id.hex()}",
        "",
        fault.traceback.rstrip(),
        fault.error,
    )
    for line in told:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _for_programs(docket: Docket) -> dict[str, Any]:
    return {
        "count": docket.count,
        "records": [
            {
                "partition": case.place.partition,
                "offset": case.place.offset,
                "received_at": _instant(case.fault),
                "error": case.fault.error,
            }
            for case in docket.cases
        ],
        "unreadable": {each.partition: each.reason for each in docket.unreadable},
    }


def _case(record: str, fault: Fault, stored: Record) -> dict[str, Any]:
    return {
        "record": record,
        "received_at": _instant(fault),
        "kind": stored.kind,
        "source": stored.source,
        "body_bytes": len(stored.body),
        "payload_id": stored.payload_id.hex(),
        "error": fault.error,
        "traceback": fault.traceback,
    }


def _instant(fault: Fault) -> str:
    return instant(to_millis(Micros(fault.at)))
