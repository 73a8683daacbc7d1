"""One replay of the history of all partitions: what is ordered, how far it is, when it may swap."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import ReplayError
from airy_ray.model import json_text
from airy_ray.model.ids import REGISTRY
from airy_ray.partition import generations
from airy_ray.partition.spec import PartitionSpec
from airy_ray.replay.order import (
    AT_REST,
    DIFFERENCES,
    SAMPLES_MAX,
    Counted,
    Order,
    Phase,
    Report,
    Sample,
    Wanted,
    give_order,
    read_order,
    read_report,
)
from airy_ray.replay.selection import Selection

VANISHING_MAX = 0.001
"""The share of all messages that may vanish with a swap, unless whoever swaps insists."""

_SWAPS: frozenset[Phase] = frozenset({"ready", "preparing", "swapping", "swapped"})
"""Phases in which a swap may be ordered, or once more by whoever was killed while ordering it."""

_ORDER: tuple[Phase, ...] = get_args(Phase)


class Part(NamedTuple):
    """How far one partition is; no report until its owner has seen the order."""

    partition: str
    order: Order
    report: Report | None

    @property
    def phase(self) -> Phase:
        """What it is at."""
        return "waiting" if self.report is None else self.report.phase


class Run(NamedTuple):
    """How far a replay is.

    Attributes:
        number: of the run: when it was ordered, in milliseconds.
    """

    number: int
    parts: list[Part]

    @property
    def phase(self) -> Phase:
        """What the slowest partition is at; `failed` as soon as one has."""
        phases = {part.phase for part in self.parts}
        return "failed" if "failed" in phases else min(phases, key=_ORDER.index)

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing happens until somebody says so."""
        return all(
            part.phase in AT_REST and not (part.order.wanted == "swap" and part.phase == "ready")
            for part in self.parts
        )

    @property
    def selection(self) -> Selection:
        """What part of history it takes."""
        return self.parts[0].order.selection

    @property
    def rollback_until(self) -> Millis | None:
        """When what was before the swap goes, somewhere; None if nobody can roll back to it."""
        kept = [
            part.report.swapped_at + part.order.keep_ms
            for part in self.parts
            if part.report is not None
            and part.report.phase == "swapped"
            and part.report.before is not None
            and part.report.swapped_at is not None
        ]
        return Millis(min(kept)) if len(kept) == len(self.parts) else None

    @property
    def upgrades_to(self) -> int | None:
        """The version of the projection for whose sake a start has ordered it, if one has."""
        return self.parts[0].order.upgrades_to

    @property
    def reports(self) -> list[Report]:
        """What owners have told."""
        return [part.report for part in self.parts if part.report is not None]

    @property
    def done(self) -> int:
        """How many records were looked at; those of a part twice."""
        return sum(report.done for report in self.reports)

    @property
    def total(self) -> int:
        """How many are to be."""
        return sum(report.total for report in self.reports)

    @property
    def per_second(self) -> float:
        """How many are looked at in a second, lately."""
        return sum(report.per_second for report in self.reports)

    @property
    def conversations(self) -> int | None:
        """Of how many the history was folded again; None if of all, or not told yet."""
        chosen = [report.conversations for report in self.reports]
        known = [each for each in chosen if each is not None]
        return sum(known) if known and len(known) == len(self.parts) else None

    @property
    def is_compared(self) -> bool:
        """Whether what differs is known, of all partitions."""
        return all(part.report is not None and part.report.is_compared for part in self.parts)

    @property
    def counts(self) -> list[Counted]:
        """How many rows differ, of all partitions together."""
        sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for counted in (each for report in self.reports for each in report.counts):
            for name in ("only_before", "only_after", "changed"):
                sums[counted.table, counted.source][name] += getattr(counted, name)
        return [
            Counted(*kind, found["only_before"], found["only_after"], found["changed"])
            for kind, found in sorted(sums.items())
        ]

    @property
    def samples(self) -> list[Sample]:
        """Some of the rows that differ, of each partition some."""
        return [
            sample
            for index in range(SAMPLES_MAX)
            for report in self.reports
            for sample in report.samples[index : index + 1]
        ][:SAMPLES_MAX]

    @property
    def vanishing(self) -> float:
        """Which share of the messages would be gone."""
        messages = sum(report.messages for report in self.reports)
        return sum(report.vanishing for report in self.reports) / messages if messages else 0.0

    def told(self) -> dict[str, Any]:
        """Return all of that as JSON shows it."""
        until = self.rollback_until
        return {
            "run": self.number,
            "phase": self.phase,
            "selection": self.selection.told(),
            "rollback_until": None if until is None else json_text.instant(until),
            "conversations": self.conversations,
            "vanishing": self.vanishing,
            "partitions": [
                {"partition": part.partition, "phase": part.phase, **_told(part.report)}
                for part in self.parts
            ],
            "differences": [msgspec.to_builtins(each) for each in self.counts],
            "samples": [msgspec.to_builtins(each) for each in self.samples],
        }


