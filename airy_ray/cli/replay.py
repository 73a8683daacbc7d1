"""`airy-ray replay`: history processed again, held against what there is, and put in its place."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, assert_never

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from airy_ray.cli.data import ConfigOption, Data, DataOption, JsonOption, opened
from airy_ray.cli.output import console, error_console, fail, print_json, print_table
from airy_ray.cli.units import instant, parsed_instant
from airy_ray.clock import Millis, now_millis, to_millis
from airy_ray.errors import ConfigError, ReplayError
from airy_ray.model.ids import ChannelId, ConversationId, parse_id
from airy_ray.partition.inventory import Made, inventories, told
from airy_ray.partition.ownership import owner_of
from airy_ray.replay import run as runs
from airy_ray.replay.replayer import DIFFERENCES
from airy_ray.replay.run import Run
from airy_ray.replay.selection import Selection
from airy_ray.state.origin import Origin

_LOOK_S = 0.3
_SAMPLE_MAX = 160

replay = typer.Typer(
    name="replay",
    help="Process history again with the present code, see what differs, and put it in place.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

Source = Annotated[list[str] | None, typer.Option(help="Conversations of this source.")]


@replay.command()
def start(
    config: ConfigOption = None,
    data: DataOption = None,
    source: Source = None,
    channel: Annotated[list[str] | None, typer.Option(help="Of the channel with this id.")] = None,
    conversation: Annotated[list[str] | None, typer.Option(help="This conversation.")] = None,
    since: Annotated[
        str | None, typer.Option(help="That got something since: 2026-11-25T14:00, or 2h.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="That got something before.")] = None,
    *,
    quarantined: Annotated[
        bool, typer.Option("--quarantined", help="That have something in quarantine.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would differ, and keep nothing of it.")
    ] = False,
    swap: Annotated[
        bool, typer.Option("--swap", help="Put it in place at once, if not too much vanishes.")
    ] = False,
    wait: Annotated[
        bool, typer.Option(help="Wait until it is done, and show how far it is.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Process history again, beside the running system, and show what comes out differently.

    Without an option, everything; else the conversations for which all options hold, whole, with
    all that belongs to the same people. Nothing changes before `airy-ray replay swap`, nothing is
    sent again, and no webhook is called.

    Exit code 0: done. 1: it failed. 2: wrong use.

    Example: airy-ray replay start --source telegram --since 7d
    """
    found = opened(data, config)
    try:
        selection = _selection(source, channel, conversation, since, until, quarantined)
        number = runs.start(found.specs, selection, now_millis())
    except (ConfigError, ReplayError) as error:
        fail(error)
    _warn_if_stopped(found)
    if not wait:
        _end(found, as_json=as_json)
        return
    run = _watched(found, number)
    if run.phase == "ready" and swap:
        try:
            runs.swap(found.specs)
        except ReplayError as error:
            _end(found, as_json=as_json)
            fail(error, code=1)
        run = _watched(found, number)
    if dry_run and run.phase == "ready":
        runs.cancel(found.specs)
        _watched(found, number)
    _end(found, as_json=as_json, run=run)


@replay.command()
def status(
    config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False
) -> None:
    """Show how far the newest replay is, and what differs.

    Example: airy-ray replay status
    """
    _end(opened(data, config), as_json=as_json)


@replay.command()
def generations(
    config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False
) -> None:
    """Show which generations of the rows there are, and what each was made of.

    Example: airy-ray replay generations
    """
    found = inventories(opened(data, config).specs)
    if as_json:
        print_json(told(found))
        return
    rows = []
    for each in found:
        rows += [_generation(each.partition, "former", former) for former in each.former]
        if each.present is not None:
            rows.append(_generation(each.partition, "serves", each.present))
    print_table(
        ("partition", "generation", "", "projection", "records", "made of", "release", "at"), rows
    )


