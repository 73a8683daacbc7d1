"""Where backups are: a directory, or any object store.

`files/<digest>` are named after their bytes, so a file that several backups hold is there once;
`backups/<id>.json` says which files make one. Nothing that is there is ever written over.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore

from airy_ray.backup import manifest as manifests
from airy_ray.backup.manifest import File, Manifest
from airy_ray.cluster.media.store import object_store
from airy_ray.errors import ConfigError, DamagedError, StorageError
from airy_ray.storage.files import sync_directory, sync_file

_SCHEMES = ("s3", "gs", "az")
_FILES, _BACKUPS = "files", "backups"
_PIECE_BYTES = 1 << 20
_PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 2


class Target:
    """A place of backups, used by one process at a time."""

    def __init__(self, store: ObjectStore, directory: Path | None) -> None:
        """Use a store; `directory` is where it is on this machine, if it is."""
        self._store = store
        self._directory = directory

    def ids(self) -> list[str]:
        """Return the backups that are whole, oldest first.

        Raises:
            StorageError: the target does not answer.
        """
        names = [Path(path) for path, _ in self._listed(_BACKUPS)]
        return sorted(name.stem for name in names if name.suffix == ".json")

    def manifest(self, identifier: str) -> Manifest:
        """Return what a backup holds.

        Raises:
            ConfigError: there is none, or its manifest is damaged.
            StorageError: the target does not answer.
        """
        try:
            with _told():
                content = bytes(self._store.get(f"{_BACKUPS}/{identifier}.json").bytes())
        except FileNotFoundError:
            raise ConfigError(f"there is no backup {identifier}") from None
        return manifests.decode(identifier, content)

    def newest(self) -> Manifest | None:
        """Return the newest backup, if there is any."""
        known = self.ids()
        return self.manifest(known[-1]) if known else None

    def sizes(self) -> dict[str, int]:
        """Return how large the files are that are there, by digest."""
        return {Path(path).name: size for path, size in self._listed(_FILES)}

    def put(self, file: File, source: BinaryIO) -> None:
        """Keep a file, durably, from its beginning on."""
        source.seek(0)
        self._put(_name(file), source)

    def finish(self, manifest: Manifest) -> None:
        """Make what was kept a backup."""
        self._put(f"{_BACKUPS}/{manifest.id}.json", manifests.encode(manifest))

    def fetch(self, file: File, to: BinaryIO) -> None:
        """Write the bytes of a file.

        Raises:
            DamagedError: it is missing, or its bytes are not those that were kept.
            StorageError: the target does not answer.
        """
        digest = blake2b(digest_size=32)
        size = 0
        try:
            with _told():
                pieces = self._store.get(_name(file)).stream(min_chunk_size=_PIECE_BYTES)
                for piece in pieces:
                    content = bytes(piece)
                    digest.update(content)
                    size += len(content)
                    to.write(content)
        except FileNotFoundError:
            raise DamagedError(_name(file), f"missing, it is {file.path}") from None
        if (digest.hexdigest(), size) != (file.digest, file.size):
            raise DamagedError(_name(file), f"its bytes are not those of {file.path}")

    def problems(self, manifest: Manifest, tell: Callable[[int, int], None]) -> Iterator[str]:
        """Yield what is wrong with the files of a backup, telling how many of them were read."""
        for number, file in enumerate(manifest.files):
            tell(number, len(manifest.files))
            try:
                with Path(os.devnull).open("wb") as nowhere:
                    self.fetch(file, nowhere)
            except DamagedError as error:
                yield str(error)

    def keep_newest(self, count: int) -> list[str]:
        """Delete all backups but the newest, and the files that only they held; return which went.

        Nobody may be taking a backup to the same target.
        """
        known = self.ids()
        gone = known[:-count]
        for identifier in gone:
            self._delete(f"{_BACKUPS}/{identifier}.json")
        held = {file.digest for each in known[-count:] for file in self.manifest(each).files}
        for path, _ in self._listed(_FILES):
            if Path(path).name not in held:
                self._delete(path)
        return gone

    def _listed(self, prefix: str) -> Iterator[tuple[str, int]]:
        with _told():
            for page in self._store.list(prefix):
                yield from ((each["path"], each["size"]) for each in page)

    def _put(self, name: str, content: BinaryIO | bytes) -> None:
        with _told():
            self._store.put(name, content, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
            if self._directory is not None:
                file = self._directory / name
                sync_file(file)
                sync_directory(file.parent)
                sync_directory(self._directory)

    def _delete(self, name: str) -> None:
        with _told():
            self._store.delete(name)


def open_target(place: str, *, create: bool = False) -> Target:
    """Return the target that a directory's path or a URL names.

    Raises:
        ConfigError: it is neither, or cannot be used.
    """
    directory = _directory(place)
    if directory is None:
        try:
            return Target(object_store(place, {}), None)
        except BaseError as error:
            raise ConfigError(f"{place}: {_first_line(error)}") from None
    if create:
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"{directory}: {error.strerror}") from None
    if not directory.is_dir():
        raise ConfigError(f"{directory} is not a directory")
    return Target(LocalStore(directory), directory)


@contextmanager
def private_files() -> Iterator[None]:
    """Have all files that this process makes readable by nobody else meanwhile."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def digest_and_size(source: BinaryIO) -> tuple[str, int]:
    """Return the digest of an open file's bytes, and how many there are."""
    digest = blake2b(digest_size=32)
    size = 0
    while piece := source.read(_PIECE_BYTES):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _directory(place: str) -> Path | None:
    """Return the directory that a place is on this machine, if it is."""
    if "://" not in place:
        return Path(place).resolve()
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    if parts.scheme not in _SCHEMES:
        raise ConfigError(f"{place}: expected a directory or one of {', '.join(_SCHEMES)}")
    return None


@contextmanager
def _told() -> Iterator[None]:
    """Raise what a store says without the addresses and keys that it puts into its texts."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(error.strerror or type(error).__name__) from error
    except BaseError as error:
        raise StorageError(type(error).__name__.removesuffix("Error")) from error


def _name(file: File) -> str:
    return f"{_FILES}/{file.digest}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
