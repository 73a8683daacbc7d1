"""Which addresses may be called: those of the internet, not those of our own networks."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
"""NAT64: the last four bytes are an IPv4 address."""


def is_public(address: str) -> bool:
    """Whether an IP address, as text, is one of the internet's.

    Private, loopback, link-local (so those that tell a cloud's metadata), shared, multicast and
    reserved ones are not, nor are those in IPv6's clothes.
    """
    parsed = ip_address(address.partition("%")[0])
    inner = _inner(parsed)
    if inner is not None:
        return is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in _TRANSLATED):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
