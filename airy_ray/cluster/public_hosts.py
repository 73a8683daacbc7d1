"""Connections to addresses that somebody told: to hosts of the internet, not of our own networks.

What is checked is the address that is connected to, of redirects too, whatever its name was said
to be a moment before.
"""

import asyncio
import errno
import socket
from concurrent.futures import Executor
from functools import partial
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from airy_ray.cluster.addresses import may_connect

_REFUSED = "the host is in a private network"

AddressInfo = tuple[int, int, int, str, Any]


class PublicHosts:
    """Lets connections to public addresses through, or, where that is allowed, to private ones.

    Args:
        refusal: what the error says of others.
    """

    def __init__(self, *, allow_private_networks: bool, refusal: str = _REFUSED) -> None:
        self._allow_private_networks = allow_private_networks
        self._refusal = refusal

    def socket(self, info: AddressInfo) -> socket.socket:
        """Return a socket for an address: what aiohttp calls a `socket_factory`.

        Raises:
            OSError: the address must not be connected to.
        """
        family, kind, protocol, _, sockaddr = info
        address = ip_address(sockaddr[0])
        if not may_connect(address, allow_private_networks=self._allow_private_networks):
            raise PermissionError(errno.EACCES, self._refusal)
        return socket.socket(family, kind, protocol)


class Names(AbstractResolver):
    """Resolves names on some threads of its own: nobody else waits for a host that is unknown."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: there are none now.
        """
        look = partial(socket.getaddrinfo, host, port)
        look = partial(look, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look)
        return [
            ResolveResult(
                hostname=host,
                host=str(sockaddr[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, sockaddr in found
        ]

    async def close(self) -> None:
        """Nothing is kept open."""


def is_refused(error: aiohttp.ClientConnectorError) -> bool:
    """Whether nothing was connected to because a host is in a private network."""
    return _REFUSED in str(error.os_error)
