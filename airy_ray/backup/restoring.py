"""A data directory made of a backup, on this machine or another.

1. A mark is in the directory until all of it is there; until then nobody starts on it, and another
   restore goes on: what is there with the right bytes is not fetched again.
2. Each file's digest is checked while it is written, and it gets its name only then.
3. States are folded out of the log at the next start.
4. What comes from now on is another line of records than what the system that was backed up may
   have got since: it gets a new history, and the layout remembers where the earlier one ended.
5. For another number of partitions, logs and archive are fetched to a place aside, and written anew
   out of there; of the earlier history only the registry goes on.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import msgspec

from airy_ray.backup.manifest import File, Manifest
from airy_ray.backup.parting import part, places_in, put_places
from airy_ray.backup.taking import ARCHIVE, MEDIA, PARTITIONS, WEBHOOKS, Step, Tell
from airy_ray.backup.target import Target, digest_and_size
from airy_ray.backup.webhook_moves import move_webhooks, webhook_places
from airy_ray.cluster.layout import RESTORING, Layout, new_history, specs, write_layout
from airy_ray.cluster.media.store_spec import store_spec
from airy_ray.cluster.webhook_backlog import TABLES
from airy_ray.config import Settings
from airy_ray.errors import ConfigError
from airy_ray.model.ids import REGISTRY
from airy_ray.partition import generations
from airy_ray.publishing.events import Earlier
from airy_ray.rawlog.tail import LogTail
from airy_ray.storage.files import remove_synced, sync_directory, write_synced
from airy_ray.storage.shelf import Shelf

_ASIDE = "aside"


def restore(
    settings: Settings,
    target: Target,
    manifest: Manifest,
    tell: Tell,
    *,
    partitions: int | None = None,
) -> Layout:
    """Make the data directory of the settings what it was when a backup was taken.

    With `partitions`, of so many, whatever it had.

    Raises:
        ConfigError: there is something already, or the settings leave no place for what is in it.
        DamagedError: a file of the backup is missing or damaged.
        StorageError: the target does not answer.
        DiskFullError: there is no space.
    """
    is_parted = partitions not in (None, manifest.layout.partitions)
    places = _Places(settings, manifest, is_parted=is_parted)
    with _unfinished(places):
        _fetch_all(target, manifest, places, tell)
        layout = _succeeding(settings, manifest)
        if partitions is not None and is_parted:
            layout = _of_registry(layout, partitions)
            _part(settings, manifest, layout, places, tell)
        for spec in specs(settings, layout):
            if spec.directory.exists():
                _begin_anew(spec.directory)
        write_layout(places.data, layout)
    return layout


class _Places:
    """Where the files of a backup belong."""

    def __init__(self, settings: Settings, manifest: Manifest, *, is_parted: bool) -> None:
        self.data = settings.data.resolve()
        self.archive = settings.archive_directory.resolve()
        self.aside = self.data / _ASIDE
        self._is_parted = is_parted
        directory = store_spec(settings).directory
        if directory is None and manifest.has_media:
            raise ConfigError(
                "media.url: the backup has files of messages, which can only be put in a directory"
            )
        self._media = self.data / MEDIA if directory is None else Path(directory)

    def of(self, file: File) -> Path:
        """Return where a file belongs."""
        kind, _, name = file.path.partition("/")
        if ".." in file.path.split("/") or file.path.startswith("/"):
            raise ConfigError(f"the backup has a file that belongs nowhere: {file.path}")
        if kind == MEDIA:
            return self._media / name
        if self._is_parted and kind in (ARCHIVE, PARTITIONS) and not _is_of_registry(name):
            return self.aside / file.path.replace("/log/", "/log.1/")
        if kind == ARCHIVE:
            return self.archive / name
        return self.data / file.path.replace("/log/", "/log.1/")

    def refuse_what_is_there(self) -> None:
        """Make sure that nothing is written over.

        Raises:
            ConfigError: there is something.
        """
        if self.data.exists() and (not self.data.is_dir() or any(self._there())):
            raise ConfigError(f"data: {self.data} is not an empty directory")
        self.refuse_archive()

    def _there(self) -> Iterator[Path]:
        for path in self.data.iterdir():
            if not path.name.startswith(f".{RESTORING}."):  # of one killed before it began
                yield path

    def refuse_archive(self) -> None:
        """Make sure that the archive is begun by this restore.

        Raises:
            ConfigError: it is not.
        """
        if (self.archive / "raw").exists():
            raise ConfigError(f"archive.url: {self.archive} has an archive already")


@contextmanager
def _unfinished(places: _Places) -> Iterator[None]:
    """Keep everybody from using a data directory until all of it is there."""
    mark = places.data / RESTORING
    if not mark.exists():
        places.refuse_what_is_there()
        try:
            places.data.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_synced(mark, str(places.archive).encode())
        except OSError as error:
            raise ConfigError(f"data: {places.data}: {error.strerror}") from None
    elif mark.read_text() != str(places.archive):  # it began with other settings
        places.refuse_archive()
    descriptor = os.open(mark, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError(f"data: another restore into {places.data} is at work") from None
    try:
        for name in (PARTITIONS, WEBHOOKS):  # somebody may have begun to change them
            rmtree(places.data / name, ignore_errors=True)
        yield
        rmtree(places.aside, ignore_errors=True)
        remove_synced(mark)
    finally:
        os.close(descriptor)


def _fetch_all(target: Target, manifest: Manifest, places: _Places, tell: Tell) -> None:
    directories: set[Path] = set()
    _drop_others(places, {places.of(file) for file in manifest.files})
    for number, file in enumerate(manifest.files):
        tell(Step(file.path, number, len(manifest.files)))
        place = places.of(file)
        _fetch(target, file, place)
        directories.add(place.parent)
    for directory in directories:
        for path in (directory, *directory.parents[:3]):
            sync_directory(path)


def _drop_others(places: _Places, wanted: set[Path]) -> None:
    """Delete what a restore of another backup has left in the archive."""
    for file in (places.archive / "raw").glob("date=*/*"):
        if file not in wanted:
            file.unlink()


def _fetch(target: Target, file: File, place: Path) -> None:
    if place.exists():
        with place.open("rb") as present:
            if digest_and_size(present) == (file.digest, file.size):
                return
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = place.with_name(f".{place.name}.restoring")
    with fresh.open("wb") as writing:
        target.fetch(file, writing)
        writing.flush()
        os.fsync(writing.fileno())
    fresh.replace(place)


def _is_of_registry(name: str) -> bool:
    """Whether a file of logs or archive is the registry's."""
    return name.startswith("registry/") or Path(name).name.startswith(f"p{REGISTRY}-")


