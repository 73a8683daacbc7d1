"""The checks of a partition: of its log, archive, state and snapshots, and of what folding gives.

1. What others may be writing is copied first, as one moment had it, and the copy is checked; so
   no read transaction stays open longer than copying takes.
2. Files that are never written again, archive and snapshots, are read where they lie. What is
   replaced or dropped meanwhile was not damaged.
"""

import shutil
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import lmdb

from airy_ray.errors import DamagedError, DiskFullError, StorageError
from airy_ray.partition import generations, references, refold, repair
from airy_ray.partition.condition import has_begun
from airy_ray.partition.finding import PROBLEMS_MAX, Damage, Finding, Note, Step
from airy_ray.partition.generations import Generation
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog import check as log_check
from airy_ray.rawlog.tail import BEACON, LOG_TABLES, LogTail, Segment, number_in_use
from airy_ray.rawlog.tail import path_of as log_path
from airy_ray.state import check as state_check
from airy_ray.state import snapshot
from airy_ray.state.tables import PROJECTION_VERSION, ROW_TYPES, is_readable
from airy_ray.storage import pages
from airy_ray.storage.beacon import Beacon
from airy_ray.storage.files import is_no_space


def check_log(spec: PartitionSpec, scratch: Path, _: bool) -> Iterator[Finding]:
    """Check the live tail: pages, each record's checksum, offsets without gaps, the end."""
    number = number_in_use(spec.directory)
    path = log_path(spec.directory, number)
    name = str(path)
    yield Step(spec.name, name)
    if not (path / "data.mdb").exists():
        if has_begun(spec) or any(_archive_files(spec)):
            yield Damage(spec.name, name, "the log is missing")
        else:
            yield Note(spec.name, name, "nothing has begun yet")
        return
    with closing(Beacon(spec.directory / BEACON, is_read_only=True)) as beacon:
        known_head, is_in_doubt = beacon.head, beacon.is_in_doubt
    if is_in_doubt:
        yield Damage(
            spec.name, name, "a write failed: nobody may append before its owner checks it"
        )
    found = _log_problems(path, scratch / "log", known_head)
    if found:
        yield Damage(spec.name, name, _loss(spec, number, known_head))
    for problem in found[:PROBLEMS_MAX]:
        yield Damage(spec.name, name, problem)
    if not found:
        yield from _earlier_losses(spec, name)
    for older in spec.directory.glob("log.*"):
        if older.name.removeprefix("log.").isdecimal() and older != path:
            yield Note(spec.name, str(older), "left by a repair; nothing reads it any more")


def _log_problems(path: Path, copy: Path, known_head: int) -> list[str]:
    try:
        _copy(path, copy, tables=len(LOG_TABLES))
        found = pages.problems(copy) or log_check.rows(copy)
        if not found and (head := log_check.head(copy)) < known_head:
            found = [f"it ends before offset {head}, and was longer: up to {known_head}"]
    except (lmdb.Error, DamagedError) as error:
        found = [str(error)]
    return found


def _loss(spec: PartitionSpec, number: int, known_head: int) -> str:
    """Return what became of the records in a damaged log, for which its pages need not be sound."""
    left = repair.what_is_left(spec, number, at_least=known_head)
    if not left.lost:
        return "no record is lost: those that are not archived are whole in its bytes"
    if left.lost[0][0] == left.lost[-1][1]:
        return f"the record at offset {left.lost[0][0]} is damaged or missing"
    told = " and ".join(f"{first} to {last}" for first, last in left.lost)
    return f"the records at offsets {told} are damaged or missing"


def _earlier_losses(spec: PartitionSpec, name: str) -> Iterator[Finding]:
    with closing(LogTail(spec.directory, is_read_only=True)) as tail:
        for first, last in repair.lost_ranges(tail):
            lost = f"offsets {first} to {last} were lost earlier, and are marked so"
            yield Note(spec.name, name, lost)