_TOLD = (
    "done",
    "total",
    "per_second",
    "conversations",
    "messages",
    "vanishing",
    "unsent",
    "misrouted",
    "pause_ms",
    "error",
)


def _told(report: Report | None) -> dict[str, Any]:
    return {} if report is None else {name: getattr(report, name) for name in _TOLD}


def start(
    specs: Sequence[PartitionSpec],
    selection: Selection,
    now: Millis,
    *,
    keep_ms: int = 86_400_000,
    upgrades_to: int | None = None,
) -> int:
    """Order a replay that ends with what would be different; return its number.

    One that not all partitions were told of, because who ordered it was killed, is ordered to them.

    Raises:
        ReplayError: another one is at work. One that has swapped cannot be rolled back any more.
    """
    number = check_start(specs, selection, now)
    for spec in _untold(specs, number, selection):
        give_order(spec.directory, Order(number, "compare", selection, keep_ms, upgrades_to))
    return number


def check_start(specs: Sequence[PartitionSpec], selection: Selection, now: Millis) -> int:
    """Return the number that a replay would have; raises as `start`, and orders nothing."""
    present = status(specs)
    if present is None or present.is_at_rest:
        return max(now, 0 if present is None else present.number + 1)
    if not _untold(specs, present.number, selection) or present.selection != selection:
        raise ReplayError(f"replay {present.number} is {present.phase}: cancel it first")
    return present.number


def _untold(
    specs: Sequence[PartitionSpec], number: int, selection: Selection
) -> list[PartitionSpec]:
    """Return the partitions that a selection concerns and that were not told of a replay."""
    orders = ((spec, read_order(spec.directory)) for spec in _meant(specs, selection))
    return [spec for spec, order in orders if order is None or order.run != number]


def status(specs: Sequence[PartitionSpec]) -> Run | None:
    """Return how far the newest replay is; None if there never was one.

    Who was killed while giving orders leaves partitions that wait for theirs.
    """
    orders = {spec.name: read_order(spec.directory) for spec in specs}
    newest = max(filter(None, orders.values()), key=lambda order: order.run, default=None)
    if newest is None:
        return None
    parts = []
    for spec in _meant(specs, newest.selection):
        report = read_report(spec.directory)
        is_its = report is not None and report.run == newest.run
        order = orders[spec.name]
        known = order if order is not None and order.run == newest.run else newest
        parts.append(Part(spec.name, known, report if is_its else None))
    return Run(newest.run, parts)


def _meant(specs: Sequence[PartitionSpec], selection: Selection) -> list[PartitionSpec]:
    """Return the partitions that a selection concerns: the registry holds no conversations."""
    return [spec for spec in specs if selection.is_all or spec.index != REGISTRY]


