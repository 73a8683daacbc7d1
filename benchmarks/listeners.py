"""Subscribers who are cut off again and again, resume, and keep account of what they heard.

Each has `/events` and goes on, whenever it connects, from the positions that it knows, as the
design has it (§6, "Resume"). Some are cut off abruptly, some stop reading until they are closed for
it. In the end what each heard of every partition is compared with the partition's change feed.
"""

import asyncio
import contextlib
import inspect
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

import picows

from benchmarks.measuring import kept_running
from benchmarks.store import stored_changes

_CONNECT_S = 20.0
_AGAIN_S_MAX = 1.0
_STAYS_S_MEAN = 8.0
_STALLS = 0.3
"""How often who is to be cut off stops reading instead."""
_STALL_S_MAX = 60.0
_ENDED_S = 5.0
"""By then who reads again has come to the end, if the server has closed meanwhile."""
_LOOK_S = 1.0

Places = dict[str, int]
"""A place in the feed of each partition, by the partition's name in positions."""


@dataclass
class Account:
    """What happened to one listener.

    Attributes:
        began: where it was when it first subscribed.
        heard: the places of the events that it heard, by partition, in the order they came.
        stalls: how often it stopped reading for a while.
        stalls_closed: after how many of these the connection was closed.
        reloads: how often it was told that what it had missed is gone.
        refusals: what it was told when it was not let in, or let go of.
    """

    began: Places = field(default_factory=dict)
    known: Places = field(default_factory=dict)
    heard: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    connections: int = 0
    cuts: int = 0
    stalls: int = 0
    stalls_closed: int = 0
    reloads: int = 0
    refusals: list[str] = field(default_factory=list)

    def resume_from(self, history: str) -> str:
        """Return what it knows as a header has it."""
        return ",".join(f"{history}.{name}.{place}" for name, place in self.known.items())


class _Connection(picows.WSListener):
    """One WebSocket of a listener."""

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self.ended = asyncio.get_running_loop().create_future()
        self.transport: picows.WSTransport | None = None

    def __str__(self) -> str:
        """Return how it stands."""
        if self.transport is None:
            return "connecting"
        state = "lost" if self.transport.is_disconnected else "open"
        return state if self.ended.done() else f"{state}, not told of an end"

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Say who we are."""
        self.transport = transport
        self._send(transport, "CONNECT", ["accept-version:1.2", "heart-beat:0,0"])

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Take a frame of the server."""
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()
        if frame.msg_type != picows.WSMsgType.TEXT:
            return
        head, _, _ = frame.get_payload_as_bytes().partition(b"\n\n")
        command, *lines = head.decode().split("\n")
        headers = dict(line.split(":", 1) for line in lines if ":" in line)
        asks = self._listener.take(command, headers)
        if asks is not None:
            self._send(transport, "SUBSCRIBE", asks)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        """Note the end."""
        if not self.ended.done():
            self.ended.set_result(None)

    def _send(self, transport: picows.WSTransport, command: str, headers: list[str]) -> None:
        head = "\n".join([command, *headers]).encode()
        transport.send(picows.WSMsgType.TEXT, head + b"\n\n\0")


