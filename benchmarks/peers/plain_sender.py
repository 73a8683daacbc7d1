"""A server that does no work: it writes the same WebSocket frames to everybody, as fast as it can.

What subscribers take in from it is the most that they take in from any server on this machine.

python -m benchmarks.peers.plain_sender <port> <subscribers> <frames in each write>
"""

import asyncio
import base64
import re
import sys
from hashlib import sha1
from typing import cast

import uvloop

from benchmarks.subscribers import marked

_EVENT_BYTES = 500
_WAITING_BYTES = 1 << 18
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def main() -> None:
    """Serve until we are stopped."""
    port, subscribers, frames = map(int, sys.argv[1:])
    uvloop.run(_serve(port, subscribers, frames))


async def _serve(port: int, subscribers: int, frames: int) -> None:
    sender = _Sender(subscribers)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Client(sender), "127.0.0.1", port)
    await sender.send(_event() * frames)


def _event() -> bytes:
    body = marked(0, _EVENT_BYTES).encode()
    head = (
        "MESSAGE\nsubscription:sub-0\nmessage-id:0000000000000000\ndestination:/events\n"
        f"content-type:application/json\ncontent-length:{len(body)}\n\n"
    )
    return _framed(head.encode() + body + b"\0")


def _framed(message: bytes) -> bytes:
    length = len(message)
    size = bytes((length,)) if length < 126 else bytes((126,)) + length.to_bytes(2, "big")
    return b"\x81" + size + message


class _Sender:
    """Writes to all of so many subscribers, once they are there."""

    def __init__(self, subscribers: int) -> None:
        self._missing = subscribers
        self._complete = asyncio.Event()
        self._transports: list[asyncio.Transport] = []

    def add(self, transport: asyncio.Transport) -> None:
        self._transports.append(transport)
        if len(self._transports) == self._missing:
            self._complete.set()

    async def send(self, written: bytes) -> None:
        await self._complete.wait()
        while True:
            for transport in self._transports:
                if transport.is_closing():
                    return  # they have seen enough
                if transport.get_write_buffer_size() < _WAITING_BYTES:
                    transport.write(written)
            await asyncio.sleep(0)


class _Client(asyncio.Protocol):
    """Lets anybody in who goes step by step, as ours do: a handshake, CONNECT, SUBSCRIBE."""

    def __init__(self, sender: _Sender) -> None:
        self._sender = sender
        self._step = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._step += 1
        if self._step == 1:
            self._transport.write(_handshake(data))
        elif self._step == 2:
            self._transport.write(_framed(b"CONNECTED\nversion:1.2\n\n\0"))
        elif self._step == 3:
            self._transport.write(_framed(b"RECEIPT\nreceipt-id:subscribed\n\n\0"))
            self._sender.add(self._transport)


def _handshake(request: bytes) -> bytes:
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
    assert key is not None  # who connects is our own client
    accepted = base64.b64encode(sha1(key[1] + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: v12.stomp\r\nSec-WebSocket-Accept: %b\r\n\r\n" % accepted
    )


if __name__ == "__main__":
    main()
