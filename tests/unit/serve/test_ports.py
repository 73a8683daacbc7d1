"""Ports that are free, and stay so until their server starts."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from airy_ray.serve import ports


def test_free_ports_differ_and_can_be_listened_on() -> None:
    with ExitStack() as servers:
        for port in ports.free_ports(50):
            servers.enter_context(socket.create_server(("127.0.0.1", port)))


def test_a_port_in_use_is_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    used, free = ports.free_ports(2)
    monkeypatch.setattr(ports, "_RANGE", [used, free])

    with socket.create_server(("127.0.0.1", used)):
        assert ports.free_port() == free


def test_the_system_gives_none_of_them_to_whoever_asks_for_any() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())

    assert all(not first <= port <= last for port in ports.free_ports(50))
