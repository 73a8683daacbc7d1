"""A file fetched from an address that somebody told: bounded, and never from a private network.

1. Which address is connected to is checked as that happens, for redirects too; credentials do not
   go to another host.
2. Names are looked up and files written on threads of their own: nothing else in the process waits
   for them.
3. A host that was not reached is left alone for a while, however many files it should have.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import aiohttp
from yarl import URL

from airy_ray.cluster.media.upload import Upload
from airy_ray.cluster.platform_calls import trust
from airy_ray.cluster.public_hosts import Names, PublicHosts, is_refused
from airy_ray.errors import FetchError

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4
_REDIRECTS_MAX = 5
_PASSING = frozenset({408, 425, 429})
_PIECE_BYTES = 1 << 18
_SILENCE_S = 30.0
_UNREACHED_S = 4.0
_HOSTS_MAX = 1_000
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_WHOLE = re.compile(r"[!-~]+")
"""An address that can be asked for letter by letter: signed ones must be."""


class Downloads:
    """Fetches files; used in one event loop."""

    def __init__(self, *, bytes_max: int, within_s: float, allow_private_networks: bool) -> None:
        self._bytes_max = bytes_max
        self._threads = ThreadPoolExecutor(_THREADS, "download")
        hosts = PublicHosts(allow_private_networks=allow_private_networks)
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                force_close=True,
                ssl=trust(),
                resolver=Names(self._threads),
                socket_factory=hosts.socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=within_s, sock_connect=_SILENCE_S, sock_read=_SILENCE_S
            ),
            trust_env=False,  # of a proxy nobody knows where it connects to
        )
        self._unreached: dict[str | None, float] = {}
        self._loop = asyncio.get_running_loop()

    async def fetch(self, url: str, headers: Mapping[str, str], into: Upload) -> None:
        """Write what is at an address into a file.

        Raises:
            FetchError: it is not there, too large, no file, or where we do not fetch from.
            OSError: the file cannot be written.
        """
        try:
            address = URL(url, encoded=_WHOLE.fullmatch(url) is not None)
            self._check_reached(address.host)
            await self._ask(address, headers, into)
        except (ValueError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise FetchError("the address is none of the web") from None
        except aiohttp.TooManyRedirects:
            raise FetchError("there are too many redirects") from None
        except aiohttp.ClientConnectorError as error:
            if is_refused(error):
                raise FetchError("the host is in a private network") from None
            self._note_unreached(error.host)
            raise FetchError("the host cannot be reached", may_pass=True) from None
        except TimeoutError:
            raise FetchError("it takes too long", may_pass=True) from None
        except aiohttp.ClientError as error:  # its text may tell the address, and that a token
            raise FetchError(type(error).__name__, may_pass=True) from None

    async def on_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what blocks on one of the threads for files."""
        return await self._loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, url: URL, headers: Mapping[str, str], into: Upload) -> None:
        plain = {"accept-encoding": "identity"}
        async with self._http.get(
            url, headers={**headers, **plain}, max_redirects=_REDIRECTS_MAX
        ) as response:
            self._check(response)
            async for piece in response.content.iter_chunked(_PIECE_BYTES):
                self._check_size(into.size + len(piece))
                await self.on_thread(into.write, piece)

    def _check(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status != 200:
            raise FetchError(f"answered with {status}", may_pass=status in _PASSING or status > 499)
        if response.content_type in _PAGES:  # to log in, or to say that it is gone
            raise FetchError("it is a page, and no file")
        self._check_size(response.content_length or 0)

    def _check_size(self, size: int) -> None:
        if size > self._bytes_max:
            raise FetchError(f"it is larger than {self._bytes_max} bytes")

    def _check_reached(self, host: str | None) -> None:
        if self._loop.time() < self._unreached.get(host, 0.0):
            raise FetchError("the host could not be reached a moment ago", may_pass=True)

    def _note_unreached(self, host: str | None) -> None:
        if len(self._unreached) >= _HOSTS_MAX:
            self._unreached.clear()
        self._unreached[host] = self._loop.time() + _UNREACHED_S
