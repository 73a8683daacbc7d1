"""Which IP addresses may be connected to: those of the internet, not those of our own networks."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
"""The last four bytes are an IPv4 address."""
_METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
"""Where clouds tell machines their credentials, beside the link-local address of most."""
Address = IPv4Address | IPv6Address


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's, also where another form of it is written.

    Private, loopback, link-local (so those that tell a cloud's metadata), shared, multicast and
    reserved ones are not.
    """
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def may_connect(address: Address, *, allow_private_networks: bool) -> bool:
    """Whether an address may be connected to.

    What belongs to a link, to many or to nobody, and clouds' metadata, never may.
    """
    if not allow_private_networks:
        return is_public(address)
    inner = _inner(address)
    if inner is not None:
        return may_connect(inner, allow_private_networks=True)
    is_no_host = address.is_link_local or address.is_multicast or address.is_unspecified
    return not is_no_host and address not in _METADATA


def _inner(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return None
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
