"""`airy-ray replay`: history processed again, held against what there is, and put in its place."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from airy_ray.cli.data import ConfigOption, Data, DataOption, JsonOption, opened
from airy_ray.cli.output import complain, error_console, fail, print_json, say
from airy_ray.cli.replay_screen import show, show_generations
from airy_ray.cli.units import parsed_id, parsed_instant
from airy_ray.clock import Millis, now_millis, to_millis
from airy_ray.errors import AiryError, ConfigError, ReplayError
from airy_ray.model.ids import ChannelId, ConversationId
from airy_ray.partition.inventory import inventories, told
from airy_ray.partition.ownership import owner_of
from airy_ray.replay import run as runs
from airy_ray.replay.run import Run
from airy_ray.replay.selection import Selection, channels_in, obstacle_to
from airy_ray.storage import child

_LOOK_S = 0.3
_INTERRUPTED = 130
"""Exit code of what Ctrl-C ends, as shells have it."""

replay = typer.Typer(
    name="replay",
    help="Process history again with the present code, see what differs, and put it in place.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

Source = Annotated[
    list[str] | None, typer.Option(help="Conversations of this source, such as twilio.sms.")
]


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
    all that belongs to the same people. --source, --channel and --conversation may be repeated.
    Nothing changes before `airy-ray replay swap`, nothing is sent again, and no webhook is called.

    Exit code 0: done. 1: it failed, or --swap was refused. 2: wrong use.

    Example: airy-ray replay start --source telegram --since 7d
    """
    if dry_run and swap:
        fail("--dry-run: keeps nothing, so there is nothing for --swap")
    if not wait and (dry_run or swap):
        fail(f"--no-wait: {'--dry-run' if dry_run else '--swap'} waits for what comes out")
    found = opened(data, config)
    try:
        selection = _selection(source, channel, conversation, since, until, quarantined)
        _check(found, selection)
        number = runs.start(found.specs, selection, now_millis())
    except (ConfigError, ReplayError) as error:
        fail(error)
    if not wait:
        _warn_if_stopped(found, "it begins when `airy-ray up` runs")
        _end(found, as_json=as_json)
        return
    run = _watched(found, number)
    if swap and run.phase == "ready":
        try:
            runs.swap(found.specs)
        except ReplayError as error:
            _end(found, as_json=as_json, run=run)
            fail(error, code=1)
        run = _watched(found, number)
    if dry_run and run.phase == "ready":
        runs.cancel(found.specs)
        run = _watched(found, number)
    _end(found, as_json=as_json, run=run)


@replay.command()
def status(
    config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False
) -> None:
    """Show how far the newest replay is, and what differs.

    Exit code 0: shown. 1: that replay failed. 2: wrong use.

    Example: airy-ray replay status
    """
    found = opened(data, config)
    run = runs.status(found.specs)
    if run is not None and not _is_done(run):
        _warn_if_stopped(found, "it goes on when `airy-ray up` runs")
    _end(found, as_json=as_json, run=run)


@replay.command()
def generations(
    config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False
) -> None:
    """Show which generations of the rows there are, and what each was made of.

    Exit code 0: shown. 2: wrong use.

    Example: airy-ray replay generations
    """
    found = inventories(opened(data, config).specs)
    if as_json:
        print_json(told(found))
        return
    show_generations(found)


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

    Exit code 0: swapped. 1: it failed. 2: there is nothing to swap, or too much would vanish.

    Example: airy-ray replay swap
    """
    _do(lambda found: runs.swap(found.specs, is_forced=force), data, config, as_json=as_json)


@replay.command()
def cancel(
    config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False
) -> None:
    """Throw away what a replay has made so far.

    Exit code 0: thrown away. 1: it failed. 2: there is nothing, or it is swapped already.

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

    Exit code 0: brought back. 1: it failed. 2: nothing is swapped, or what was before is gone.

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

    It holds what people wrote: only its owner may read it. docs/replay.md tells the columns.

    Exit code 0: written. 2: nothing was compared yet, or it cannot be written.

    Example: airy-ray replay diff differences.arrow
    """
    from airy_ray.replay import diff as diffs  # loads Arrow

    found = opened(data, config)
    try:
        rows = diffs.joined(runs.differences(found.specs), to)
    except ReplayError as error:
        fail(error)
    except OSError as error:
        fail(f"{to}: {error.strerror}")
    say(f"{rows:,} rows that differ are in {to}")


def _do(
    what: Callable[[Data], int], data: Path | None, config: Path | None, *, as_json: bool
) -> None:
    found = opened(data, config)
    try:
        number = what(found)
    except ReplayError as error:
        fail(error)
    _end(found, as_json=as_json, run=_watched(found, number), with_differences=False)


def _check(found: Data, selection: Selection) -> None:
    """Refuse what selects nothing.

    Raises:
        ConfigError: it does.
    """
    try:
        channels = child.first(channels_in, found.specs[-1])
    except (AiryError, FileNotFoundError):
        return  # nobody knows now
    if (obstacle := obstacle_to(selection, channels)) is not None:
        raise ConfigError(f"that selects nothing: {obstacle}")


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
        channels=tuple(ChannelId(parsed_id("--channel", each)) for each in channels or ()),
        conversations=tuple(
            ConversationId(parsed_id("--conversation", each)) for each in conversations or ()
        ),
        since=_instant("--since", since, now),
        until=_instant("--until", until, now),
        is_quarantined=quarantined,
    )


def _instant(name: str, text: str | None, now: Millis) -> Millis | None:
    return None if text is None else to_millis(parsed_instant(name, text, now))


def _warn_if_stopped(found: Data, consequence: str) -> None:
    if all(owner_of(spec.directory) is None for spec in found.specs):
        error_console.print(f"the system is stopped: {consequence}", style="yellow")


def _watched(found: Data, number: int) -> Run:
    """Show how far it is until nothing more happens by itself."""
    _warn_if_stopped(found, "this waits until `airy-ray up` runs")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} records"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    is_shown = error_console.is_terminal
    try:
        with Progress(
            *columns, console=error_console, transient=True, disable=not is_shown
        ) as progress:
            task = progress.add_task("waiting", total=1, rate=0.0)
            while True:
                run = runs.status(found.specs)
                if run is None or run.number != number:
                    fail("another replay was started meanwhile", code=1)
                progress.update(
                    task,
                    description=run.phase,
                    completed=run.done,
                    total=max(1, run.total),
                    rate=run.per_second,
                )
                if _is_done(run):
                    return run
                time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        complain(f"replay {number} goes on: airy-ray replay status tells how far it is")
        raise typer.Exit(_INTERRUPTED) from None


def _is_done(run: Run) -> bool:
    """Whether all owners have done what they were told last."""
    done = {
        "compare": {"ready", "failed"},
        "swap": {"swapped", "failed"},
        "cancel": {"cancelled", "swapped", "rolled back", "failed"},
        "roll back": {"rolled back", "cancelled", "failed"},
    }
    return run.is_at_rest and all(part.phase in done[part.order.wanted] for part in run.parts)


def _end(
    found: Data, *, as_json: bool, run: Run | None = None, with_differences: bool = True
) -> None:
    """Print how far a replay is; end with code 1 if it failed."""
    run = run or runs.status(found.specs)
    if as_json:
        print_json(None if run is None else run.told())
    elif run is None:
        say("There was no replay yet.")
    else:
        show(run, with_differences=with_differences)
    if run is not None and run.phase == "failed":
        raise typer.Exit(1)
