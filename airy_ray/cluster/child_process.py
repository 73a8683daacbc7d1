"""A process of ours that is started over a socket pair, and ends when our end is closed."""

import socket
import subprocess
import sys

_END_S = 5.0


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
