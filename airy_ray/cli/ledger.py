"""`airy-ray ledger`: did we get it, and what became of it?"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from airy_ray.cli.data import ConfigOption, DataOption, JsonOption, opened
from airy_ray.cli.output import complain, console, error_console, fail, print_json, print_table
from airy_ray.cli.units import instant, parsed_instant
from airy_ray.clock import Micros, Millis, now_millis, to_millis
from airy_ray.errors import AiryError, ConfigError
from airy_ray.model.ids import ConversationId, MessageId, format_id, parse_id
from airy_ray.partition import ledger as ledgers
from airy_ray.partition.ledger import Line, Page, Question
from airy_ray.rawlog.record import payload_id
from airy_ray.storage import child


class Verdict(StrEnum):
    """What a record can come to."""

    APPLIED = "applied"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"


def ledger(
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
    payload_file: Annotated[
        Path | None, typer.Option(help="Only bodies that are, byte for byte, in this file.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many to show.")] = 50,
    before: Annotated[
        str | None, typer.Option(help="Go on where a page ended: the position it printed.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what was received and what became of it, newest first.

    Each line is a record of the log: when it came, its partition:offset, and whether it was
    applied, ignored (and why) or put into quarantine, with the ids of the messages that it made or
    changed. Entries are kept for limits.ledger_days.

    Exit code 0: this is all there is. 1: a partition could not be read. 2: wrong use.

    Example: airy-ray ledger --source facebook --verdict ignored --since 2h
    """
    found = opened(data, config)
    try:
        question = _question(
            now_millis(), source, verdict, since, until, conversation, message, payload_file
        )
        position = _position(before, len(found.specs))
    except ConfigError as error:
        fail(error)
    try:
        with error_console.status("looking through the ledger"):
            page = next(child.results(ledgers.page, found.specs, question, position, limit))
    except AiryError as error:
        fail(f"the ledger cannot be read: {error}", code=1)
    if as_json:
        print_json(_for_programs(page))
    else:
        _show(page)
    if page.unreadable:
        raise typer.Exit(1)


def _question(
    now: Millis,
    source: str | None,
    verdict: Verdict | None,
    since: str | None,
    until: str | None,
    conversation: str | None,
    message: str | None,
    payload_file: Path | None,
) -> Question:
    return Question(
        source=source,
        verdict=verdict,
        since=None if since is None else parsed_instant("--since", since, now),
        until=None if until is None else parsed_instant("--until", until, now),
        conversation=_id("--conversation", conversation, ConversationId),
        message=_id("--message", message, MessageId),
        payload=None if payload_file is None else _digest(payload_file),
    )


def _id(name: str, text: str | None, kind: Any) -> Any:
    if text is None:
        return None
    try:
        return kind(parse_id(text))
    except ValueError:
        raise ConfigError(f"{name}: {text} is not an id") from None


def _digest(file: Path) -> bytes:
    try:
        return payload_id(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"--payload-file: {file}: {error.strerror}") from None


def _position(before: str | None, partitions: int) -> list[int] | None:
    """Return the offset of each partition before which a page begins."""
    if before is None:
        return None
    parts = before.split(".")
    if len(parts) != partitions or not all(part.isdecimal() for part in parts):
        raise ConfigError("--before: expected the position that the last page printed")
    return [int(part) for part in parts]


def _cursor(page: Page) -> str | None:
    return None if page.before is None else ".".join(map(str, page.before))


def _show(page: Page) -> None:
    if page.lines:
        columns = ("when", "record", "source", "kind", "bytes", "verdict", "why", "made or changed")
        print_table(columns, [_row(line) for line in page.lines])
    else:
        console.print("nothing was found")
    for each in page.unreadable:
        complain(f"partition {each.partition} is missing here: {each.reason}")
    cursor = _cursor(page)
    if cursor is not None:
        error_console.print(f"there is more: --before {cursor}", style="dim", soft_wrap=True)


def _row(line: Line) -> tuple[object, ...]:
    entry = line.entry
    return (
        instant(to_millis(Micros(entry.received_at))),
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
                "received_at": instant(to_millis(Micros(line.entry.received_at))),
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
        "before": _cursor(page),
    }
