"""Files of platforms, fetched and stored: whoever shows them links to the copy.

Where a file is may be secret: an address, and what is asked with it, is in no error and no log.
"""

import tempfile
from fnmatch import fnmatchcase
from typing import IO
from urllib.parse import quote, urlsplit

from obstore.exceptions import BaseError

from airy_ray.cluster.fetching_spec import FetchingSpec
from airy_ray.cluster.media import kinds
from airy_ray.cluster.media.download import Downloads
from airy_ray.cluster.media.store import opened
from airy_ray.cluster.media.upload import Upload
from airy_ray.cluster.platform_calls import PlatformCalls
from airy_ray.errors import FetchError, StorageError
from airy_ray.model.media_links import files_in
from airy_ray.sources.files import Access, Link
from airy_ray.sources.sending import Reply

_FETCH_S = 600.0
_LATER = frozenset({408, 425, 429})


class FileKeeping:
    """Fetches files and stores them; used in one event loop."""

    def __init__(self, spec: FetchingSpec) -> None:
        """Open the store.

        Raises:
            StorageError: there is none.
        """
        self._spec = spec
        try:
            self._store = opened(spec.store)
        except BaseError as error:
            raise StorageError(type(error).__name__) from error
        self._downloads = Downloads(
            bytes_max=spec.bytes_max,
            within_s=_FETCH_S,
            allow_private_networks=spec.allow_private_networks,
        )
        self._calls = PlatformCalls()

    async def kept(self, source: str, link: Link, token: str | None) -> str:
        """Fetch a file of a channel with this token, and store it; return the copy's address.

        Once a record has that, or is never going to, the copy is to be settled.

        Raises:
            FetchError: it cannot be had, or is not to be kept.
            StorageError, OSError: it cannot be stored.
        """
        url, headers = await self._located(source, link, token)
        with await self._downloads.on_thread(self._nameless) as file:
            upload = Upload(link.name or urlsplit(url).path.rpartition("/")[2], file)
            await self._downloads.fetch(url, headers, upload)
            await self._check(upload)
            name = await self._store.keep(upload)
        copy = self._store.url(name, self._spec.base_url)
        # a form has it spelled as forms do, its name legible
        return quote(copy, safe="/:") if source.startswith("twilio.") else copy

    async def settle(self, *values: bytes) -> None:
        """Say that the log has all copies whose addresses are in some values."""
        await self._store.settle(*files_in(*values))

    async def close(self) -> None:
        """Close all connections."""
        await self._downloads.close()
        await self._calls.close()

    def _nameless(self) -> IO[bytes]:
        """Return a file that nothing is left of when it is closed, or after a crash."""
        return tempfile.TemporaryFile(dir=self._spec.directory)  # /tmp may be memory

    async def _check(self, upload: Upload) -> None:
        if upload.size == 0:
            raise FetchError("it is empty")
        kind = await self._downloads.on_thread(kinds.kind_of, upload.head, upload.name)
        if not any(fnmatchcase(kind, pattern) for pattern in self._spec.types):
            raise FetchError(f"files of the type {kind} are not kept")

    async def _located(
        self, source: str, link: Link, token: str | None
    ) -> tuple[str, dict[str, str]]:
        """Return where a file is, and with which headers it is asked for."""
        access = self._spec.access.get(source, Access())
        if link.url is not None:
            return link.url, access.headers(link.url)
        if not token:
            raise FetchError("the channel has no token")
        reply = await self._calls.made(access.call(link, token), is_deduplicating=True)
        if not isinstance(reply, Reply):
            raise FetchError("the platform does not answer", may_pass=True)
        found = access.found(reply, token) if reply.status == 200 else None
        if found is None:
            may_pass = reply.status in _LATER or reply.status > 499
            raise FetchError(f"the platform answered with {reply.status}", may_pass=may_pass)
        return found
