"""Calls to webhooks: to the internet only, unless the settings say otherwise.

What is checked is the address that a connection is really made to, whatever a name resolved to
before; no proxy and no redirect leads elsewhere.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from airy_ray.cluster.platform_calls import told, trust
from airy_ray.cluster.public_hosts import Names, PublicHosts
from airy_ray.publishing.schedule import Answer
from airy_ray.storage.excerpts import EXCERPT_BYTES

_CONNECT_S = 2.0
_READ_S = 8.0
"""Both are the contract's (§10.3)."""
_TOTAL_S = 15.0
"""However slowly an answer comes in."""
_IDLE_S = 3.0
_NAMES_AT_ONCE = 32
_REFUSED = "no address of the internet (webhooks.allow_private_networks)"
_ANSWER_BYTES = 4_096
"""How much of an answer is read, so that its connection can be used again."""


class WebhookCalls:
    """Makes calls; used in one event loop."""

    def __init__(self, *, allow_private_networks: bool) -> None:
        # on threads of their own: names of others must not wait for names that hang
        self._threads = ThreadPoolExecutor(_NAMES_AT_ONCE, "webhook names")
        hosts = PublicHosts(allow_private_networks=allow_private_networks, refusal=_REFUSED)
        connector = aiohttp.TCPConnector(
            limit=0,
            resolver=Names(self._threads),
            keepalive_timeout=_IDLE_S,
            ssl=trust(),
            socket_factory=hosts.socket,
        )
        self._http = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},  # people read answers
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
                began = await _beginning(response.content)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Answer(None, told(error))
        after_s = _after_s(response.headers.get("Retry-After"))
        return Answer(response.status, after_s=after_s, body=began[:EXCERPT_BYTES])

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.sleep(0)  # transports are closed in the next turn of the loop


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """Return how an answer begins; once that came, it counts, whether it goes on or breaks off."""
    began = await content.read(_ANSWER_BYTES)
    with suppress(aiohttp.ClientError, TimeoutError):
        while len(began) < EXCERPT_BYTES and (more := await content.read(_ANSWER_BYTES)):
            began += more
    return began


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