def _part(
    settings: Settings, manifest: Manifest, layout: Layout, places: _Places, tell: Tell
) -> None:
    """Write what was fetched aside into the logs of other partitions."""
    old = [
        replace(
            spec,
            directory=places.aside / PARTITIONS / spec.name,
            archive=places.aside / ARCHIVE,
        )
        for spec in specs(settings, manifest.layout)
        if spec.index != REGISTRY and spec.name in manifest.records
    ]
    new = [spec for spec in specs(settings, layout) if spec.index != REGISTRY]
    files = places_in(old)
    with _webhooks(places.data) as shelf:
        webhooks = {} if shelf is None else webhook_places(shelf, manifest.layout.partitions)
        found = part(old, new, files | webhooks, tell)
        put_places(new, {name: found[name] for name in files})
        if shelf is not None:
            move_webhooks(shelf, found)


@contextmanager
def _webhooks(data: Path) -> Iterator[Shelf | None]:
    """Open what the publisher remembered, if it did."""
    if not (data / WEBHOOKS).exists():
        yield None
        return
    with closing(Shelf(data / WEBHOOKS, TABLES)) as shelf:
        yield shelf


def _of_registry(layout: Layout, partitions: int) -> Layout:
    """Return a layout whose earlier histories go on in the registry alone."""
    earlier = tuple(
        Earlier(each.history, {REGISTRY: each.ends.get(REGISTRY, 0)}) for each in layout.earlier
    )
    return msgspec.structs.replace(layout, partitions=partitions, earlier=earlier)


def _succeeding(settings: Settings, manifest: Manifest) -> Layout:
    """Return the layout of a data directory that goes on from a backup."""
    before = manifest.layout
    ends = {
        int(spec.index): manifest.records[spec.name]
        for spec in specs(settings, before)
        if spec.name in manifest.records
    }
    earlier = (*before.earlier, Earlier(before.history, ends))
    return msgspec.structs.replace(before, history=new_history(), earlier=earlier)


def _begin_anew(directory: Path) -> None:
    """Have a restored log not name a state that is not there."""
    with closing(LogTail(directory)) as tail:
        generations.begin_anew(tail)
