"""`airy-ray ledger`: did we get it, what became of it, and can it be taken in again?"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from airy_ray.cli import records
from airy_ray.cli.data import ConfigOption, DataOption, JsonOption
from airy_ray.cli.output import error_console, fail, print_json, print_table, say
from airy_ray.cli.records import (
    BeforeOption,
    BodyOption,
    Given,
    LimitOption,
    RecordArgument,
    received,
)
from airy_ray.cli.units import parsed_id, parsed_instant
from airy_ray.clock import Micros, Millis, now_millis
from airy_ray.errors import AiryError, ConfigError
from airy_ray.model.ids import ConversationId, MessageId, format_id
from airy_ray.partition import ledger as ledgers
from airy_ray.partition.ledger import Line, Page, Question, Told
from airy_ray.partition.newest import cursor_of
from airy_ray.rawlog.record import Route, parse_payload_id, payload_id
from airy_ray.storage import child

ledger = typer.Typer(
    name="ledger",
    invoke_without_command=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


class Verdict(StrEnum):
    """What a record can come to."""

    APPLIED = "applied"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"


@ledger.callback()
def listed(
    context: typer.Context,
    config: ConfigOption = None,
    data: DataOption = None,
    source: Annotated[
        str | None, typer.Option(help="Only of this source; api for commands.")
    ] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Only what came to this.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Not older: 2026-11-25T14:00 (UTC), or 30m, 2h, 7d ago.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only older; as --since.")] = None,
    conversation: Annotated[
        str | None, typer.Option(help="Only what made or changed a message of this conversation.")
    ] = None,
    message: Annotated[
        str | None, typer.Option(help="Only what made or changed this message.")
    ] = None,
    payload: Annotated[
        str | None, typer.Option(help="Only bodies with this payload id: repetitions of one.")
    ] = None,
    payload_file: Annotated[
        Path | None, typer.Option(help="Only bodies that are, byte for byte, in this file.")
    ] = None,
    limit: LimitOption = 50,
    before: BeforeOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what was received and what became of it, newest first.

    Each line is a record of the log: when it came, its partition:offset, and whether it was
    applied, ignored (and why) or put into quarantine, with the ids of the messages that it made or
    changed. Entries are kept for limits.ledger_days. `show` tells all about one, `resend` has it
    taken in again.

    Exit code 0: this is all there is. 1: a partition could not be read. 2: wrong use.

    Example: airy-ray ledger --source facebook --verdict ignored --since 2h
    """
    given = Given(data, config, as_json)
    if context.invoked_subcommand is not None:
        context.obj = given
        return
    found = given.opened()
    try:
        question = Question(
            source=source,
            verdict=verdict,
            since=_instant("--since", since, now_millis()),
            until=_instant("--until", until, now_millis()),
            conversation=None
            if conversation is None
            else ConversationId(parsed_id("--conversation", conversation)),
            message=None if message is None else MessageId(parsed_id("--message", message)),
            payload=_digest(payload, payload_file),
        )
        positions = records.positions(before, found)
    except ConfigError as error:
        fail(error)
    try:
        with error_console.status("looking through the ledger"):
            pages = list(child.results(ledgers.pages, found.specs, question, positions, limit))
    except AiryError as error:
        fail(f"the ledger cannot be read: {error}", code=1)
    page = _joined(pages)
    if as_json:
        print_json(_for_programs(page))
    else:
        _show(page)
    if page.unreadable:
        raise typer.Exit(1)


