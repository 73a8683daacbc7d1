"""Events that are of use for a moment only: told at once to whoever listens, and kept nowhere.

Typing, presence, "seen": they never touch the log, have no position, and are lost to who is away.
Within a machine they go by datagrams, from any process to all that serve WebSockets.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from airy_ray.cluster.doorbell import Bell, Ringer
from airy_ray.model.ids import ChannelId, ConversationId

_PREFIX = "e-"
_EVENT_BYTES = 8_192
_LOOK_S = 1.0


class EphemeralEvent(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Something about a conversation.

    Attributes:
        event: the JSON that clients receive, in the envelope of all events (contract: §9.2).
        is_for_visitors: whether the website's visitor hears of it as well.
    """

    kind: str
    conversation_id: ConversationId
    channel_id: ChannelId
    event: bytes
    is_for_visitors: bool


class Presence(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Who is connected to one process, and which conversations they have open.

    Attributes:
        process: names the process; each tells of its own connections only.
    """

    process: str
    user_id: str
    name: str | None
    avatar_url: str | None
    is_online: bool
    conversation_ids: tuple[ConversationId, ...]


Ephemeral = EphemeralEvent | Presence

_decode = msgspec.msgpack.Decoder(Ephemeral).decode


class EphemeralSender:
    """Tells all processes of this machine that serve WebSockets."""

    def __init__(self, run_directory: Path) -> None:
        self._directory = run_directory
        self._ringer = Ringer(run_directory)
        self._names: list[str] = []
        self._looked_at = -_LOOK_S

    def tell(self, said: Ephemeral) -> None:
        """Tell; what cannot be told now is not told."""
        now = time.monotonic()
        if now >= self._looked_at + _LOOK_S:
            self._looked_at = now
            self._names = [path.name for path in self._directory.glob(f"{_PREFIX}*")]
        encoded = msgspec.msgpack.encode(said)
        if len(encoded) <= _EVENT_BYTES:
            for name in self._names:
                self._ringer.ring(name, encoded)

    def close(self) -> None:
        """Close the socket."""
        self._ringer.close()


class EphemeralListener:
    """Hears what any process of this machine tells; one for each process."""

    def __init__(self, run_directory: Path, hear: Callable[[Ephemeral], None]) -> None:
        self.name = f"{_PREFIX}{os.getpid()}"
        self._bell = Bell(run_directory, self.name, datagram_bytes=_EVENT_BYTES)
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._bell.fileno(), self._drain)

    def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._bell.fileno())
        self._bell.close()

    def _drain(self) -> None:
        for said in self._bell.drain():
            with suppress(msgspec.DecodeError):
                self._hear(_decode(said))
