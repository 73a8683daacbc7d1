"""Which addresses may be connected to."""

from ipaddress import ip_address

import pytest

from airy_ray.cluster.addresses import is_public, may_connect

NEVER = ["169.254.169.254", "224.0.0.1", "0.0.0.0", "::", "fe80::1", "fd00:ec2::254"]
PRIVATE = [
    "10.0.0.1",
    "127.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
]
PUBLIC = ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "2002:101:101::"]


@pytest.mark.parametrize("allows", [True, False])
@pytest.mark.parametrize("address", [*NEVER, "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"])
def test_what_is_no_host_and_metadata_of_clouds_never_may(address: str, allows: bool) -> None:
    assert not may_connect(ip_address(address), allow_private_networks=allows)


@pytest.mark.parametrize("allows", [True, False])
@pytest.mark.parametrize("address", PRIVATE)
def test_private_networks_may_where_that_is_allowed(address: str, allows: bool) -> None:
    assert may_connect(ip_address(address), allow_private_networks=allows) == allows


@pytest.mark.parametrize("allows", [True, False])
@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_may(address: str, allows: bool) -> None:
    assert may_connect(ip_address(address), allow_private_networks=allows)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("64:ff9b::5db8:d822", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::a00:1", False),
        ("2001:0:7f00:1::", False),
        ("::7f00:1", False),
    ],
)
def test_only_addresses_of_the_internet_are_public(address: str, expected: bool) -> None:
    assert is_public(ip_address(address)) is expected
