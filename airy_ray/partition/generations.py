"""Which generation of a partition's state is live: a row in the log's synced environment.

A number is never used twice. Readers look at the row with every request, so a new generation is
taken by all at once, and one that is still being rebuilt is read by nobody.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from airy_ray.rawlog.tail import LogTail

ROW = "generation"
_RESTORED = "restored"


class Generation(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A generation of the state.

    Attributes:
        target: while it is being rebuilt, the offset from which on it may be read; else None.
        descent: the generation that last took over from one that was folded otherwise; rebuilding
            keeps it. Snapshots of another descent are of no use.
    """

    number: int
    target: int | None = None
    descent: int = 0


def live(tail: LogTail) -> Generation | None:
    """Return the generation that counts, or None in a log that has none yet."""
    encoded = row(tail)
    return None if encoded is None else msgspec.msgpack.decode(encoded, type=Generation)


def row(tail: LogTail) -> bytes | None:
    """Return the row that says which generation counts, to see whether it is another one now."""
    return tail.get(ROW)


def set_live(tail: LogTail, generation: Generation) -> None:
    """Make a generation the one that counts; durable on return."""
    tail.put(ROW, msgspec.msgpack.encode(generation))


def begin_anew(tail: LogTail) -> None:
    """Have a log that was restored name no generation; durable on return."""
    tail.put(_RESTORED, b"")
    tail.forget(ROW)


def is_restored(tail: LogTail) -> bool:
    """Whether a log was restored from a backup, at some time."""
    return tail.get(_RESTORED) is not None


def path_of(directory: Path, number: int) -> Path:
    """Return where a generation is kept."""
    return directory / f"state.g{number}"


def unused_number(directory: Path, present: Generation | None) -> int:
    """Return a number that no generation had."""
    return max(0 if present is None else present.number, *numbers(directory), 0) + 1


def numbers(directory: Path) -> list[int]:
    """Return the numbers of all generations that lie there, ascending."""
    names = [path.name.removeprefix("state.g") for path in directory.glob("state.g*")]
    return sorted(int(name) for name in names if name.isdigit())


def drop_older(directory: Path, kept: int) -> None:
    """Delete the generations before one, beside which a newer one may just be made."""
    for path in _older(directory, kept):
        shutil.rmtree(path, ignore_errors=True)


def has_older(directory: Path, kept: int) -> bool:
    """Whether there are generations before one; other processes may write beside them."""
    return any(True for _ in _older(directory, kept))


def _older(directory: Path, kept: int) -> Iterator[Path]:
    for number in numbers(directory):
        if number < kept:
            yield path_of(directory, number)


def drop_others(directory: Path, kept: int) -> None:
    """Delete all generations but one. Readers that have one open keep it until they let go."""
    for path in directory.glob("state.g*"):
        if path != path_of(directory, kept):
            shutil.rmtree(path, ignore_errors=True)
