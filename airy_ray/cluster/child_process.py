"""A process of ours that is started over a socket pair, and ends when our end is closed."""

import contextlib
import fcntl
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_END_S = 5.0
_LOCK_POLL_S = 0.05


class ChildProcess:
    """A process as the one that started it holds it.

    It runs a module, whose argument is the descriptor of its end of the pair.

    Attributes:
        socket: our end.
    """

    def __init__(self, module: str) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", module, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """Have it end after what it is doing, or kill it if that takes too long; blocks."""
        self.socket.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def received(connection: socket.socket) -> bytes:
    """Return what is said at the beginning."""
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def is_over(connection: socket.socket, wait_s: float) -> bool:
    """Wait for a while; return whether the supervisor has gone, which it says nothing before."""
    watch = select.poll()
    watch.register(connection, 0)  # a hang-up is told in any case
    return bool(watch.poll(wait_s * 1_000))


@contextlib.contextmanager
def alone(lock_path: Path, connection: socket.socket) -> Iterator[None]:
    """Wait until a former process has ended, of which there may only be one; end if we are to."""
    with lock_path.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if is_over(connection, _LOCK_POLL_S):
                    sys.exit(0)
            else:
                break
        yield
