"""Calls to webhooks: to the internet only, unless the settings say otherwise.

What is checked is the address that a connection is really made to, whatever a name resolved to
before; no proxy and no redirect leads elsewhere.
"""

import asyncio
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from errno import EACCES
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from airy_ray.cluster.platform_calls import told, trust
from airy_ray.publishing.addresses import is_public
from airy_ray.publishing.schedule import Answer

_CONNECT_S = 2.0
_READ_S = 8.0
"""Both are the contract's (§10.3)."""
_TOTAL_S = 15.0
"""However slowly an answer comes in."""
_IDLE_S = 3.0
_NAMES_AT_ONCE = 32
_ANSWER_BYTES = 4_096
"""How much of an answer is read, so that its connection can be used again; nobody looks at it."""


class WebhookCalls:
    """Makes calls; used in one event loop."""

    def __init__(self, *, allow_private_networks: bool) -> None:
        self._resolver = _Resolver()
        connector = aiohttp.TCPConnector(
            limit=0,
            resolver=self._resolver,
            keepalive_timeout=_IDLE_S,
            ssl=trust(),
            socket_factory=None if allow_private_networks else _public_socket,
        )
        self._http = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(
                total=_TOTAL_S, sock_connect=_CONNECT_S, sock_read=_READ_S
            ),
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Make one call; return what came of it, also if that is nothing."""
        try:
            async with self._http.post(
                url, headers=headers, data=body, allow_redirects=False
            ) as response:
                await response.content.read(_ANSWER_BYTES)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Answer(None, told(error))
        return Answer(response.status, after_s=_after_s(response.headers.get("Retry-After")))

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()
        await self._resolver.close()
        await asyncio.sleep(0)  # transports are closed in the next turn of the loop


class _Resolver(AbstractResolver):
    """Looks names up on threads of its own: those of others must not wait for names that hang."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_NAMES_AT_ONCE, "webhook names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host."""
        look = partial(
            socket.getaddrinfo,
            host,
            port,
            family=family,
            type=socket.SOCK_STREAM,
            flags=socket.AI_ADDRCONFIG,
        )
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Look nothing up any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _public_socket(found: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
    """Return a socket for an address that was found, if it is one of the internet's."""
    family, kind, protocol, _, address = found
    if not is_public(str(address[0])):
        raise OSError(EACCES, "no address of the internet (webhooks.allow_private_networks)")
    return socket.socket(family, kind, protocol)


def _after_s(told: str | None) -> float | None:
    """Return how many seconds a `Retry-After` tells to wait, if that can be understood."""
    if told is None:
        return None
    if told.isascii() and told.isdecimal() and len(told) < 10:
        return float(told)
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return None
    if until.tzinfo is None:
        return None
    return max((until - datetime.now(UTC)).total_seconds(), 0.0)
