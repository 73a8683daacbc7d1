"""Which addresses may be connected to."""

from ipaddress import ip_address

import pytest

from airy_ray.cluster.public_hosts import may_connect

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
