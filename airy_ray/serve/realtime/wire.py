"""Writing to a WebSocket what is framed already: the same bytes to everybody who gets them.

ASGI's `send` frames each message anew for each client, 20 µs of work where writing takes 3. So
messages go straight to the transport beneath uvicorn, which does all else: the handshake, what the
client sends, pings, the closing. Serve hands us uvicorn's own `receive` where HAProxy tells it not
to watch for clients that leave (`serve/haproxy.py`), and there the transport is found.
"""

import random
from functools import partial
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from airy_ray.serve.http import Receive

_TEXT = 0x81
_SHORT, _MEDIUM = 126, 1 << 16
_RESTART = 1012
_LINGER_S = 5.0


def framed(message: bytes) -> bytes:
    """Return a text message as a server writes it on a WebSocket without extensions (RFC 6455)."""
    length = len(message)
    if length < _SHORT:
        head = bytes((_TEXT, length))
    elif length < _MEDIUM:
        head = bytes((_TEXT, 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((_TEXT, 127)) + length.to_bytes(8, "big")
    return head + message


class Wire:
    """The transport of one accepted WebSocket."""

    __slots__ = ("_protocol", "_transport")

    def __init__(self, receive: Receive, *, message_bytes_max: int, drain_s: float) -> None:
        protocol = getattr(receive, "__self__", None)
        if not isinstance(protocol, WebSocketsSansIOProtocol):
            raise RuntimeError("WebSockets have to be uvicorn's own")
        protocol.conn.max_message_size = message_bytes_max
        self._protocol = protocol
        self._transport = cast(Any, protocol.transport)
        # uvicorn would close all at once, and all would come back at once
        protocol.shutdown = partial(self._leave_later, drain_s)  # type: ignore[method-assign]

    def write(self, framed_messages: bytes) -> None:
        """Write framed messages; they wait in memory where the client does not read."""
        if not self.is_closed:
            self._transport.write(framed_messages)

    @property
    def waiting_bytes(self) -> int:
        """How much is written and not yet sent."""
        return int(self._transport.get_write_buffer_size())

    @property
    def is_closed(self) -> bool:
        """Whether nobody reads any more."""
        return bool(self._protocol.close_sent or self._transport.is_closing())

    async def drained(self) -> None:
        """Wait until most of what was written is sent, or the client is gone."""
        await self._protocol.writable.wait()

    def close(self, code: int, reason: str, *, is_heard: bool = True) -> None:
        """Say that this ends; cut it off where the client has not answered after a while.

        Who is not heard any more may send what they like: it is not read.
        """
        if self.is_closed:
            return
        protocol = self._protocol
        protocol.conn.send_close(code, reason)
        self._transport.write(b"".join(protocol.conn.data_to_send()))
        protocol.close_sent = True
        protocol.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if not is_heard:
            protocol.read_paused = True
            self._transport.pause_reading()
            self._transport.write_eof()  # they need not wait for us to see their answer
        elif protocol.read_paused:
            protocol.read_paused = False
            self._transport.resume_reading()
        protocol.close_timer = protocol.loop.call_later(_LINGER_S, self._transport.abort)

    def let_go(self) -> None:
        """Leave the transport to uvicorn alone."""
        del self._protocol.shutdown

    def _leave_later(self, within_s: float) -> None:
        wait_s = random.uniform(0, within_s)  # noqa: S311 - nobody gains by guessing it
        self._protocol.loop.call_later(wait_s, self.close, _RESTART, "reconnect")
