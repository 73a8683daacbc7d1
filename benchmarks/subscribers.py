"""Subscribers: many STOMP clients on WebSockets in one event loop, which count what reaches them.

1. What is sent carries a mark, and every STOMP frame that holds one is a delivery: a server may
   wrap it in an event of its own, and tell of other things beside.
2. All are subscribed before the first message: each server answers a SUBSCRIBE with a receipt.
3. They are fast (picows on uvloop), and still as busy as the server: whoever reads their figures
   has to know what they take in when a server does no work at all.
"""

import asyncio
import time
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

import picows

from benchmarks.measuring import BenchmarkError

MARK = b"mark="
DIGITS = 9
_MARK_BYTES = len(MARK) + DIGITS
_AT_ONCE = 50
_CONNECT_S = 30.0
_TRIES = 10
_AGAIN_S = 1.0

Publish = Callable[[Sequence[int]], Awaitable[None]]
"""Sends messages with the given marks, one each, to all subscribers."""


class Door(NamedTuple):
    """Where subscribers come in.

    Attributes:
        url: of the WebSocket.
        destination: what they subscribe to.
        login: headers of their CONNECT.
        headers: of their request, beside those of all.
    """

    url: str
    destination: str
    login: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


def marked(mark: int, length: int) -> str:
    """Return a text of a length that carries a mark."""
    return f"{MARK.decode()}{mark:0{DIGITS}d} ".ljust(length, "x")


class Tally:
    """How much came to all subscribers together."""

    def __init__(self) -> None:
        self.delivered = 0
        self.frames = 0
        self._awaited = 0
        self._reached = asyncio.Event()

    def hear(self, payload: bytes) -> None:
        """Count a WebSocket message."""
        self.frames += 1
        if MARK in payload:
            self.delivered += payload.count(MARK)
            if self.delivered >= self._awaited:
                self._reached.set()

    async def reach(self, deliveries: int, *, timeout_s: float) -> None:
        """Wait until so much was delivered.

        Raises:
            TimeoutError: it was not within `timeout_s`.
        """
        self._awaited = deliveries
        self._reached.clear()
        if self.delivered < deliveries:
            await asyncio.wait_for(self._reached.wait(), timeout_s)


class Arrivals(Tally):
    """When each message came to each subscriber."""

    def __init__(self) -> None:
        super().__init__()
        self.marks = array("q")
        self.at_ns = array("q")

    def hear(self, payload: bytes) -> None:
        """Note a WebSocket message with the time."""
        now = time.monotonic_ns()
        at = payload.find(MARK)
        while at >= 0:
            self.marks.append(int(payload[at + len(MARK) : at + _MARK_BYTES]))
            self.at_ns.append(now)
            at = payload.find(MARK, at + _MARK_BYTES)
        super().hear(payload)


class Subscriber(picows.WSListener):
    """One STOMP session.

    Attributes:
        ended: why the connection is no more, if it is not.
    """

    def __init__(self, door: Door, tally: Tally, beats_ms: int) -> None:
        self._door = door
        self._tally = tally
        self._beats_ms = beats_ms
        self._ready = asyncio.get_running_loop().create_future()
        self._is_subscribed = False
        self._is_leaving = False
        self.ended: str | None = None

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Say who we are."""
        self._transport = transport
        beats = f"heart-beat:{self._beats_ms},{self._beats_ms}"
        self.send("CONNECT", ["accept-version:1.2", beats, *self._door.login])

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Count it, once we are in."""
        payload = frame.get_payload_as_bytes()
        if frame.msg_type == picows.WSMsgType.CLOSE:
            self._end(f"closed: {payload[2:].decode(errors='replace')}")
        elif self._is_subscribed:
            self._tally.hear(payload)
        else:
            self._greet(payload.lstrip())

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        """Note that it ended."""
        if not self._is_leaving:
            self._end("disconnected")

    async def subscribed(self) -> None:
        """Wait until all that is sent from now on comes here.

        Raises:
            BenchmarkError: the server refuses.
        """
        await asyncio.wait_for(self._ready, _CONNECT_S)

    def send(self, command: str, headers: Sequence[str], body: bytes = b"") -> None:
        """Send a frame."""
        head = "\n".join([command, *headers]).encode()
        self._transport.send(picows.WSMsgType.TEXT, head + b"\n\n" + body + b"\0")

    def beat(self) -> None:
        """Send a heart-beat."""
        if self.ended is None:
            self._transport.send(picows.WSMsgType.TEXT, b"\n")

    def leave(self) -> None:
        """Close the connection."""
        self._is_leaving = True
        self._transport.disconnect()

    def _greet(self, payload: bytes) -> None:
        if payload.startswith(b"CONNECTED"):
            to = f"destination:{self._door.destination}"
            self.send("SUBSCRIBE", ["id:sub-0", to, "receipt:subscribed"])
        elif payload.startswith(b"RECEIPT"):
            self._is_subscribed = True
            self._ready.set_result(None)
        elif payload:
            self._end(payload.decode(errors="replace"))

    def _end(self, why: str) -> None:
        self.ended = self.ended or why
        if not self._ready.done():
            self._ready.set_exception(BenchmarkError(f"{self._door.url}: {why}"))


@dataclass(frozen=True)
class Crowd:
    """Subscribers of one destination."""

    members: Sequence[Subscriber]
    tally: Tally

    @property
    def ended(self) -> list[str]:
        """Why those are gone that are."""
        return [each.ended for each in self.members if each.ended is not None]


@asynccontextmanager
async def crowd(door: Door, count: int, tally: Tally, *, beats_ms: int = 0) -> AsyncIterator[Crowd]:
    """Have so many subscribers until the block ends."""
    members: list[Subscriber] = []
    try:
        while len(members) < count:
            some = min(_AT_ONCE, count - len(members))
            coming = (connected(door, tally, beats_ms=beats_ms) for _ in range(some))
            members += await asyncio.gather(*coming)
        yield Crowd(members, tally)
    finally:
        for member in members:
            member.leave()


async def connected(door: Door, tally: Tally, *, beats_ms: int = 0) -> Subscriber:
    """Return one more subscriber, which is in; it comes again where too many come at once.

    Raises:
        BenchmarkError: it is not let in.
    """
    for _ in range(_TRIES):
        member = Subscriber(door, tally, beats_ms)
        if await _is_let_in(member, door):
            await member.subscribed()
            return member
        await asyncio.sleep(_AGAIN_S)
    raise BenchmarkError(f"{door.url}: not let in, {_TRIES} times")


async def _is_let_in(member: Subscriber, door: Door) -> bool:
    headers = [("Sec-WebSocket-Protocol", "v12.stomp"), *door.headers]
    try:
        await picows.ws_connect(lambda: member, door.url, extra_headers=headers)
    except picows.WSInvalidStatusError as refused:
        answer = refused.response
        if answer is None or answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise BenchmarkError(f"{door.url}: {refused}") from refused
        return False
    return True