@replay.command()
def swap(
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Even if a large share of the messages vanishes.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put what a replay made in place of what there is, while the system runs.

    Who listens hears of what is different; `airy-ray replay rollback` brings back what was before,
    for a day.

    Example: airy-ray replay swap
    """
    _do(lambda found: runs.swap(found.specs, is_forced=force), data, config, as_json=as_json)


@replay.command()
def cancel(
    config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False
) -> None:
    """Throw away what a replay has made so far.

    Example: airy-ray replay cancel
    """
    _do(lambda found: runs.cancel(found.specs), data, config, as_json=as_json)


@replay.command()
def rollback(
    config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False
) -> None:
    """Bring back what was before the swap, with all that came in since.

    It is refused once that is not kept any more: after a day, after an erasure, or if a damaged
    state had to be made anew.

    Example: airy-ray replay rollback
    """
    _do(lambda found: runs.roll_back(found.specs), data, config, as_json=as_json)


@replay.command()
def diff(
    to: Annotated[Path, typer.Argument(help="The Arrow file to write.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Write all rows that differ to an Arrow file, with what they were and what they become.

    It holds what people wrote: only its owner may read it.

    Example: airy-ray replay diff differences.arrow
    """
    from airy_ray.replay import diff as diffs  # loads Arrow

    found = opened(data, config)
    files = [spec.directory / DIFFERENCES for spec in found.specs]
    present = [file for file in files if file.exists()]
    if not present:
        fail("there are no differences: start a replay first")
    try:
        rows = diffs.joined(present, to)
    except OSError as error:
        fail(f"{to}: {error.strerror}")
    console.print(f"{rows:,} rows that differ are in {to}", highlight=False)


def _generation(partition: str, state: str, made: Made) -> tuple[object, ...]:
    origin = made.origin
    known = partition, made.number, state, made.projection, f"{made.applied:,}"
    if origin is None:
        return (*known, "-", "-", "-")
    return (*known, _made_of(origin), origin.release, instant(origin.at))


def _made_of(origin: Origin) -> str:
    """Tell in words what a generation was made of."""
    history = f"records before {origin.until:,}"
    match origin.kind:
        case "live":
            return "records as they came"
        case "replay":
            part = f", {json.dumps(origin.selection)}" if origin.selection else ""
            return f"replay {origin.run} of {history}{part}"
        case "upgrade":
            return f"{history}, at an upgrade"
        case "restore":
            return f"{history}, of a backup"
        case "repair":
            return f"{history}, for what was before was in doubt"
        case "erasure":
            return f"{history}, as an erasure left them"
        case _:
            assert_never(origin.kind)


def _do(
    what: Callable[[Data], int], data: Path | None, config: Path | None, *, as_json: bool
) -> None:
    found = opened(data, config)
    try:
        number = what(found)
    except ReplayError as error:
        fail(error)
    _warn_if_stopped(found)
    _end(found, as_json=as_json, run=_watched(found, number))


def _selection(
    sources: list[str] | None,
    channels: list[str] | None,
    conversations: list[str] | None,
    since: str | None,
    until: str | None,
    quarantined: bool,
) -> Selection:
    now = now_millis()
    return Selection(
        sources=tuple(sources or ()),
        channels=tuple(ChannelId(_id("--channel", each)) for each in channels or ()),
        conversations=tuple(
            ConversationId(_id("--conversation", each)) for each in conversations or ()
        ),
        since=_instant("--since", since, now),
        until=_instant("--until", until, now),
        is_quarantined=quarantined,
    )


def _instant(name: str, text: str | None, now: Millis) -> Millis | None:
    return None if text is None else to_millis(parsed_instant(name, text, now))


def _id(name: str, text: str) -> bytes:
    try:
        return parse_id(text)
    except ValueError:
        raise ConfigError(f"{name}: {text} is not an id") from None


def _warn_if_stopped(found: Data) -> None:
    if all(owner_of(spec.directory) is None for spec in found.specs):
        error_console.print(
            "the system is stopped: it begins when `airy-ray up` runs", style="yellow"
        )


def _watched(found: Data, number: int) -> Run:
    """Show how far it is until nothing more happens by itself."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} records"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=error_console, transient=True) as progress:
        task = progress.add_task("waiting", total=1, rate=0.0)
        while True:
            run = runs.status(found.specs)
            if run is None or run.number != number:
                fail("another replay was started meanwhile", code=1)
            progress.update(
                task,
                description=run.phase,
                completed=sum(report.done for report in run.reports),
                total=max(1, sum(report.total for report in run.reports)),
                rate=sum(report.per_second for report in run.reports),
            )
            if run.is_at_rest and _is_heard(run):
                return run
            time.sleep(_LOOK_S)


def _is_heard(run: Run) -> bool:
    """Whether all owners have done what they were told last."""
    done = {
        "compare": {"ready", "failed"},
        "swap": {"swapped", "failed"},
        "cancel": {"cancelled", "swapped", "failed"},
        "roll back": {"rolled back", "cancelled", "failed"},
    }
    return all(part.phase in done[part.order.wanted] for part in run.parts)


def _end(found: Data, *, as_json: bool, run: Run | None = None) -> None:
    """Print how far a replay is; end with code 1 if it failed."""
    run = run or runs.status(found.specs)
    if as_json:
        print_json(None if run is None else run.told())
    elif run is None:
        console.print("There was no replay yet.")
    else:
        _show(run)
    if run is not None and run.phase == "failed":
        raise typer.Exit(1)


def _show(run: Run) -> None:
    console.print(f"replay {run.number} is {run.phase}", highlight=False)
    for part in run.parts:
        if part.report is not None and part.report.error is not None:
            console.print(f"partition {part.partition}: {part.report.error}", style="red")
    if run.phase in ("waiting", "folding", "comparing"):
        return
    if not run.counts:
        console.print("Nothing differs.")
        return
    columns = ("rows of", "source", "only before", "only after", "changed")
    rows = [
        (each.table, each.source, each.only_before, each.only_after, each.changed)
        for each in run.counts
    ]
    print_table(columns, rows)
    console.print()
    samples = [
        (each.table, each.id, ", ".join(each.fields), _cut(each.before), _cut(each.after))
        for each in run.samples
    ]
    print_table(("some of them", "id", "fields", "before", "after"), samples)
    if run.phase == "ready":
        console.print("\n`airy-ray replay swap` puts it in place.", highlight=False)


def _cut(text: str | None) -> str:
    if text is None:
        return "-"
    return text if len(text) <= _SAMPLE_MAX else text[: _SAMPLE_MAX - 1] + "…"
