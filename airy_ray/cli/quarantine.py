"""`airy-ray quarantine`: records whose projection failed: why, and what is to become of them."""

from pathlib import Path
from typing import Any

import typer

from airy_ray.cli import records
from airy_ray.cli.data import ConfigOption, DataOption, JsonOption
from airy_ray.cli.output import complain, error_console, fail, print_json, print_table, say
from airy_ray.cli.records import (
    BeforeOption,
    BodyOption,
    Given,
    LimitOption,
    RecordArgument,
    RecordsArgument,
    received,
)
from airy_ray.errors import AiryError, ConfigError
from airy_ray.partition import ledger as ledgers
from airy_ray.partition.ledger import Docket, Told
from airy_ray.partition.newest import cursor_of
from airy_ray.projections.view import Fault
from airy_ray.storage import child

quarantine = typer.Typer(
    name="quarantine",
    invoke_without_command=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


@quarantine.callback()
def _begun(
    context: typer.Context,
    config: ConfigOption = None,
    data: DataOption = None,
    limit: LimitOption = 50,
    before: BeforeOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """List the records whose projection failed, newest first; `show` says why.

    Such a record changed nothing, and those behind it were applied. What came in is kept in the
    log: `retry` has it folded again, which a later version may do better, `drop` gives it up.

    Exit code 0: this is all there is. 1: a partition could not be read. 2: wrong use.

    Example: airy-ray quarantine show 02:1746
    """
    given = Given(data, config, as_json)
    if context.invoked_subcommand is None:
        _list(given, limit, before)
    context.obj = given


@quarantine.command("list")
def listed(
    context: typer.Context,
    config: ConfigOption = None,
    data: DataOption = None,
    limit: LimitOption = 50,
    before: BeforeOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """List the records in quarantine, as `airy-ray quarantine` alone does.

    Exit code 0: this is all there is. 1: a partition could not be read. 2: wrong use.

    Example: airy-ray quarantine list --limit 500
    """
    _list(Given(data, config, as_json).over(context.obj), limit, before)


@quarantine.command()
def show(
    context: typer.Context,
    record: RecordArgument,
    config: ConfigOption = None,
    data: DataOption = None,
    body: BodyOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show why a record is in quarantine: the error, and where in the code it was raised.

    What came in, which may be private, is not shown; --body writes it, byte for byte.

    Exit code 0: shown. 1: it cannot be read. 2: wrong use, or it is not in quarantine.

    Example: airy-ray quarantine show 02:1746 --body body.json
    """
    given = Given(data, config, as_json).over(context.obj)
    told = records.read(given.opened(), record)
    if told.fault is None:
        fail(f"{record} is not in quarantine")
    if body is not None:
        records.write_body(told, body)
    if body == Path("-"):
        return
    if given.as_json:
        why = {"error": told.fault.error, "traceback": told.fault.traceback}
        print_json(records.about(told) | why)
    else:
        _show_case(told, told.fault)


@quarantine.command()
def retry(
    context: typer.Context,
    named: RecordsArgument,
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Take records out of quarantine and have them folded again, as new records.

    One that fails again is in quarantine again, under its new place. The platform has to run.

    Exit code 0: they will be. 1: the system refused, or one is not in quarantine. 2: wrong use, or
    nothing runs here.

    Example: airy-ray quarantine retry 02:1746 03:12
    """
    given = Given(data, config, as_json).over(context.obj)
    _deal_with(given, named, "/quarantine.retry", "retried")


@quarantine.command()
def drop(
    context: typer.Context,
    named: RecordsArgument,
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Take records out of quarantine for good. They stay in the log. The platform has to run.

    Exit code 0: dropped. 1: the system refused, or one is not in quarantine. 2: wrong use, or
    nothing runs here.

    Example: airy-ray quarantine drop 02:1746
    """
    given = Given(data, config, as_json).over(context.obj)
    _deal_with(given, named, "/quarantine.drop", "dropped")


def _list(given: Given, limit: int, before: str | None) -> None:
    found = given.opened()
    try:
        positions = records.positions(before, found)
        docket = child.first(ledgers.docket, found.specs, positions, limit)
    except ConfigError as error:
        fail(error)
    except AiryError as error:
        fail(f"the quarantine cannot be read: {error}", code=1)
    if given.as_json:
        print_json(_for_programs(docket))
    else:
        _show(docket)
    if docket.unreadable:
        raise typer.Exit(1)


def _deal_with(given: Given, named: list[str], path: str, done: str) -> None:
    found = given.opened()
    dealt_with = []
    for record in named:
        if records.read(found, record).fault is None:  # the system takes it for done already
            complain(f"airy-ray: {record} is not in quarantine")
            continue
        records.ask(found, path, record, missing="it is not in quarantine")
        dealt_with.append(record)
        if not given.as_json:
            say(f"{record} {done}")
    if given.as_json:
        print_json({done: dealt_with})
    if dealt_with != named:
        raise typer.Exit(1)


def _show(docket: Docket) -> None:
    if docket.cases:
        columns = ("record", "received", "error")
        rows = [(case.place, received(case.fault.at), case.fault.error) for case in docket.cases]
        print_table(columns, rows)
    elif not docket.unreadable:
        say("no record is in quarantine")
    records.complain_of(docket.unreadable)
    if docket.count > len(docket.cases):
        error_console.print(f"{docket.count:,} in all", style="dim")
        records.tell_more(docket.following)


def _show_case(told: Told, fault: Fault) -> None:
    for line in (*records.headline(told), "", fault.traceback.rstrip(), fault.error):
        say(line)


def _for_programs(docket: Docket) -> dict[str, Any]:
    return {
        "count": docket.count,
        "records": [
            {
                "partition": case.place.partition,
                "offset": case.place.offset,
                "received_at": received(case.fault.at),
                "error": case.fault.error,
            }
            for case in docket.cases
        ],
        "unreadable": {each.partition: each.reason for each in docket.unreadable},
        "before": cursor_of(docket.following),
    }