def check_archive(spec: PartitionSpec, _: Path, is_log_sound: bool) -> Iterator[Finding]:
    """Check the sealed ranges: digest, each record's checksum, no gap, the manifest."""
    yield Step(spec.name, str(spec.archive))
    segments = _manifest(spec) if is_log_sound else None
    if not segments and not any(_archive_files(spec)):
        return
    from airy_ray.rawlog import archive  # loads Arrow

    if segments is None:  # without a manifest, files still tell whether their records are whole
        segments = archive.found_segments(spec.archive, spec.index)
    expected = 0
    for index, segment in enumerate(segments):
        file = str(spec.archive / segment.file)
        yield Step(spec.name, file, index, len(segments))
        if segment.first > expected:
            gap = f"offsets {expected} to {segment.first - 1}, before it, are in no file"
            yield Damage(spec.name, file, gap)
        expected = max(expected, segment.last + 1)
        problems = archive.problems(spec.archive, segment)
        if problems and is_log_sound and segment not in (_manifest(spec) or ()):
            continue  # a repair has replaced the file just now
        if problems and is_log_sound and _is_erasing(spec):
            yield Note(spec.name, file, "it is being replaced by an erasure; check again")
            continue
        for problem in problems[:PROBLEMS_MAX]:
            yield Damage(spec.name, file, problem.removeprefix(f"{segment.file}: "))
    listed = {segment.file for segment in (*segments, *(_manifest(spec) or ()))}
    for path in _archive_files(spec):
        if str(path.relative_to(spec.archive)) not in listed:
            yield Note(spec.name, str(path), "not in the manifest; nothing reads it")


def _manifest(spec: PartitionSpec) -> list[Segment] | None:
    """Return the sealed ranges that the log tells of; None if there is no sound log."""
    try:
        with closing(LogTail(spec.directory, is_read_only=True)) as tail:
            return tail.segments()
    except (FileNotFoundError, StorageError):
        return None


def _archive_files(spec: PartitionSpec) -> Iterator[Path]:
    yield from sorted((spec.archive / "raw").glob(f"date=*/p{spec.index:02}-*"))


def check_state(spec: PartitionSpec, scratch: Path, is_log_sound: bool) -> Iterator[Finding]:
    """Check the live state: pages, each row's checksum, what rows say of one another."""
    name = str(spec.directory / "state")
    yield Step(spec.name, name)
    generation = _live(spec, is_log_sound=is_log_sound)
    if generation is None:
        if has_begun(spec) and is_log_sound:
            yield Note(spec.name, name, "there is none yet; a start folds it out of the log")
        return
    path = generations.path_of(spec.directory, generation.number)
    name = str(path)
    yield Step(spec.name, name)
    if generation.target is not None:
        yield Note(spec.name, name, "it is being rebuilt out of the log, and was not checked")
        return
    if not (path / "data.mdb").exists():
        yield Damage(spec.name, name, "the state is missing; a start folds it out of the log")
        return
    found, about = _copied_state_problems(spec, path, scratch / "state")
    if found and is_log_sound and _live(spec, is_log_sound=True) != generation:
        yield Note(spec.name, name, "it was replaced while it was checked; check again")
        return
    for problem in found[:PROBLEMS_MAX]:
        yield Damage(spec.name, name, problem)
    if is_log_sound and about.get("applied", 0) > (head := _head(spec)):
        told = f"it holds {about['applied']} records, the log only {head}"
        yield Damage(spec.name, name, told)
    version = about.get("version", PROJECTION_VERSION)
    if version != PROJECTION_VERSION:
        yield Note(spec.name, name, _of_version(version))


def _of_version(version: int) -> str:
    """Tell what becomes of a state of another version of the projection."""
    made = f"version {version} of the projection made it, this release has {PROJECTION_VERSION}"
    if version > PROJECTION_VERSION:
        return f"{made}: only a newer release reads it"
    if is_readable(version):
        return f"{made}: airy-ray replay start shows what differs"
    return f"{made}: the next start folds it again"


def _live(spec: PartitionSpec, *, is_log_sound: bool) -> Generation | None:
    """Return the generation that counts: the newest, if the log cannot tell."""
    if not is_log_sound:
        number = generations.unused_number(spec.directory, None) - 1
        return Generation(number) if number else None
    try:
        with closing(LogTail(spec.directory, is_read_only=True)) as tail:
            return generations.live(tail)
    except FileNotFoundError:
        return None


