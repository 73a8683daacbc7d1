"""Copies of a state that bound how much of the log must be folded again.

A snapshot is a compacted, synced copy in a directory named after the records folded into it. It
counts only once it has been checked, page by page and row by row: so taking one also proves the
state that it is taken from.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from airy_ray.errors import DamagedError
from airy_ray.state.state import State
from airy_ray.state.tables import PROJECTION_VERSION
from airy_ray.storage.files import sync_directory, sync_file, write_synced

_ABOUT = "snapshot.json"
_KEPT = 2


class About(msgspec.Struct, frozen=True):
    """What a snapshot holds: records before offset `applied`, as `version` folds them."""

    applied: int
    version: int


def take(state: State, directory: Path) -> About:
    """Copy a state, check the copy, and keep it instead of older ones. Blocks for long.

    Raises:
        DamagedError: the copy is not sound, so the state is not.
    """
    fresh = directory / ".fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    state.environment.lmdb.copy(str(fresh), compact=True)
    about = check_in_child(fresh)
    sync_file(fresh / "data.mdb")
    write_synced(fresh / _ABOUT, msgspec.json.encode(about))
    kept = directory / f"{about.applied:020}"
    shutil.rmtree(kept, ignore_errors=True)
    fresh.rename(kept)
    sync_directory(directory)
    for old in _all(directory)[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return about


def restore_newest(directory: Path, destination: Path, *, before: int) -> int:
    """Copy the newest usable snapshot to `destination`; return how many records it holds.

    Snapshots of other projections, of a log longer than `before`, or that are damaged are passed
    over; if none is left nothing is copied, and 0 records are held.
    """
    for kept in _all(directory):
        about = _about(kept)
        if about is None or about.version != PROJECTION_VERSION or about.applied > before:
            continue
        shutil.rmtree(destination, ignore_errors=True)
        shutil.copytree(kept, destination, ignore=shutil.ignore_patterns(_ABOUT, "lock.mdb"))
        try:
            check_in_child(destination)
        except DamagedError:
            shutil.rmtree(destination, ignore_errors=True)
            continue
        return about.applied
    return 0


def check_in_child(path: Path) -> About:
    """Check every page and row of a state that nobody writes, in a process that may die of it.

    Raises:
        DamagedError: it is not sound.
    """
    checked = subprocess.run(  # noqa: S603 - our own module, a path of ours
        [sys.executable, "-m", "airy_ray.state.check", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode != 0:
        reason = checked.stdout.strip() or f"checking it ended with {checked.returncode}"
        raise DamagedError(str(path), reason.splitlines()[0])
    return msgspec.json.decode(checked.stdout, type=About)


def _all(directory: Path) -> list[Path]:
    """Return the snapshots in a directory, newest first."""
    return sorted((path for path in directory.glob("0*") if path.is_dir()), reverse=True)


def _about(kept: Path) -> About | None:
    try:
        return msgspec.json.decode((kept / _ABOUT).read_bytes(), type=About)
    except (OSError, msgspec.DecodeError):
        return None
