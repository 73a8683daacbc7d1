"""An export: what changed in each partition since the last one, as files that are added to it.

1. A partition is done when the manifest names its files; a run that is killed before that leaves
   what was there whole, and the next one deletes what it left and does the partition again.
2. All of a partition is written anew, in the place of what was there, where it cannot be told what
   changed, and where something was erased: so exported files hold nobody who was forgotten before.
   Erasing rewrites the log and folds it into another generation of the state some time after the
   rows are gone, and then a partition is exported anew once more.

Export from a child, see `storage.child`.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from secrets import token_hex
from typing import NamedTuple

import msgspec

from airy_ray.analytics import destination as destinations
from airy_ray.analytics import manifest as manifests
from airy_ray.analytics.destination import Destination
from airy_ray.analytics.files import Files
from airy_ray.analytics.manifest import ExportedFile, Manifest, Progress
from airy_ray.analytics.reading import PartitionRows, TableRow
from airy_ray.analytics.schema import SCHEMA_VERSION, SCHEMAS
from airy_ray.clock import now_millis
from airy_ray.errors import AiryError, ConfigError, FeedTrimmedError, StorageError
from airy_ray.model import json_text
from airy_ray.model.ids import REGISTRY
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections import keys
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.feed import feed_head
from airy_ray.state.queries import Reading

_ROWS_PER_STEP = 2_000

FIRST_TIME = "it was not exported before"
ASKED = "that was asked for"
ANOTHER_HISTORY = "what was there is of another history or schema"
ANOTHER_GENERATION = "its state was folded anew since the last export"
ERASED = "something was erased since the last export"
TRIMMED = "its change feed does not go back to the last export"


class Step(msgspec.Struct, frozen=True):
    """How far the export of a partition is."""

    partition: str
    table: str
    rows: int


class Done(msgspec.Struct, frozen=True):
    """What was exported of a partition.

    Attributes:
        reason: why all of it was; None if only what changed.
        rows: by table.
        change: the place in its change feed before which everything is exported.
    """

    partition: str
    reason: str | None
    rows: dict[str, int]
    files: int
    change: int


class _Exported(NamedTuple):
    progress: Progress
    files: list[ExportedFile]
    reason: str | None


def exported(
    specs: Sequence[PartitionSpec], history: str, to: str, is_full: bool
) -> Iterator[Step | Done]:
    """Export all partitions but the registry to a directory or object store; yield how far it is.

    Raises:
        ConfigError: nothing can be exported there.
        AiryError: a partition could not be exported; those that are done are.
    """
    try:
        with destinations.opened(to) as destination:
            yield from into(destination, specs, history, is_full=is_full)
    except OSError as error:
        raise StorageError(f"{error.filename or to}: {error.strerror or error}") from error


def into(
    destination: Destination, specs: Sequence[PartitionSpec], history: str, *, is_full: bool
) -> Iterator[Step | Done]:
    """Export all partitions but the registry; yield how far it is."""
    manifest, reason = _begun(destination, history)
    _drop_unnamed(destination, manifest)
    partitions = [spec for spec in specs if spec.index != REGISTRY]
    for spec in partitions:
        before = manifest.partitions.get(spec.name)
        why = (reason or FIRST_TIME) if before is None else (ASKED if is_full else None)
        try:
            tail = LogTail(spec.directory, is_read_only=True)
        except FileNotFoundError:
            continue  # nothing has begun there
        try:
            with closing(tail), closing(PartitionRows(spec, tail)) as source:
                found = yield from _partition(destination, source, before, why)
        except AiryError as error:
            raise StorageError(f"partition {spec.name}: {error}") from error
        if found.progress is not before:
            manifest = manifest.with_partition(
                spec.name, found.progress, found.files, is_full=found.reason is not None
            )
            destination.write(manifests.NAME, manifests.encode(manifest))
            _drop_unnamed(destination, manifest)
        yield _done(spec, found)
    names = {spec.name for spec in partitions}
    kept = [each for each in manifest.files if each.partition in names]
    if kept != manifest.files:  # of a history with more partitions
        manifest = msgspec.structs.replace(manifest, files=kept)
        destination.write(manifests.NAME, manifests.encode(manifest))
        _drop_unnamed(destination, manifest)


def _begun(destination: Destination, history: str) -> tuple[Manifest, str | None]:
    """Return what is there already, and why nobody can go on from it, if that is so."""
    content = destination.read(manifests.NAME)
    fresh = Manifest(SCHEMA_VERSION, history)
    if content is not None:
        found = manifests.decode(content)
        if found.fits(history):
            return found, None
        return msgspec.structs.replace(fresh, files=found.files), ANOTHER_HISTORY
    if not destination.is_empty():
        raise ConfigError(f"--to: there is something, but no {manifests.NAME}: no export of ours")
    destination.write(manifests.NAME, manifests.encode(fresh))
    return fresh, None


def _drop_unnamed(destination: Destination, manifest: Manifest) -> None:
    """Delete what killed runs left, and what has been replaced."""
    named = {each.path for each in manifest.files}
    for name in destination.files():
        if name not in named:
            destination.delete(name)


def _partition(
    destination: Destination, source: PartitionRows, before: Progress | None, reason: str | None
) -> Generator[Step, None, _Exported]:
    generation = source.generation()  # before anything is read of it
    with source.read() as view:
        place = feed_head(view)
        if before is not None and reason is None:
            reason = _reason_for_all(view, before, generation)
    progress = Progress(place, generation, json_text.instant(now_millis()))
    if before is not None and reason is None:
        if before.change == place:
            return _Exported(before, [], None)
        try:
            since = _since(source, before.change, place)
            files = yield from _written(destination, source.spec, place, since)
            return _Exported(progress, files, None)
        except FeedTrimmedError:  # while it was read
            reason = TRIMMED
    files = yield from _written(destination, source.spec, place, _all(source, place))
    return _Exported(progress, files, reason)


def _reason_for_all(view: Reading, before: Progress, generation: int) -> str | None:
    if before.generation != generation or before.change > feed_head(view):
        return ANOTHER_GENERATION
    if view.erasures(keys.position(before.change), 1):
        return ERASED
    return TRIMMED if before.change < view.feed_start() else None


def _all(source: PartitionRows, place: int) -> Iterator[TableRow]:
    yield from source.everything()
    yield from source.events(0, keys.position(place))


def _since(source: PartitionRows, before: int, place: int) -> Iterator[TableRow]:
    yield from source.changed(before)
    yield from source.events(keys.position(before), keys.position(place))


def _written(
    destination: Destination, spec: PartitionSpec, place: int, rows: Iterator[TableRow]
) -> Generator[Step, None, list[ExportedFile]]:
    """Write rows to files that nothing names yet."""
    files = Files(destination, spec.name, f"p{spec.name}-{place:020}-{token_hex(4)}")
    for count, (table, row) in enumerate(rows):
        if count % _ROWS_PER_STEP == 0:
            yield Step(spec.name, table, count)
        files.add(table, row)
    return files.finish()


def _done(spec: PartitionSpec, found: _Exported) -> Done:
    counts = dict.fromkeys(SCHEMAS, 0)
    for each in found.files:
        counts[each.table] += each.rows
    return Done(spec.name, found.reason, counts, len(found.files), found.progress.change)
