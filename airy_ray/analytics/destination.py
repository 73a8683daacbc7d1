"""Where an export goes: a directory, or a place in an object store.

A file is there as a whole or not at all. Only files that an export has written are ever deleted.
"""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from airy_ray.errors import ConfigError, StorageError
from airy_ray.storage.files import remove_synced, sync_directory, sync_file, write_synced

_OURS = re.compile(
    r"(conversations|messages|contacts|events)/(date=\d{4}-\d\d-\d\d/)?"
    r"\.?p\d\d-\d{20}-[0-9a-f]{8}-\d{4,}\.parquet"
)


class Destination(Protocol):
    """Keeps the files of an export."""

    def scratch(self, name: str) -> Path:
        """Return where to write a file that is to be called `name`, for `keep` to take."""
        ...

    def keep(self, name: str, written: Path) -> None:
        """Have a file that was written be there under its name, durably."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return what is in a file; None if there is none of this name."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Put a small file in the place of what is there under its name, durably."""
        ...

    def files(self) -> list[str]:
        """Return the names of all data files that exports have written, finished or not."""
        ...

    def is_empty(self) -> bool:
        """Whether nothing at all is there."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file."""
        ...


@contextmanager
def opened(to: str) -> Iterator[Destination]:
    """Open a directory or the address of a place in an object store.

    Raises:
        ConfigError: it is neither, or another export is writing to the directory.
        StorageError: the object store does not do what it is asked.
    """
    parts = urlsplit(to)
    if "://" not in to or parts.scheme == "file":
        with _locked(Path(url2pathname(parts.path) if parts.scheme else to)) as directory:
            yield Directory(directory)
        return
    with tempfile.TemporaryDirectory(prefix="airy-export-") as scratch, _stored():
        yield Bucket(_store(to), Path(scratch))


class Directory:
    """A directory of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def scratch(self, name: str) -> Path:
        """Return a hidden name beside the one to be, so that it can take that at once."""
        file = self._path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.with_name(f".{file.name}")

    def keep(self, name: str, written: Path) -> None:
        """Sync a file, and give it its name."""
        file = self._path / name
        sync_file(written)
        written.replace(file)
        for directory in (file.parent, file.parent.parent, self._path):  # perhaps made just now
            sync_directory(directory)

    def read(self, name: str) -> bytes | None:
        """Return what is in a file; None if there is none of this name."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Replace a file as a whole."""
        write_synced(self._path / name, content)

    def files(self) -> list[str]:
        """Return the names of all data files, also of those that were never finished."""
        found = (str(each.relative_to(self._path)) for each in self._path.rglob("*.parquet"))
        return sorted(each for each in found if _OURS.fullmatch(each))

    def is_empty(self) -> bool:
        """Whether nothing at all is there but what a write may have left unfinished."""
        return all(each.name.startswith(".") for each in self._path.iterdir())

    def delete(self, name: str) -> None:
        """Delete a file, and the directory of its day when nothing else is in that."""
        file = self._path / name
        remove_synced(file)
        if file.parent.name.startswith("date=") and not any(file.parent.iterdir()):
            file.parent.rmdir()


class Bucket:
    """A place in an object store; files are written on this machine first."""

    def __init__(self, store: ObjectStore, scratch: Path) -> None:
        self._store = store
        self._scratch = scratch

    def scratch(self, name: str) -> Path:
        """Return a place on this machine."""
        return self._scratch / name.replace("/", "_")

    def keep(self, name: str, written: Path) -> None:
        """Upload a file: it is there when all of it is."""
        self._store.put(name, written)
        written.unlink()

    def read(self, name: str) -> bytes | None:
        """Return what is in an object; None if there is none of this name."""
        try:
            return bytes(self._store.get(name).bytes())
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Replace an object."""
        self._store.put(name, content)

    def files(self) -> list[str]:
        """Return the names of all data files."""
        found = (each["path"] for page in self._store.list() for each in page)
        return sorted(each for each in found if _OURS.fullmatch(each))

    def is_empty(self) -> bool:
        """Whether no object is there."""
        return not any(len(page) for page in self._store.list(chunk_size=1))

    def delete(self, name: str) -> None:
        """Delete an object."""
        self._store.delete(name)


@contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """Make a directory that only we may enter, if there is none, and keep other exports out."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(f"--to: {path}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path
    except BlockingIOError:
        raise ConfigError(f"--to: another export is writing to {path}") from None
    finally:
        os.close(descriptor)


def _store(url: str) -> ObjectStore:
    try:
        store: ObjectStore = from_url(url)
    except (BaseError, ValueError) as error:
        raise ConfigError(f"--to: {url}: {_told(error)}") from None
    return store


@contextmanager
def _stored() -> Iterator[None]:
    """Tell what an object store did not do without the addresses and keys in its texts."""
    try:
        yield
    except BaseError as error:
        raise StorageError(f"the object store: {_told(error)}") from error


def _told(error: Exception) -> str:
    return type(error).__name__.removesuffix("Error")
