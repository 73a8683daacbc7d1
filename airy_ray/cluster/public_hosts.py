"""Connections to addresses that somebody told: to hosts of the internet, not of our own networks.

What is checked is the address that is connected to, of redirects too, whatever its name was said
to be a moment before.
"""

import asyncio
import errno
import socket
from concurrent.futures import Executor
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64 = ip_network("64:ff9b::/96")
_METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
"""Where clouds tell machines their credentials, beside the link-local address of most."""
_REFUSED = "the host is in a private network"

Address = IPv4Address | IPv6Address
AddressInfo = tuple[int, int, int, str, Any]


class PublicHosts:
    """Lets connections to public addresses through, or, where that is allowed, to private ones."""

    def __init__(self, *, allow_private_networks: bool) -> None:
        self._allow_private_networks = allow_private_networks

    def socket(self, info: AddressInfo) -> socket.socket:
        """Return a socket for an address: what aiohttp calls a `socket_factory`.

        Raises:
            OSError: the address must not be connected to.
        """
        family, kind, protocol, _, sockaddr = info
        address = ip_address(sockaddr[0])
        if not may_connect(address, allow_private_networks=self._allow_private_networks):
            raise PermissionError(errno.EACCES, _REFUSED)
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
        look = partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM)
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


def may_connect(address: Address, *, allow_private_networks: bool) -> bool:
    """Whether an address may be connected to, also where another form of it is written.

    What belongs to a link, to many or to nobody, and clouds' metadata, never may.
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return may_connect(inner, allow_private_networks=allow_private_networks)
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address not in _METADATA and (allow_private_networks or address.is_global)