def differences(specs: Sequence[PartitionSpec]) -> list[Path]:
    """Return the Arrow streams with all that the newest replay has found to differ.

    Raises:
        ReplayError: there is none that has found it, or it was deleted.
    """
    run = _present(specs)
    if not run.is_compared:
        raise ReplayError(f"replay {run.number} is {run.phase}, and has not compared everything")
    files = [spec.directory / DIFFERENCES for spec in _meant(specs, run.selection)]
    if not all(file.exists() for file in files):
        raise ReplayError(f"replay {run.number}: what differs was deleted, for people were erased")
    return files


def swap(specs: Sequence[PartitionSpec], *, is_forced: bool = False) -> int:
    """Have the new generations take over; return the number of the replay.

    Raises:
        ReplayError: not all of them are ready, or too many messages would vanish.
    """
    return _order(specs, check_swap(specs, is_forced=is_forced), "swap")


def check_swap(specs: Sequence[PartitionSpec], *, is_forced: bool = False) -> Run:
    """Return the replay that would be swapped; raises as `swap`, and orders nothing."""
    run = _present(specs)
    if any(part.phase not in _SWAPS for part in run.parts):
        raise ReplayError(f"replay {run.number} is {run.phase}, not ready")
    if run.vanishing > VANISHING_MAX and not is_forced:
        raise ReplayError(
            f"{run.vanishing:.2%} of the messages would vanish, more than {VANISHING_MAX:.2%}: "
            "look at the differences, and force it if that is meant"
        )
    return run


def cancel(specs: Sequence[PartitionSpec]) -> int:
    """Have what was made thrown away; return the number of the replay.

    Raises:
        ReplayError: it is too late: some partition has swapped.
    """
    return _order(specs, check_cancel(specs), "cancel")


def check_cancel(specs: Sequence[PartitionSpec]) -> Run:
    """Return the replay that would be cancelled; raises as `cancel`, and orders nothing."""
    run = _present(specs)
    if any(part.phase in ("swapping", "swapped", "rolling back") for part in run.parts):
        raise ReplayError(f"replay {run.number} has swapped: roll it back instead")
    return run


def roll_back(specs: Sequence[PartitionSpec]) -> int:
    """Have the generations from before the swap take over again; return the number of the replay.

    Raises:
        ReplayError: it has not swapped, or they are not kept any more: for a time that is over, or
            because a state was damaged and had to be made anew.
    """
    return _order(specs, check_roll_back(specs), "roll back")


def check_roll_back(specs: Sequence[PartitionSpec]) -> Run:
    """Return the replay that would be rolled back; raises as `roll_back`, and orders nothing."""
    run = _present(specs)
    swapped = [part for part in run.parts if part.phase == "swapped"]
    if not swapped:
        raise ReplayError(f"replay {run.number} is {run.phase}: there is nothing to roll back")
    directories = {spec.name: spec.directory for spec in specs}
    gone = [
        part.partition for part in swapped if not _keeps_former(part, directories[part.partition])
    ]
    if gone:
        raise ReplayError(
            f"replay {run.number}: what was before the swap is not kept any more in partition "
            f"{', '.join(gone)}"
        )
    return run


def _keeps_former(part: Part, directory: Path) -> bool:
    """Whether a partition has what was before the swap still; a rebuild drops it."""
    if part.report is None or part.report.before is None:
        return False
    is_ordered = part.order.wanted == "roll back"  # it may have got its new place already
    return is_ordered or generations.path_of(directory, part.report.before).exists()


def _present(specs: Sequence[PartitionSpec]) -> Run:
    run = status(specs)
    if run is None:
        raise ReplayError("there is no replay")
    return run


def _order(specs: Sequence[PartitionSpec], run: Run, wanted: Wanted) -> int:
    names = {part.partition: part.order for part in run.parts}
    for spec in specs:
        if spec.name in names:
            give_order(spec.directory, msgspec.structs.replace(names[spec.name], wanted=wanted))
    return run.number
