"""Copies of a state that bound how much of the log must be folded again.

A snapshot is a compacted, synced copy in a directory named after the records folded into it. It
counts only once it has been checked, page by page and row by row: so taking one also proves the
state that it is taken from.
"""

import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from airy_ray.errors import DamagedError, DiskFullError
from airy_ray.state.state import State
from airy_ray.state.tables import PROJECTION_VERSION
from airy_ray.storage.files import sync_directory, sync_file, write_synced

_ABOUT = "snapshot.json"
_KEPT = 2
_NO_SPACE = 2


class About(msgspec.Struct, frozen=True):
    """What a snapshot holds: records before offset `applied`, as `version` folds them.

    Attributes:
        descent: what tells apart states that were folded otherwise, see `partition.generations`.
    """

    applied: int
    version: int
    descent: int = 0


def take(state: State, directory: Path, *, descent: int = 0) -> About:
    """Copy a state, check the copy, and keep it instead of older ones. Blocks for long.

    Of its descent the two newest are kept, and none of another.

    Raises:
        DamagedError: the copy is not sound, so the state is not.
    """
    fresh = directory / ".fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    about = msgspec.structs.replace(check_in_child(state.path, copy=fresh), descent=descent)
    sync_file(fresh / "data.mdb")
    write_synced(fresh / _ABOUT, msgspec.json.encode(about))
    kept = directory / f"{about.applied:020}"
    shutil.rmtree(kept, ignore_errors=True)
    fresh.rename(kept)
    sync_directory(directory)
    own = [each for each in _all(directory) if _descent(each) == descent][:_KEPT]
    for old in _all(directory):
        if old not in own:
            shutil.rmtree(old, ignore_errors=True)
    return about


def newest_descent(directory: Path) -> int:
    """Return the descent of the newest snapshot; 0 if there is none."""
    return next((_descent(each) or 0 for each in _all(directory)), 0)


def restore_newest(directory: Path, destination: Path, *, before: int, descent: int = 0) -> int:
    """Copy the newest usable snapshot to `destination`; return how many records it holds.

    Snapshots of other projections, of another descent, of a log longer than `before`, or that are
    damaged are passed over; if none is left nothing is copied, and 0 records are held.
    """
    for kept in _all(directory):
        about = said_of(kept)
        if about is None or about.descent != descent or not _is_usable(about, before):
            continue
        shutil.rmtree(destination, ignore_errors=True)
        shutil.copytree(kept, destination, ignore=shutil.ignore_patterns(_ABOUT, "lock.mdb"))
        with suppress(DamagedError):
            about = check_in_child(destination)  # the rows tell the truth, or nothing
            if _is_usable(about, before):
                return about.applied
        shutil.rmtree(destination, ignore_errors=True)
    return 0


def check_in_child(path: Path, *, copy: Path | None = None) -> About:
    """Check every page and row of a state, in a process that may die of it.

    Nobody may write it meanwhile, unless it is to be copied: then the copy is checked.

    Raises:
        DamagedError: it is not sound.
        DiskFullError: there was no space for the copy.
    """
    paths = [str(path)] if copy is None else [str(path), str(copy)]
    checked = subprocess.run(  # noqa: S603 - our own module, paths of ours
        [sys.executable, "-m", "airy_ray.state.check", *paths],
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode == _NO_SPACE:
        raise DiskFullError(str(path))
    if checked.returncode != 0:
        reason = checked.stdout.strip() or f"checking it ended with {checked.returncode}"
        raise DamagedError(str(path), reason.splitlines()[0])
    return msgspec.json.decode(checked.stdout, type=About)


def _is_usable(about: About, before: int) -> bool:
    return about.version == PROJECTION_VERSION and about.applied <= before


def _all(directory: Path) -> list[Path]:
    """Return the snapshots in a directory, newest first."""
    return sorted((path for path in directory.glob("0*") if path.is_dir()), reverse=True)


def _descent(kept: Path) -> int | None:
    about = said_of(kept)
    return None if about is None else about.descent


def said_of(kept: Path) -> About | None:
    """Return what is said of a snapshot; None if that cannot be read."""
    try:
        return msgspec.json.decode((kept / _ABOUT).read_bytes(), type=About)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
