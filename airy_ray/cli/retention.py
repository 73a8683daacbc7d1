"""`airy-ray retention`: which conversations have been kept for long enough?"""

from collections import defaultdict
from typing import Annotated, Any

import typer

from airy_ray.cli.data import ConfigOption, DataOption, JsonOption, opened
from airy_ray.cli.output import complain, console, error_console, fail, print_json, print_table
from airy_ray.cli.units import instant
from airy_ray.clock import Millis, now_millis
from airy_ray.model.ids import format_id
from airy_ray.partition.retention import Due, Outlook, outlook
from airy_ray.storage import child


def retention(
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell; nothing else can be asked for.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show which conversations the rules in `retention` would have erased now. Changes nothing.

    The running system carries the rules out by itself, once a day, 10,000 conversations of each
    partition at once; what is more follows an hour later. Files that nothing else links to go, too.

    Exit code 0: this is all. 1: a partition could not be read. 2: wrong use.

    Example: airy-ray retention --dry-run
    """
    if not dry_run:
        fail("retention: the running system erases by itself; see what with --dry-run")
    found = opened(data, config)
    with error_console.status("looking for old conversations"):
        outlooks = list(child.results(outlook, found.specs, now_millis()))
    if as_json:
        print_json(_for_programs(outlooks))
    else:
        _print(outlooks)
    unreadable = [each for each in outlooks if each.unreadable is not None]
    for each in unreadable:
        complain(f"partition {each.partition} cannot be read: {each.unreadable}")
    if unreadable:
        raise typer.Exit(1)


def _print(outlooks: list[Outlook]) -> None:
    by_source: dict[str, list[Due]] = defaultdict(list)
    for each in outlooks:
        for due in each.due:
            by_source[due.source].append(due)
    if not by_source:
        console.print("Nothing would go.")
        return
    rows = [(source, len(due), _oldest(due)) for source, due in sorted(by_source.items())]
    print_table(["source", "conversations", "oldest last message"], rows)


def _oldest(due: list[Due]) -> str:
    return instant(Millis(min(each.last_message_at for each in due)))


def _for_programs(outlooks: list[Outlook]) -> dict[str, Any]:
    return {
        "conversations": [
            {
                "partition": each.partition,
                "id": format_id(due.conversation_id),
                "source": due.source,
                "last_message_at": instant(due.last_message_at),
            }
            for each in outlooks
            for due in each.due
        ],
        "unreadable": [
            {"partition": each.partition, "reason": each.unreadable}
            for each in outlooks
            if each.unreadable is not None
        ],
    }