@ledger.command()
def show(
    context: typer.Context,
    record: RecordArgument,
    config: ConfigOption = None,
    data: DataOption = None,
    body: BodyOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of a record: when it came, what it is, what became of it.

    What came in, which may be private, is not shown; --body writes it, byte for byte. What people
    said who were erased since is not in it.

    Exit code 0: shown. 1: it cannot be read. 2: wrong use, or there is none.

    Example: airy-ray ledger show 02:1746 --body body.json
    """
    given = Given(data, config, as_json).over(context.obj)
    told = records.read(given.opened(), record)
    if body is not None:
        records.write_body(told, body)
    if body == Path("-"):
        return
    if given.as_json:
        print_json(_all_of(told))
    else:
        _show_all_of(told)


@ledger.command()
def resend(
    context: typer.Context,
    record: RecordArgument,
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Have what a source sent taken in again, as if it came now: routed by today's channels.

    Nothing is doubled: the same body makes the same messages. It becomes a new record with the same
    payload id. The platform has to run.

    Exit code 0: it will be. 1: the system refused. 2: wrong use, or nothing runs here.

    Example: airy-ray ledger resend 02:1746
    """
    given = Given(data, config, as_json).over(context.obj)
    found = given.opened()
    told = records.read(found, record)
    records.ask(found, "/ledger.resend", str(told.place), missing="there is no such record")
    payload = told.record.payload_id.hex()
    if given.as_json:
        print_json({"resent": str(told.place), "payload_id": payload})
    else:
        say(f"taken in again; airy-ray ledger --payload {payload} tells what becomes of it")


def _instant(name: str, text: str | None, now: Millis) -> Micros | None:
    return None if text is None else parsed_instant(name, text, now)


def _digest(payload: str | None, file: Path | None) -> bytes | None:
    """Return the digest of a body, given as it is or by the body itself."""
    if file is not None:
        try:
            return payload_id(file.read_bytes())
        except OSError as error:
            raise ConfigError(f"--payload-file: {file}: {error.strerror}") from None
    if payload is None:
        return None
    try:
        return parse_payload_id(payload)
    except ValueError:
        raise ConfigError(f"--payload: {payload} is not the id of a payload") from None


def _joined(pages: list[Page]) -> Page:
    unreadable = {each.partition: each for page in pages for each in page.unreadable}
    lines = [line for page in pages for line in page.lines]
    return Page(lines, list(unreadable.values()), pages[-1].following)


def _show(page: Page) -> None:
    if page.lines:
        columns = ("when", "record", "source", "kind", "bytes", "verdict", "why", "made or changed")
        print_table(columns, [_row(line) for line in page.lines])
    else:
        say("nothing was found")
    records.complain_of(page.unreadable)
    records.tell_more(page.following)


def _row(line: Line) -> tuple[object, ...]:
    entry = line.entry
    return (
        received(entry.received_at),
        line.place,
        entry.source,
        entry.kind,
        entry.body_bytes,
        entry.verdict,
        ", ".join(dict.fromkeys(entry.reasons)),
        " ".join(format_id(each) for each in entry.message_ids),
    )


def _for_programs(page: Page) -> dict[str, Any]:
    return {
        "records": [
            {
                "received_at": received(line.entry.received_at),
                "partition": line.place.partition,
                "offset": line.place.offset,
                "source": line.entry.source,
                "kind": line.entry.kind,
                "body_bytes": line.entry.body_bytes,
                "payload_id": line.entry.payload_id.hex(),
                "verdict": line.entry.verdict,
                "reasons": list(line.entry.reasons),
                "message_ids": [format_id(each) for each in line.entry.message_ids],
            }
            for line in page.lines
        ],
        "unreadable": {each.partition: each.reason for each in page.unreadable},
        "before": cursor_of(page.following),
    }


def _all_of(told: Told) -> dict[str, Any]:
    entry = told.entry
    return records.about(told) | {
        "verdict": None if entry is None else entry.verdict,
        "reasons": [] if entry is None else list(entry.reasons),
        "message_ids": [] if entry is None else [format_id(each) for each in entry.message_ids],
        "repeats": None if told.repeats is None else str(told.repeats),
        "routes": [_route(route) for route in told.record.routes],
    }


def _route(route: Route) -> dict[str, Any]:
    return {
        "source": route.source,
        "channel": route.channel,
        "conversation": route.conversation,
        "channel_id": format_id(route.channel_id),
        "conversation_id": format_id(route.conversation_id),
        "refused": route.refused,
    }


def _show_all_of(told: Told) -> None:
    for line in records.headline(told):
        say(line)
    shown = _all_of(told)
    became = shown["verdict"] or "what became of it is not known any more"
    print_table(
        ("", ""),
        [
            ("verdict", became),
            *[("why", reason) for reason in dict.fromkeys(shown["reasons"])],
            *[("message", each) for each in shown["message_ids"]],
            *[("repeats", each) for each in [shown["repeats"]] if each],
            *[
                ("conversation", f"{each['conversation_id']} {each['refused'] or ''}".rstrip())
                for each in shown["routes"]
            ],
        ],
    )
