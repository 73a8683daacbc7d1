"""Ports for servers of this machine."""

import random
import socket

_RANGE = range(20_000, 30_000)
"""Systems give ports from 32,768 on to whoever asks for any, Ray those below 20,000 to its workers
and those from 30,000 on to Serve's replicas: none of them takes one of these meanwhile."""


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nothing listens on, and that nothing is given by chance."""
    candidates = random.SystemRandom().sample(_RANGE, len(_RANGE))
    found: list[int] = []
    while len(found) < count:
        port = candidates.pop()
        if _is_free(port):
            found.append(port)
    return found


def free_port() -> int:
    """Return one such port."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
