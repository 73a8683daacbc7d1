"""Files of ours as messages link to them: which they are, and their bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airy_ray.cluster.addresses import is_public
from airy_ray.model.media_links import file_at
from airy_ray.sources.attached import OurFile

if TYPE_CHECKING:
    from airy_ray.cluster.media.store import MediaStore
    from airy_ray.cluster.media.store_spec import StoreSpec

_NOT_PUBLIC = (".localhost", ".local", ".internal", ".home.arpa")


class OurFiles:
    """Finds files in the store, which is opened for the first; used in one event loop."""

    def __init__(self, spec: StoreSpec | None) -> None:
        self._spec = spec
        self._store: MediaStore | None = None
        self._opening = asyncio.Lock()

    async def at(self, urls: Iterable[str]) -> dict[str, OurFile]:
        """Return those files that are at some addresses; what is not ours is left out.

        A name is a digest of what is in a file: where it is found, the file is the one.

        Raises:
            StorageError: the store does not answer.
        """
        store = await self._opened()
        if store is None:
            return {}
        found = {}
        for url in urls:
            name = file_at(url)
            size = None if name is None else await store.size(name)
            if name is not None and size is not None:
                kind = await store.kind(name, size)
                found[url] = OurFile(name, size, kind, is_reachable=is_reachable(url))
        return found

    async def read(self, file: OurFile) -> AsyncIterator[bytes]:
        """Return what is in a file, piece by piece.

        Raises:
            StorageError: the store does not give it.
        """
        store = await self._opened()
        assert store is not None  # the file was found in it
        async for piece in store.read(file.name, range(file.size)):
            yield piece

    async def _opened(self) -> MediaStore | None:
        if self._store is None and self._spec is not None:
            async with self._opening:
                self._store = self._store or await asyncio.to_thread(_open, self._spec)
        return self._store


def is_reachable(url: str) -> bool:
    """Whether an address may be one that platforms can fetch from, by what its host is called."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return is_public(ip_address(host))
    except ValueError:
        return "." in host and not host.endswith(_NOT_PUBLIC)


def _open(spec: StoreSpec) -> MediaStore:
    from airy_ray.cluster.media.store import opened  # who sends no files does without it

    return opened(spec)
