"""Where uploaded files are: a directory, or any object store.

A file is called by the digest of what is in it, so one that is stored again is the same one, and a
name never comes to mean something else.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import BaseError, PermissionDeniedError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from airy_ray.clock import Millis
from airy_ray.cluster.media import kinds
from airy_ray.cluster.media.store_spec import StoreSpec, store_spec
from airy_ray.cluster.media.unlinked import Unlinked
from airy_ray.cluster.media.upload import HEAD_BYTES, Upload
from airy_ray.errors import StorageError
from airy_ray.model.ids import format_id, media_id
from airy_ray.storage.files import sync_directory, sync_file

if TYPE_CHECKING:
    from airy_ray.config import Settings  # the courier does without what it is made of

PATH = "/media/"
NAME = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(?:\.[A-Za-z0-9]{1,16})?"
)
"""What a stored file is called: nothing else in the store is given out, or deleted."""
_UNFINISHED = re.compile(rf"(?:{NAME.pattern})#\d+")
"""What `obstore` calls a file in a directory until all of it is there."""

_PIECE_BYTES = 1 << 18
_PART_BYTES = 5 << 20
"""S3 takes no smaller ones."""
_PARTS_AT_ONCE = 1
_KINDS_KEPT = 10_000
_LISTED_AT_ONCE = 1_000
_REACHED_S = 1.0
_REACH_WAIT_S = 2.0
_CALL_WAIT = timedelta(seconds=30)
"""How long one part of a file may take to or from an object store."""
_NOBODY = format_id(bytes(16))
_FOR_EVER = "public, max-age=31536000, immutable"


class MediaStore:
    """Keeps files and gives them back."""

    def __init__(
        self,
        store: ObjectStore,
        unlinked: Unlinked,
        *,
        directory: Path | None = None,
        public_url: str | None = None,
    ) -> None:
        """Use a store; `directory` is where it is on this machine, if it is."""
        self.unlinked = unlinked
        self._store = store
        self._directory = directory
        self._public_url = public_url
        self._kinds: dict[str, str] = {}
        self._looked_at = -_REACHED_S
        self._is_reachable = False

    def url(self, name: str, base_url: str) -> str:
        """Return where a file can be fetched; `base_url` is where the platform itself can be."""
        if self._public_url is not None:
            return f"{self._public_url.rstrip('/')}/{name}"
        return f"{base_url}{PATH}{name}"

    async def keep(self, upload: Upload) -> str:
        """Store a file, durably; return what it is called from now on.

        One that is new is marked, and goes after a day unless it is settled, or linked to.

        Raises:
            StorageError: the store does not take it.
        """
        name = name_of(upload)
        upload.file.seek(0)
        try:
            await self._mark(name)
            await self._put(name, upload)
        except (BaseError, OSError) as error:
            raise StorageError(_told(error)) from error
        return name

    async def settle(self, *names: str) -> None:
        """Say that something links to files now, or that whoever sent them knows their names."""
        for name in names:
            await asyncio.to_thread(self.unlinked.settle, name)

    async def size(self, name: str) -> int | None:
        """Return how many bytes a file has; None if there is none of this name.

        Raises:
            StorageError: the store does not answer.
        """
        try:
            return (await self._store.head_async(name))["size"]
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise StorageError(_told(error)) from error

    async def kind(self, name: str, size: int) -> str:
        """Return the media type of a file that is there."""
        known = self._kinds.get(name)
        if known is not None:
            return known
        head = b"".join([piece async for piece in self.read(name, range(min(size, HEAD_BYTES)))])
        found = await asyncio.to_thread(kinds.kind_of, head, name)
        if len(self._kinds) >= _KINDS_KEPT:
            self._kinds.clear()
        self._kinds[name] = found
        return found

    async def read(self, name: str, part: range) -> AsyncIterator[bytes]:
        """Return some bytes of a file, piece by piece."""
        if not part:
            return
        try:
            found = await self._store.get_async(name, options={"range": (part.start, part.stop)})
            async for piece in found.stream(min_chunk_size=_PIECE_BYTES):
                yield bytes(piece)
        except (BaseError, OSError) as error:
            raise StorageError(_told(error)) from error

    async def delete(self, name: str) -> None:
        """Delete a file, if there is one of this name.

        Raises:
            StorageError: the store does not do it.
        """
        try:
            await self._store.delete_async(name)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise StorageError(_told(error)) from error

    async def stored_before(self, at: Millis) -> AsyncIterator[list[str]]:
        """Yield the names of files that were last stored before an instant, up to 1,000 at once.

        Raises:
            StorageError: the store does not tell.
        """
        try:
            async for found in self._store.list(chunk_size=_LISTED_AT_ONCE):
                yield [
                    each["path"]
                    for each in found
                    if NAME.fullmatch(each["path"]) and _is_before(each["last_modified"], at)
                ]
        except (BaseError, OSError) as error:
            raise StorageError(_told(error)) from error

    async def delete_if_older(self, name: str, at: Millis) -> bool:
        """Delete a file unless it was stored again since an instant; return whether it went.

        Raises:
            StorageError: the store does not do it.
        """
        try:
            about = await self._store.head_async(name)
            if not _is_before(about["last_modified"], at):
                return False
            await self._store.delete_async(name)
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as error:
            raise StorageError(_told(error)) from error
        return True

    async def delete_unfinished(self, at: Millis) -> None:
        """Delete what is left of files whose storing broke off before an instant.

        Object stores see to that themselves.

        Raises:
            StorageError: the directory went away.
        """
        if self._directory is None:
            return
        try:
            await asyncio.to_thread(_delete_unfinished, self._directory, at)
        except OSError as error:
            raise StorageError(_told(error)) from error

    async def is_reachable(self) -> bool:
        """Whether the store answers; asked once a second at most."""
        if time.monotonic() - self._looked_at >= _REACHED_S:
            self._looked_at = time.monotonic()
            self._is_reachable = await self._reached()
        return self._is_reachable

    async def _reached(self) -> bool:
        try:
            async with asyncio.timeout(_REACH_WAIT_S):
                await self._store.head_async(_NOBODY)
        except (FileNotFoundError, PermissionDeniedError, PermissionError):
            return True  # it answered; who may not list a bucket is told so instead of "not found"
        except (BaseError, OSError, TimeoutError):
            return False
        return True

    async def _mark(self, name: str) -> None:
        """Mark a file that is not there; of one that is, somebody may know already."""
        is_new = await self.size(name) is None
        mark = self.unlinked.note if is_new else self.unlinked.renew
        await asyncio.to_thread(mark, name)

    async def _put(self, name: str, upload: Upload) -> None:
        put = partial(
            self._store.put_async,
            name,
            upload.file,
            chunk_size=_PART_BYTES,
            max_concurrency=_PARTS_AT_ONCE,
        )
        if self._directory is not None:
            await put()
            await asyncio.to_thread(_sync, self._directory, name)
            return
        kind = await asyncio.to_thread(kinds.kind_of, upload.head, name)
        disposition = "inline" if kinds.is_shown(kind) else "attachment"
        await put(
            attributes={
                "Content-Type": kind,
                "Content-Disposition": disposition,
                "Cache-Control": _FOR_EVER,
            }
        )


def name_of(upload: Upload) -> str:
    """Return what a file is called in the store."""
    return format_id(media_id(upload.digest)) + kinds.extension(upload.name)


def open_store(settings: Settings) -> MediaStore:
    """Return the store that is configured.

    Objects in S3 are not made public one by one: the bucket's policy has to allow reading them.
    """
    return opened(store_spec(settings))


def opened(spec: StoreSpec) -> MediaStore:
    """Return a store."""
    unlinked = Unlinked(Path(spec.marks))
    if spec.directory is not None:
        directory = Path(spec.directory)
        local = LocalStore(directory, mkdir=True)
        return MediaStore(local, unlinked, directory=directory, public_url=spec.public_url)
    assert spec.url is not None  # without it there is a directory
    if spec.url.startswith("memory:"):
        return MediaStore(MemoryStore(), unlinked, public_url=spec.public_url)
    store = object_store(spec.url, spec.options)
    return MediaStore(store, unlinked, public_url=spec.public_url or _amazon_url(spec.url))


def object_store(url: str, options: Mapping[str, str]) -> ObjectStore:
    """Return an object store; what options do not say comes from the environment."""
    is_plain = any(value.startswith("http://") for value in options.values())
    store: ObjectStore = from_url(  # type: ignore[call-overload]  # its options are its scheme's
        url,
        config=dict(options),
        client_options={"allow_http": is_plain, "timeout": _CALL_WAIT},
        retry_config={"max_retries": 3, "retry_timeout": _CALL_WAIT},
    )
    return store


def _is_before(time: datetime, at: Millis) -> bool:
    return time.timestamp() * 1_000 < at


def _amazon_url(url: str) -> str | None:
    """Return where Amazon serves the objects below an `s3://` address (contract: §7.12)."""
    parts = urlsplit(url)
    if parts.scheme != "s3":
        return None
    return f"https://{parts.netloc}.s3.amazonaws.com{parts.path}"


def _delete_unfinished(directory: Path, at: Millis) -> None:
    for path in directory.iterdir():
        with suppress(FileNotFoundError):  # it is there now, under its name
            if _UNFINISHED.fullmatch(path.name) and path.stat().st_mtime_ns < at * 1_000_000:
                path.unlink()


def _sync(directory: Path, name: str) -> None:
    sync_file(directory / name)
    sync_directory(directory)


def _told(error: Exception) -> str:
    """Return what went wrong, without the addresses and keys that stores put into their texts."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__.removesuffix("Error")
