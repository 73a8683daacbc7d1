"""What an owner is told to do about its history, and what it tells of that: two small files.

They lie in the partition's directory, so whoever owns it next goes on.
"""

from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from airy_ray.clock import Millis
from airy_ray.replay.selection import Selection
from airy_ray.storage.files import write_synced

T = TypeVar("T")

_ORDER, _REPORT = "replay.order.json", "replay.report.json"
DIFFERENCES = "replay.diff.arrow"
"""The Arrow stream with all differences, in the partition's directory."""
SAMPLES_MAX = 20

Wanted = Literal["compare", "swap", "roll back", "cancel"]
Phase = Literal[
    "waiting",
    "folding",
    "comparing",
    "ready",
    "preparing",
    "swapping",
    "swapped",
    "rolling back",
    "rolled back",
    "cancelled",
    "failed",
]
AT_REST: frozenset[Phase] = frozenset({"ready", "swapped", "rolled back", "cancelled", "failed"})


class Order(msgspec.Struct, frozen=True):
    """What is to become of one partition's history.

    Attributes:
        run: tells one replay from another; greater than that of any before it.
        wanted: `compare` ends with what would be different.
        keep_ms: how long the generation before stays, to roll back to.
        upgrades_to: the version of the projection for whose sake a start has ordered it; None if
            somebody has.
    """

    run: int
    wanted: Wanted
    selection: Selection = Selection()
    keep_ms: int = 86_400_000
    upgrades_to: int | None = None


class Counted(msgspec.Struct, frozen=True):
    """How many rows of a table differ, of messages by their source."""

    table: str
    source: str
    only_before: int
    only_after: int
    changed: int


class Sample(msgspec.Struct, frozen=True):
    """One row that differs: its fields before and after, as JSON text; None where it is not."""

    table: str
    source: str
    id: str
    fields: tuple[str, ...]
    before: str | None
    after: str | None


class Report(msgspec.Struct, frozen=True):
    """How far a partition is with what it was told.

    Attributes:
        done, total: records; a part of the history is looked at twice.
        per_second: how many of them lately.
        conversations: of how many a part of history was folded again; None if of all.
        is_compared: whether what follows is known: what differs, and how much.
        messages: how many there are in the present generation.
        vanishing: how many of them are not in the new one.
        unsent: how many messages only the new one would send, and does not.
        misrouted: how many records belong elsewhere, and are appended there after the swap.
        swapped_at: when the new generation took over.
        before: the number of the generation to roll back to; None once nothing is kept of it.
        after: the number of the generation that takes over, or is to.
        pause_ms: how long the owner did nothing else when that took over.
        offered_at: how long the log was when that was offered: a `swap` record comes later.
        erased: before which offset erasures were done in the log that was read.
        boot: what is not on the disk yet is trusted only in the same boot of the same machine.
        projection: the version of the code that began it: another would fold the rest otherwise.
    """

    run: int
    phase: Phase
    started_at: Millis
    done: int = 0
    total: int = 0
    per_second: float = 0.0
    conversations: int | None = None
    is_compared: bool = False
    counts: tuple[Counted, ...] = ()
    samples: tuple[Sample, ...] = ()
    messages: int = 0
    vanishing: int = 0
    unsent: int = 0
    misrouted: int = 0
    error: str | None = None
    swapped_at: Millis | None = None
    before: int | None = None
    after: int | None = None
    pause_ms: float = 0.0
    offered_at: int = 0
    erased: int = 0
    boot: str = ""
    projection: int = 0


def read_order(directory: Path) -> Order | None:
    """Return what an owner was told last."""
    return _read(directory / _ORDER, Order)


def give_order(directory: Path, order: Order) -> None:
    """Tell the owner of a partition what to do; durable on return."""
    write_synced(directory / _ORDER, msgspec.json.encode(order))


def read_report(directory: Path) -> Report | None:
    """Return what an owner told last."""
    return _read(directory / _REPORT, Report)


def write_report(directory: Path, report: Report) -> None:
    """Tell how far that is; durable on return."""
    write_synced(directory / _REPORT, msgspec.json.encode(report))


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