class Listener:
    """One subscriber for as long as the run lasts."""

    def __init__(self, url: str, seed: int) -> None:
        self.account = Account()
        self.subscribed = asyncio.Event()
        self._url = url.replace("http", "ws", 1) + "/ws.communication"
        self._random = Random(seed)
        self._history = ""
        self._is_resuming = False
        self._left_alone = asyncio.Event()
        self._heard_at = time.monotonic()
        self._connection: _Connection | None = None
        self.running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """Connect, be cut off, and come back, until that is cancelled."""
        while True:
            with contextlib.suppress(OSError, picows.WSError, TimeoutError):
                await self._connected()
            await asyncio.sleep(self._random.uniform(0, _AGAIN_S_MAX))

    def is_behind(self, last: Places) -> bool:
        """Whether it does not know all up to some places."""
        return any(self.account.known.get(name, 0) < place for name, place in last.items())

    def standing(self) -> str:
        """Return what there is to say of one that is behind."""
        return (
            f"{self._connection}, heard something {time.monotonic() - self._heard_at:.1f} s ago, "
            f"knows {self.account.known}, waits in {_waits_in(self.running)}"
        )

    def leave_alone(self) -> None:
        """Cut it off no more."""
        self._left_alone.set()

    def take(self, command: str, headers: dict[str, str]) -> list[str] | None:
        """Note what the server says; return the headers of the SUBSCRIBE that follows, if any."""
        account = self.account
        self._heard_at = time.monotonic()
        match command:
            case "CONNECTED":
                self._is_resuming = bool(account.known)
                asks = ["id:sub-0", "destination:/events", "receipt:r"]
                resume = [f"resume-from:{account.resume_from(self._history)}"]
                return asks + resume if self._is_resuming else asks
            case "RECEIPT":
                self._stand(headers)
            case "MESSAGE" if headers["destination"] == "/positions":
                self._advance(headers["positions"])
            case "MESSAGE":
                _, partition, place = headers["position"].split(".")
                account.heard[partition].append(int(place))
                account.known[partition] = int(place)
            case "ERROR":
                account.refusals.append(headers["message"])
        return None

    def _stand(self, headers: dict[str, str]) -> None:
        account = self.account
        if not account.began:
            self._advance(headers["positions"])
            account.began = dict(account.known)
        elif headers["recovered"] != "true":
            account.reloads += 1
        self.subscribed.set()

    def _advance(self, told: str) -> None:
        for position in told.split(","):
            self._history, partition, place = position.split(".")
            known = self.account.known.get(partition, 0)
            self.account.known[partition] = max(known, int(place))

    async def _connected(self) -> None:
        """Stay connected for a while."""
        connection = self._connection = _Connection(self)
        async with asyncio.timeout(_CONNECT_S):
            # aiofastnet, picows' default, never tells on uvloop of a reset that follows data
            transport, _ = await picows.ws_connect(
                lambda: connection, self._url, use_aiofastnet=False
            )
        if transport.is_disconnected:
            return  # before it was let in: picows returns all the same, and calls nobody
        self.account.connections += 1
        try:
            while not connection.ended.done():
                stays_s = self._random.expovariate(1 / _STAYS_S_MEAN)
                await asyncio.wait([connection.ended], timeout=stays_s)
                if not connection.ended.done() and not self._left_alone.is_set():
                    await self._disturb(connection, transport)
        finally:
            transport.disconnect(graceful=False)

    async def _disturb(self, connection: _Connection, transport: picows.WSTransport) -> None:
        if self._random.random() > _STALLS:
            self.account.cuts += 1
            transport.disconnect(graceful=False)
            await connection.ended
            return
        self.account.stalls += 1
        beneath = transport.underlying_transport
        with contextlib.suppress(RuntimeError):  # it is closing
            beneath.pause_reading()
        await self._sleep_unless_left_alone(self._random.uniform(0, _STALL_S_MAX))
        with contextlib.suppress(RuntimeError):
            beneath.resume_reading()
        await asyncio.wait([connection.ended], timeout=_ENDED_S)
        self.account.stalls_closed += connection.ended.done()

    async def _sleep_unless_left_alone(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._left_alone.wait(), seconds)


@contextmanager
def listening(url: str, count: int, seed: int) -> Iterator[list[Listener]]:
    """Have so many listeners until the block ends."""
    listeners = [Listener(url, seed * 1_000 + index) for index in range(count)]
    with kept_running([each.running for each in listeners]):
        yield listeners


async def behind(listeners: list[Listener], data: Path, *, within_s: float) -> list[Listener]:
    """Leave listeners alone; return those who do not know all that happened before it is late."""
    for each in listeners:
        each.leave_alone()
    deadline = time.monotonic() + within_s
    while True:
        last = {name: places[-1] for name, places in feeds(data).items() if places}
        late = [each for each in listeners if each.is_behind(last)]
        if not late or time.monotonic() > deadline:
            return late
        await asyncio.sleep(_LOOK_S)


def feeds(data: Path) -> dict[str, list[int]]:
    """Return the places behind all changes that clients hear of, by partition, from the stores."""
    return {
        str(int(partition)): [sequence + 1 for sequence, _ in changes]
        for partition, changes in stored_changes(data).items()
    }


@dataclass
class Verdict:
    """How what was heard differs from the feeds, over all listeners."""

    heard: int = 0
    missing: int = 0
    doubled: int = 0
    foreign: int = 0
    out_of_order: int = 0


def judged(listeners: list[Listener], stored: dict[str, list[int]]) -> Verdict:
    """Compare what each listener heard with the feeds, from where it first subscribed."""
    verdict = Verdict()
    for listener in listeners:
        account = listener.account
        for name, places in stored.items():
            heard = account.heard[name]
            wanted = {place for place in places if place > account.began.get(name, 0)}
            verdict.heard += len(heard)
            verdict.missing += len(wanted - set(heard))
            verdict.doubled += len(heard) - len(set(heard))
            verdict.foreign += len(set(heard) - wanted)
            verdict.out_of_order += sum(later < sooner for sooner, later in pairwise(heard))
    return verdict


def _waits_in(task: asyncio.Task[None]) -> str:
    """Return where a task stands, from the outside in."""
    awaited: object = task.get_coro()
    places = []
    while inspect.iscoroutine(awaited) and awaited.cr_frame is not None:
        places.append(f"{awaited.cr_code.co_name}:{awaited.cr_frame.f_lineno}")
        awaited = awaited.cr_await
    return " > ".join(places)
