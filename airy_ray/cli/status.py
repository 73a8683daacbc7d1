"""`airy-ray status`: is it running, how far is each partition, does anything need attention."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import typer

from airy_ray.cli.data import ConfigOption, DataOption, JsonOption, opened
from airy_ray.cli.output import console, print_json, print_table, say
from airy_ray.cli.running import Running, running_on, was_killed
from airy_ray.cli.units import age, instant, ranges, size
from airy_ray.clock import Millis, now_millis
from airy_ray.partition.condition import Condition, conditions
from airy_ray.replay import upgrade

_REGISTRY = "registry"
_BEHIND_MS = 5_000
"""Records that wait for longer to be applied wait for something."""
_HELD_MS = 2_000
"""An append takes less than a millisecond; requests that wait for so long get 503."""
_STARTING_MS = 120_000


def status(
    config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False
) -> None:
    """Show whether the system runs, how far each partition is, and what needs attention.

    Reads the data directory itself, so it works while the system runs, hangs or is stopped.

    Exit code 0: all is well, even if a replay is offered after an upgrade, which it notes. 1:
    something needs attention, and it says what. 2: wrong use.

    Example: airy-ray status --data /var/lib/airy --json | jq .attention
    """
    found = opened(data, config)
    now = now_millis()
    running = running_on(found.directory)
    each = list(conditions(found.specs))
    needed = list(attention(running, each, now, killed=was_killed(found.directory)))
    noted = list(notes(each))
    if as_json:
        print_json(_for_programs(running, each, needed, noted))
    else:
        _show(running, each, needed, noted, now)
    if needed:
        raise typer.Exit(1)


def attention(
    running: Running | None, conditions: Sequence[Condition], now: Millis, *, killed: bool = False
) -> Iterator[str]:
    """Yield what somebody has to look after, a sentence each."""
    if running is None:
        owned = [each for each in conditions if each.owner is not None]
        if owned:
            yield (
                f"airy-ray up is gone, but {len(owned)} of its processes still work here; they end "
                "by themselves within moments"
            )
        elif killed:
            yield "it was killed, or crashed: nothing is received; start it with airy-ray up"
        else:
            yield "it is not running: nothing is received; start it with airy-ray up"
    elif running.ready_at is None and now - running.since > _STARTING_MS:
        yield f"it has been starting for {age((now - running.since) / 1_000)}"
    is_ready = running is not None and running.ready_at is not None
    for each in conditions:
        for problem in _problems(each, now, is_ready=is_ready):
            yield f"{_named(each)}: {problem}"


def notes(conditions: Sequence[Condition]) -> Iterator[str]:
    """Yield what is good to know and nobody has to do anything about, a sentence each."""
    projections = {each.name: each.projection for each in conditions if each.projection}
    if (notice := upgrade.notice(projections, "offer")) is not None:
        yield notice


def _problems(each: Condition, now: Millis, *, is_ready: bool) -> Iterator[str]:
    if each.damage is not None:
        yield f"it cannot be read: {each.damage}; airy-ray verify says more"
    if is_ready and each.owner is None:
        yield "nobody owns it: what comes in is kept, and applied once somebody does"
    if each.is_in_doubt:
        yield "a write to its log failed: nothing is appended until its owner has checked it"
    if each.writer is not None and each.writer.held_ms > _HELD_MS:
        held = age(each.writer.held_ms / 1_000)
        yield f"process {each.writer.pid} holds up all appends, for {held} now"
    if each.rebuild is not None:
        yield f"its state is being rebuilt: {_progress(each.rebuild.applied, each.rebuild.target)}"
    waiting_ms = 0 if each.oldest_unapplied_at is None else now - each.oldest_unapplied_at
    if is_ready and each.lag and waiting_ms > _BEHIND_MS:
        yield f"{each.lag:,} records wait to be applied, the oldest for {age(waiting_ms / 1_000)}"
    if each.holding is not None and each.holding.quarantined:
        count = each.holding.quarantined
        yield f"{count:,} records are in quarantine; airy-ray quarantine lists them"
    if each.lost:
        count = sum(last - first + 1 for first, last in each.lost)
        yield f"{count:,} records were lost by damage: offsets {ranges(each.lost)}"


def _show(
    running: Running | None,
    conditions: Sequence[Condition],
    needed: Sequence[str],
    noted: Sequence[str],
    now: Millis,
) -> None:
    say(_told(running, now))
    console.print()
    counts = ("partition", "owner", "head", "applied", "lag", "conversations", "messages")
    print_table(counts, [_counts(each) for each in conditions])
    console.print()
    kept = ("partition", "last received", "log", "archive", "state", "snapshots", "quarantined")
    print_table(kept, [_kept(each) for each in conditions])
    console.print()
    say(_channels(conditions))
    for note in noted:
        say(f"- {note}", "yellow")
    for problem in needed:
        say(f"! {problem}", "red")
    if not needed:
        say("all is well", "green")


def _told(running: Running | None, now: Millis) -> str:
    if running is None:
        return "not running"
    if running.ready_at is None:
        begun = age((now - running.since) / 1_000)
        return f"starting at {running.url}, process {running.pid}, for {begun}"
    up = age((now - running.ready_at) / 1_000)
    since = instant(running.ready_at)
    return f"running at {running.url}, process {running.pid}, since {since} ({up})"


def _counts(each: Condition) -> tuple[object, ...]:
    holding = each.holding
    return (
        each.name,
        each.owner or "-",
        _number(each.head),
        _number(each.applied),
        _number(None if each.head is None or each.applied is None else each.lag),
        _number(None if holding is None else holding.conversations),
        _number(None if holding is None else holding.messages),
    )


def _kept(each: Condition) -> tuple[object, ...]:
    disk, holding = each.disk, each.holding
    sizes = () if disk is None else (disk.log, disk.archive, disk.state, disk.snapshots)
    return (
        each.name,
        "-" if each.last_received_at is None else instant(each.last_received_at),
        *(map(size, sizes) if sizes else "----"),
        _number(None if holding is None else holding.quarantined),
    )


def _channels(conditions: Sequence[Condition]) -> str:
    registry = next(each for each in conditions if each.name == _REGISTRY)
    if registry.holding is None:
        return "channels: unknown"
    connected = registry.holding.connected
    by_source = ", ".join(f"{source} {count}" for source, count in sorted(connected.items()))
    told = f"{sum(connected.values())} connected of {registry.holding.channels}"
    return f"channels: {told}" + (f" ({by_source})" if by_source else "")


def _for_programs(
    running: Running | None,
    conditions: Sequence[Condition],
    needed: Sequence[str],
    noted: Sequence[str],
) -> dict[str, Any]:
    partitions = [
        {**msgspec.to_builtins(each), "lag": each.lag}
        for each in conditions
        if each.name != _REGISTRY
    ]
    registry = next(each for each in conditions if each.name == _REGISTRY)
    return {
        "running": None if running is None else msgspec.to_builtins(running),
        "healthy": not needed,
        "attention": list(needed),
        "notes": list(noted),
        "partitions": partitions,
        "registry": {**msgspec.to_builtins(registry), "lag": registry.lag},
    }


def _named(each: Condition) -> str:
    return each.name if each.name == _REGISTRY else f"partition {each.name}"


def _number(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _progress(done: int, total: int) -> str:
    return f"{done:,} of {total:,} records ({done * 100 // max(1, total)} %)"
