"""What people are shown of a replay, and of the generations that replays and upgrades have made."""

import json
from collections.abc import Sequence
from typing import assert_never

from airy_ray.cli.output import complain, console, print_table, say
from airy_ray.cli.units import age, instant
from airy_ray.partition.inventory import Inventory, Made
from airy_ray.replay.run import VANISHING_MAX, Run
from airy_ray.state.origin import Origin

_SAMPLE_MAX = 160
"""Characters of a row that are shown; all of it is in the Arrow file."""


def show(run: Run, *, with_differences: bool) -> None:
    """Show how far a replay is, and what there is to do about it."""
    part = "" if run.selection.is_all else f", of {json.dumps(run.selection.told())}"
    say(f"replay {run.number}{part} is {run.phase}{_far(run)}")
    for each in run.parts:
        if each.report is not None and each.report.error is not None:
            complain(f"partition {each.partition}: {each.report.error}")
    if with_differences and run.is_compared:
        if run.conversations is not None:
            say(
                f"conversations selected, with all others of the same people: {run.conversations:,}"
            )
        _show_differences(run)
    match run.phase:
        case "ready":
            say("airy-ray replay swap puts it in place")
        case "swapped" if run.rollback_until is not None:
            until = instant(run.rollback_until)
            say(f"airy-ray replay rollback brings back what was before, until {until}")


def _far(run: Run) -> str:
    """Tell how far a replay is that is under way."""
    if run.phase not in ("folding", "comparing", "preparing") or not run.total:
        return ""
    far = f": {run.done:,} of {run.total:,} records"
    if not run.per_second:
        return far
    return f"{far}, {run.per_second:,.0f}/s, {age((run.total - run.done) / run.per_second)} left"


def _show_differences(run: Run) -> None:
    if not run.counts:
        say("nothing differs")
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
    console.print()
    _show_consequences(run)


def _show_consequences(run: Run) -> None:
    """Say what the tables do not."""
    vanishing = sum(report.vanishing for report in run.reports)
    unsent = sum(report.unsent for report in run.reports)
    misrouted = sum(report.misrouted for report in run.reports)
    if vanishing:
        forced = ": a swap needs --force" if run.vanishing > VANISHING_MAX else ""
        say(f"messages that vanish: {vanishing:,}, {run.vanishing:.2%} of all{forced}")
    if unsent:
        say(f"messages that are new and wait to be sent, and are not sent: {unsent:,}")
    if misrouted:
        say(f"records that belong to other partitions, and go there with the swap: {misrouted:,}")


def _cut(text: str | None) -> str:
    if text is None:
        return "-"
    return text if len(text) <= _SAMPLE_MAX else text[: _SAMPLE_MAX - 1] + "…"


def show_generations(found: Sequence[Inventory]) -> None:
    """Show which generations each partition has, those that it had first."""
    rows = []
    for each in found:
        rows += [_generation(each.partition, "former", former) for former in each.former]
        if each.present is not None:
            rows.append(_generation(each.partition, "serves", each.present))
    print_table(
        ("partition", "generation", "", "projection", "records", "made of", "release", "at"), rows
    )


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
