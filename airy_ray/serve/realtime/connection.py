"""One client's connection: its STOMP session on its WebSocket, and whether it is still alive."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airy_ray.errors import ProtocolError
from airy_ray.serve.realtime.wire import Wire, framed
from airy_ray.stomp.frame import Frame
from airy_ray.stomp.negotiation import HeartBeats
from airy_ray.stomp.reader import Bounds
from airy_ray.stomp.session import ServerSession

if TYPE_CHECKING:
    from airy_ray.serve.realtime.hub import Subscription

BEATS = HeartBeats(30_000, 30_000)
_BEAT = framed(b"\n")
_SILENT_BEATS = 3
"""After how many missed ones a client is taken for gone (contract: §9.1)."""
_CONNECT_S = 15.0
_ASKED_PER_S, _ASKED_AT_ONCE = 10, 200
"""How often a client may subscribe, or say that somebody types."""
_PROTOCOL_ERROR, _POLICY = 1002, 1008


class Connection:
    """What is known of one client; all calls in the event loop."""

    __slots__ = (
        "_heard_at",
        "_spent",
        "_spent_at",
        "_told_at",
        "catching_up",
        "session",
        "subscriptions",
        "wire",
    )

    def __init__(self, wire: Wire, bounds: Bounds, now: float) -> None:
        self.wire = wire
        self.session = ServerSession(bounds)
        self.subscriptions: dict[str, Subscription] = {}
        self.catching_up: dict[str, asyncio.Task[None]] = {}
        self._heard_at = now
        self._told_at = now
        self._spent = 0.0
        self._spent_at = now

    def send(self, frame: Frame) -> None:
        """Write a frame."""
        self.wire.write(framed(self.session.written(frame)))

    def acknowledge(self, asked: Frame, **headers: str) -> None:
        """Write the receipt that a frame asks for, if it does."""
        receipt = self.session.receipt(asked, **headers)
        if receipt is not None:
            self.wire.write(framed(receipt))

    def fail(self, reason: str, asked: Frame | None = None) -> None:
        """Say what the client did wrong, and close."""
        self.wire.write(framed(self.session.error(reason, asked)))
        self.wire.close(_PROTOCOL_ERROR, _short(reason), is_heard=False)

    def give_up(self, reason: str, code: int = _POLICY) -> None:
        """Say why there is no more for this client, and close."""
        self.wire.write(framed(self.session.error(reason)))
        self.wire.close(code, _short(reason))

    def spend(self, now: float) -> None:
        """Count something that makes work for us or for others.

        Raises:
            ProtocolError: that was too often.
        """
        self._spent = max(self._spent - (now - self._spent_at) * _ASKED_PER_S, 0) + 1
        self._spent_at = now
        if self._spent > _ASKED_AT_ONCE:
            raise ProtocolError("too much is asked in too little time")

    def heard(self, now: float) -> None:
        """Note a sign of life."""
        self._heard_at = now

    def beat(self, now: float) -> None:
        """Send a heart-beat if it is time; give up who has been silent for too long."""
        beats = self.session.beats
        if not self.session.is_connected:
            if now - self._told_at > _CONNECT_S:
                self.fail("no CONNECT for too long")
        elif beats.wants_ms and now - self._heard_at > _SILENT_BEATS * beats.wants_ms / 1_000:
            self.give_up("no heart-beat for too long")
        elif beats.sends_ms and now - self._told_at >= beats.sends_ms / 1_000 - 1:
            self._told_at = now
            self.wire.write(_BEAT)


def _short(reason: str) -> str:
    """Return a reason as a close frame can hold it: 123 bytes."""
    return reason.encode()[:120].decode(errors="ignore")
