"""Clients that mean ill, or know no better: each kind in a process of its own, of low priority.

python -m benchmarks.hostile <kind> <port>

It says `at work` when all are, goes on until it is stopped (SIGTERM), and then says how often they
connected, were let in, and were sent away.
"""

import asyncio
import json
import os
import signal
import socket
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvloop

from benchmarks.doors import PATH
from benchmarks.measuring import raise_open_files

_NICENESS = 19
"""They stand for other machines, so they get what ours leaves over."""
_PAUSE_S = 0.1
_BYTE_EVERY_S = 0.05
_GIANT_BYTES = 64 << 20
_GONE = (OSError, asyncio.IncompleteReadError, EOFError)
_CONNECT = b"CONNECT\naccept-version:1.2\nheart-beat:0,0\n\n\0"
_SUBSCRIBE = b"SUBSCRIBE\nid:sub-0\ndestination:/events\n\n\0"
_UPGRADE = (
    f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: v12.stomp\r\n\r\n"
).encode()

Seen = Counter[str]


class _Client:
    """One connection, of which nothing is expected."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def upgrade(self, seen: Seen) -> None:
        """Make a WebSocket of it, if we are let in."""
        self.writer.write(_UPGRADE)
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise EOFError
        seen["let in"] += 1

    def say(self, message: bytes) -> None:
        """Send a text message."""
        self.writer.write(framed(message))

    async def until_sent_away(self, seen: Seen) -> None:
        """Read until the other side has enough."""
        while await self.reader.read(1 << 16):
            pass
        seen["sent away"] += 1

    def reset(self) -> None:
        """Leave without a word."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()


def framed(message: bytes, *, claimed: int | None = None) -> bytes:
    """Return a client's text message, masked with zeros; its header may claim another length."""
    length = len(message) if claimed is None else claimed
    if length < 126:
        head = bytes((0x81, 0x80 | length))
    elif length < 1 << 16:
        head = bytes((0x81, 0x80 | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x81, 0x80 | 127)) + length.to_bytes(8, "big")
    return head + bytes(4) + message


async def _half_open(client: _Client, seen: Seen, number: int) -> None:
    """Begin, and never go on: no request, half of one, no CONNECT."""
    if number % 3 == 1:
        client.writer.write(_UPGRADE[:-2])
    elif number % 3 == 2:
        await client.upgrade(seen)
    await client.until_sent_away(seen)


async def _never_reading(client: _Client, seen: Seen, number: int) -> None:
    """Subscribe to everything, and read none of it."""
    await client.upgrade(seen)
    client.say(_CONNECT)
    client.say(_SUBSCRIBE)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.Event().wait()


async def _byte_at_a_time(client: _Client, seen: Seen, number: int) -> None:
    """Send messages of one byte each, and of each of them one byte after the other."""
    await client.upgrade(seen)
    said = _CONNECT + b"SEND\ndestination:/nowhere\n\n" + b"x" * 1_000 + b"\0"
    for byte in b"".join(framed(bytes((each,))) for each in said):
        client.writer.write(bytes((byte,)))
        await asyncio.sleep(_BYTE_EVERY_S)


async def _giant_frames(client: _Client, seen: Seen, number: int) -> None:
    """Send a frame as large as a film, in one WebSocket message or in many."""
    await client.upgrade(seen)
    client.say(_CONNECT)
    piece = b"SEND\ndestination:/nowhere\n\n".ljust(60_000, b"x")
    if number % 2:
        client.writer.write(framed(piece, claimed=_GIANT_BYTES))
        pieces = [piece] * (_GIANT_BYTES // len(piece))
    else:
        pieces = [framed(piece)] * (_GIANT_BYTES // len(piece))
    leaving = asyncio.create_task(client.until_sent_away(seen))
    try:
        for each in pieces:
            client.writer.write(each)
            await client.writer.drain()
        await leaving
    finally:
        leaving.cancel()


async def _wrong_order(client: _Client, seen: Seen, number: int) -> None:
    """Say things at the wrong time, or what only servers say, or nothing sensible."""
    await client.upgrade(seen)
    wrong = (
        [_SUBSCRIBE],
        [_CONNECT, _CONNECT],
        [_CONNECT, b"MESSAGE\n\n\0"],
        [_CONNECT, _SUBSCRIBE, _SUBSCRIBE],
        [b"\x00\xff\xfe not a frame \0\0\n\n"],
        [_CONNECT, b"SEND\n\n\0"],
    )
    for message in wrong[number % len(wrong)]:
        client.say(message)
    await client.until_sent_away(seen)


async def _storm(client: _Client, seen: Seen, number: int) -> None:
    """Connect, be let in, and leave without a word, to do so again at once."""
    await client.upgrade(seen)
    client.say(_CONNECT)
    await client.reader.readuntil(b"\0")
    client.reset()


_Behaviour = Callable[[_Client, Seen, int], Awaitable[None]]

KINDS: dict[str, tuple[_Behaviour, int, float]] = {
    "half-open": (_half_open, 300, _PAUSE_S),
    "never reading": (_never_reading, 50, _PAUSE_S),
    "a byte at a time": (_byte_at_a_time, 100, _PAUSE_S),
    "giant frames": (_giant_frames, 10, _PAUSE_S),
    "wrong order": (_wrong_order, 20, _PAUSE_S),
    "a storm of connects": (_storm, 50, 0),
}
"""What they do, how many do so at once, and how long each waits before it comes again."""


async def _again_and_again(kind: str, port: int, seen: Seen) -> None:
    behave, count, pause_s = KINDS[kind]
    there = asyncio.Semaphore(0)

    async def one(number: int) -> None:
        is_first = True
        while True:
            with suppress(*_GONE):
                await _once(behave, port, seen, number, there if is_first else None)
            is_first = False
            await asyncio.sleep(pause_s)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))
        for _ in range(count):
            await there.acquire()
        print("at work", flush=True)


async def _once(
    behave: _Behaviour, port: int, seen: Seen, number: int, there: asyncio.Semaphore | None
) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    finally:
        if there is not None:
            there.release()
    seen["connected"] += 1
    try:
        await behave(_Client(reader, writer), seen, number)
    finally:
        writer.close()


async def _main(kind: str, port: int) -> None:
    seen = Seen()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    working = asyncio.create_task(_again_and_again(kind, port, seen))
    await stopped.wait()
    told = {name.replace(" ", "_"): seen[name] for name in ("connected", "let in", "sent away")}
    print(json.dumps(told), flush=True)
    working.cancel()
    os._exit(0)  # without a word to anybody


if __name__ == "__main__":
    raise_open_files()
    os.nice(_NICENESS)
    uvloop.run(_main(sys.argv[1], int(sys.argv[2])))