def _is_erasing(spec: PartitionSpec) -> bool:
    with closing(LogTail(spec.directory, is_read_only=True)) as tail:
        return repair.is_erasing(tail)


def _head(spec: PartitionSpec) -> int:
    with closing(LogTail(spec.directory, is_read_only=True)) as tail:
        return tail.head


def _copied_state_problems(
    spec: PartitionSpec, path: Path, copy: Path
) -> tuple[list[str], dict[str, int]]:
    try:
        _copy(path, copy, tables=len(ROW_TYPES))
        return _state_problems(spec, copy)
    except (lmdb.Error, DamagedError) as error:
        return [str(error)], {}


def _state_problems(spec: PartitionSpec, path: Path) -> tuple[list[str], dict[str, int]]:
    found = pages.problems(path)
    if found:
        return found, {}
    found, about = state_check.rows(path)
    return found or list(references.problems(path)), about


def check_snapshots(spec: PartitionSpec, _: Path, __: bool) -> Iterator[Finding]:
    """Check the copies of the state from which it would be rebuilt."""
    for path in sorted((spec.directory / "snapshots").glob("0*")):
        yield Step(spec.name, str(path))
        try:
            found = _snapshot_problems(spec, path)
        except (lmdb.Error, OSError) as error:
            found = [str(error)]
        if path.exists():  # an older one is dropped when a new one is there
            for problem in found[:PROBLEMS_MAX]:
                yield Damage(spec.name, str(path), problem)


def _snapshot_problems(spec: PartitionSpec, path: Path) -> list[str]:
    found, about = _state_problems(spec, path)
    said = snapshot.said_of(path)
    told = None if said is None else {"applied": said.applied, "version": said.version}
    if not found and told != about:
        return ["what is said of it is not what is in it"]
    return found


def check_folding(spec: PartitionSpec, scratch: Path, is_log_sound: bool) -> Iterator[Finding]:
    """Fold the log again and compare with the copy of the state that was checked before."""
    kept, fresh = scratch / "state", scratch / "fresh"
    name = str(spec.directory / "state")
    yield Step(spec.name, name)
    applied = yield from records_to_fold(spec, kept, is_log_sound)
    if applied is None:
        return
    for done in refold.fold_again(spec, fresh, applied):
        yield Step(spec.name, name, done, applied)
    for difference in refold.differences(kept, fresh):
        yield Damage(spec.name, name, difference)


def records_to_fold(
    spec: PartitionSpec, kept: Path, is_log_sound: bool
) -> Generator[Finding, None, int | None]:
    """Return how many records a copy of the state holds, to be folded again and held against it.

    Yields why they cannot be, if they cannot; then there is no number.
    """
    is_sound, about = False, dict[str, int]()
    if is_log_sound and kept.exists():
        problems, about = _state_problems(spec, kept)
        is_sound = not problems
    if not is_sound:
        obstacle = "that takes a sound log and state"
    elif _is_erasing(spec):
        obstacle = "an erasure is under way; check again"
    elif about["version"] != PROJECTION_VERSION:
        obstacle = "another version of the projection made it"
    else:
        return about["applied"]
    if has_begun(spec):
        yield Note(spec.name, str(spec.directory / "state"), f"not folded again: {obstacle}")
    return None


def _copy(path: Path, copy: Path, *, tables: int) -> None:
    """Copy an environment as it is now, page by page, damaged ones too.

    Raises:
        DamagedError: it ends before its last page.
        DiskFullError: there is no space.
    """
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    pages.check_length(path / "data.mdb")
    try:
        with lmdb.open(str(path), readonly=True, max_dbs=tables, map_size=1 << 38) as environment:
            environment.copy(str(copy), compact=False)
    except (lmdb.Error, OSError) as error:
        if is_no_space(getattr(error, "code", None) or getattr(error, "errno", None)):
            raise DiskFullError(str(copy)) from error
        raise
