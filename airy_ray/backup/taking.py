"""A backup taken of a data directory, whether a system runs on it or not.

1. In this order: places of consumers (webhooks, bots), logs, archive, media. So no place is ahead
   of the log that it is in, the logs name archive files, and what they link to had been stored.
2. All logs are copied as one moment had them (`rawlog.moment`), checked, and only then kept.
3. States, snapshots and indexes are left out: they are folded out of the log again, by whichever
   version of this program restores it, and would be most of what changes between two backups.
4. Files are kept under their digests; those that are there already are not sent again. The manifest
   comes last: whoever is killed before leaves files that no backup names, and no backup.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from shutil import rmtree
from typing import BinaryIO

import msgspec

from airy_ray.backup.manifest import File, Manifest, new_id
from airy_ray.backup.target import Target, digest_and_size
from airy_ray.clock import Millis
from airy_ray.cluster.layout import Layout, read_layout, specs
from airy_ray.cluster.media.store import NAME
from airy_ray.cluster.media.store_spec import store_spec
from airy_ray.cluster.webhook_spec import backlog_directory
from airy_ray.config import Settings
from airy_ray.errors import ConfigError, DamagedError, LogBusyError
from airy_ray.partition.condition import has_begun
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog import check as log_check
from airy_ray.rawlog import moment
from airy_ray.rawlog.tail import BEACON, LogTail, Segment, path_of
from airy_ray.storage import child, pages
from airy_ray.storage.beacon import Beacon

MEDIA, ARCHIVE, PARTITIONS, WEBHOOKS = "media", "archive", "partitions", "webhooks"
SECRET = "jwt-secret"  # noqa: S105 - the name of a file
_DATA = "data.mdb"
_CUTS_MAX = 3
"""How often the logs are copied again because an erasure has replaced what they name."""


class Step(msgspec.Struct, frozen=True):
    """What is worked on now, and how far that is, if it can be told."""

    what: str
    done: int = 0
    total: int = 0


Tell = Callable[[Step], object]


class Taken(msgspec.Struct, frozen=True):
    """A backup that was taken, and how much of it was new to the target."""

    manifest: Manifest
    sent_files: int
    sent_bytes: int


def take(settings: Settings, target: Target, scratch: Path, now: Millis, tell: Tell) -> Taken:
    """Take a backup; `scratch` is an empty directory with space for copies of all logs.

    Raises:
        ConfigError: there is no data directory.
        DamagedError: something that belongs into it is not what was written.
        DiskFullError: there is no space for the copies.
        StorageError: the target does not take it.
    """
    layout = read_layout(settings.data)
    taking = _Taking(settings, layout, target, tell)
    taking.places(scratch / "places")
    records = taking.logs(scratch / "logs")
    taking.media()
    manifest = Manifest(
        id=new_id(now),
        began_at=now,
        layout=layout,
        records=records,
        has_media=taking.media_directory is not None,
        files=tuple(sorted(taking.files, key=lambda file: file.path)),
    )
    target.finish(manifest)
    return Taken(manifest, taking.sent_files, taking.sent_bytes)


class _Taking:
    """The files of one backup on their way."""

    def __init__(self, settings: Settings, layout: Layout, target: Target, tell: Tell) -> None:
        self._data = settings.data.resolve()
        self._archive = settings.archive_directory.resolve()
        self._specs = [spec for spec in specs(settings, layout) if has_begun(spec)]
        self._target = target
        self._tell = tell
        self._there = target.sizes()
        self._known = _known_files(target)
        directory = store_spec(settings).directory
        self.media_directory = None if directory is None else Path(directory)
        self.files: list[File] = []
        self.sent_files = 0
        self.sent_bytes = 0

    def places(self, scratch: Path) -> None:
        """Keep where consumers of the feeds are, and the key that sessions are signed with."""
        self._tell(Step("places of webhooks and bots"))
        if (self._data / SECRET).exists():
            self._keep(SECRET, self._data / SECRET)
        for spec in self._specs:
            for file in sorted(spec.directory.glob("*.place")):
                self._keep(f"{PARTITIONS}/{spec.name}/{file.name}", file)
        backlog = backlog_directory(self._data)
        if (backlog / _DATA).exists():
            for _ in child.results(_copy_backlog, backlog, scratch):
                self._keep(f"{WEBHOOKS}/{_DATA}", scratch / _DATA)

    def logs(self, scratch: Path) -> dict[str, int]:
        """Keep the logs of one moment, and the archive files that they name; return their heads."""
        for cuts_left in reversed(range(_CUTS_MAX)):
            try:
                copied = self._cut(scratch)
                break
            except (LogBusyError, _ReplacedError) as error:
                if not cuts_left:
                    raise DamagedError(str(self._archive), str(error)) from None
        for log in copied:
            copy = path_of(scratch / log.name, 1) / _DATA
            self._keep(f"{PARTITIONS}/{log.name}/log/{_DATA}", copy)
        return {log.name: log.head for log in copied}

    def media(self) -> None:
        """Keep the files of messages, unless an object store has them."""
        if self.media_directory is None or not self.media_directory.exists():
            return
        files = [file for file in self.media_directory.iterdir() if NAME.fullmatch(file.name)]
        for number, file in enumerate(sorted(files)):
            self._tell(Step("files of messages", number, len(files)))
            path = f"{MEDIA}/{file.name}"
            try:
                known = self._known.get(path)  # a name never comes to mean something else
                if known is not None and file.stat().st_size == known.size:
                    self._keep_known(known, file)
                else:
                    self._keep(path, file)
            except FileNotFoundError:
                continue  # it was erased just now

    def _cut(self, scratch: Path) -> list["Copied"]:
        """Copy the logs, and keep the archive files that these copies name."""
        rmtree(scratch, ignore_errors=True)
        self._tell(Step("logs"))
        copied = list(child.results(copy_logs, self._specs, scratch))
        self.files += self._archived([each for log in copied for each in log.segments])
        return copied

    def _archived(self, segments: Sequence[Segment]) -> list[File]:
        kept = []
        for number, segment in enumerate(segments):
            self._tell(Step("archive", number, len(segments)))
            file = File(f"{ARCHIVE}/{segment.file}", segment.digest.hex(), segment.file_bytes)
            if self._there.get(file.digest) != file.size:
                self._send_archived(segment, file)
            kept.append(file)
        return kept

    def _send_archived(self, segment: Segment, file: File) -> None:
        from airy_ray.rawlog import archive  # loads Arrow: half a second

        for path in archive.written(self._archive, segment):
            if not path.exists():
                continue
            with path.open("rb") as source:
                if digest_and_size(source) == (file.digest, file.size):
                    self._send(file, source)
                    return
        raise _ReplacedError(f"{segment.file}: its bytes are not those that were sealed")

    def _keep_known(self, known: File, file: Path) -> None:
        if self._there.get(known.digest) == known.size:
            self.files.append(known)
        else:
            self._keep(known.path, file)

    def _keep(self, path: str, file: Path) -> None:
        with file.open("rb") as source:
            kept = File(path, *digest_and_size(source))
            if self._there.get(kept.digest) != kept.size:
                self._send(kept, source)
        self.files.append(kept)

    def _send(self, file: File, source: BinaryIO) -> None:
        self._target.put(file, source)
        self._there[file.digest] = file.size
        self.sent_files += 1
        self.sent_bytes += file.size


def _known_files(target: Target) -> dict[str, File]:
    """Return the files of the newest backup, by path; none if it is damaged."""
    with suppress(ConfigError):
        newest = target.newest()
        if newest is not None:
            return {file.path: file for file in newest.files}
    return {}


class _ReplacedError(Exception):
    """An archive file is not what a copied log says: an erasure has replaced it, perhaps."""


class Copied(msgspec.Struct, frozen=True):
    """A log that was copied: of which partition, its length, what of it is archived."""

    name: str
    head: int
    segments: list[Segment]


def copy_logs(logs: Sequence[PartitionSpec], scratch: Path) -> Iterator[Copied]:
    """Copy logs as one moment had them, each to a directory named after its partition.

    Raises:
        DamagedError, DiskFullError, LogBusyError: as `moment.copy`, and if a copy is not whole.
    """
    known = [_known_head(spec) for spec in logs]
    copies = [scratch / spec.name for spec in logs]
    moment.copy([spec.directory for spec in logs], copies)
    for spec, copy, known_head in zip(logs, copies, known, strict=True):
        path = path_of(copy, 1)
        problems = pages.problems(path) or log_check.rows(path)
        if problems:
            raise DamagedError(f"the log of {spec.name}", problems[0])
        head = log_check.head(path)
        if head < known_head:
            raise DamagedError(f"the log of {spec.name}", f"it ends before offset {head}")
        with closing(LogTail(copy, is_read_only=True)) as tail:
            yield Copied(spec.name, head, tail.segments())


def _known_head(spec: PartitionSpec) -> int:
    with closing(Beacon(spec.directory / BEACON, is_read_only=True)) as beacon:
        return beacon.head


def _copy_backlog(backlog: Path, copy: Path) -> Iterator[None]:
    """Copy what the publisher remembers; in a child, as logs are."""
    moment.copy_environment(backlog, copy)
    yield
