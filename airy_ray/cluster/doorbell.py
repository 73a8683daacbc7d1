"""How the processes of one machine wake one another: datagrams to sockets in the run directory.

A datagram says where to look, never what is to be seen: data is read from log and state. One that
is lost, because its reader is gone or busy, costs its reader a poll interval and nothing else.
"""

import select
import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from airy_ray.model.ids import PartitionIndex

_DATAGRAM_BYTES = 256
_AT_ONCE = 1_024


class WakeMe(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Asks an owner to say, at the socket `reply`, when offset `offset` is applied."""

    reply: str
    offset: int


class Follow(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Asks an owner to say, at the socket `reply`, whenever a batch wrote to a table, for a while.

    Who follows `changes`, which every batch writes to, is told as soon as may be.
    """

    reply: str
    table: str


class Applied(msgspec.Struct, frozen=True, array_like=True):
    """An owner says that everything before offset `applied` is folded into its state."""

    partition: PartitionIndex
    applied: int


class Damaged(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A reader tells the owner that it met something damaged in its state."""


APPENDED = b""
"""Says that records were appended, and that nobody waits for them."""


class Bell:
    """The receiving end of a name in the run directory."""

    def __init__(
        self, directory: Path, name: str, *, datagram_bytes: int = _DATAGRAM_BYTES
    ) -> None:
        self._datagram_bytes = datagram_bytes
        self.path = directory / name
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        with suppress(FileNotFoundError):
            self.path.unlink()
        self._socket.bind(str(self.path))

    def fileno(self) -> int:
        """Return the descriptor, for whoever waits on several."""
        return self._socket.fileno()

    def drain(self) -> list[bytes]:
        """Return what was said since, without waiting."""
        said: list[bytes] = []
        while len(said) < _AT_ONCE:
            try:
                said.append(self._socket.recv(self._datagram_bytes))
            except BlockingIOError:
                break
        return said

    def close(self) -> None:
        """Give the name back."""
        self._socket.close()
        with suppress(FileNotFoundError):
            self.path.unlink()


class Ringer:
    """Sends datagrams to names in the run directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def ring(self, name: str, said: bytes = APPENDED) -> bool:
        """Say something to the owner of a name; return whether it could be left there."""
        try:
            self._socket.sendto(said, f"{self._directory}/{name}")
        except OSError:  # nobody there, or its queue is full: it polls
            return False
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def wait_for(bells: list[Bell], timeout_s: float) -> None:
    """Wait until one of the bells was rung, for `timeout_s` at most."""
    select.select(bells, [], [], max(0.0, timeout_s))


def owner_bell(partition: str) -> str:
    """Return the name at which a partition's owner hears that records were appended."""
    return f"p-{partition}"


def asking_bell(partition: str) -> str:
    """Return the name at which a partition's owner hears who waits for what, and of damage."""
    return f"q-{partition}"


Asked = WakeMe | Follow | Damaged

decode_asked = msgspec.msgpack.Decoder(Asked).decode
decode_applied = msgspec.msgpack.Decoder(Applied).decode
