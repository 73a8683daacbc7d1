"""Somebody on a WebSocket who speaks STOMP, frame by frame."""

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from airy_ray.stomp.frame import Frame, encoded
from airy_ray.stomp.reader import Bounds, FrameReader

_WAIT_S = 20.0
_QUIET_S = 0.5


class StompClient:
    """One connection, which has said CONNECT."""

    def __init__(
        self,
        url: str,
        path: str = "/ws.communication",
        *,
        upgrade: Mapping[str, str] | None = None,
        **headers: str,
    ) -> None:
        address = url.replace("http://", "ws://") + path
        self._open = ExitStack()
        self.socket: ClientConnection = self._open.enter_context(
            connect(address, additional_headers=dict(upgrade or {}), max_size=None)
        )
        self._reader = FrameReader(Bounds(head_bytes=1 << 20, body_bytes=1 << 24))
        self._frames: list[Frame] = []
        self.send("CONNECT", {"accept-version": "1.2"} | headers)
        self.connected = self.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def send(self, command: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Send a frame."""
        self.socket.send(encoded(Frame(command, headers, body), "1.2"))

    def receive(self, wait_s: float = _WAIT_S) -> Frame:
        """Return the next frame."""
        while not self._frames:
            said = self.socket.recv(wait_s)
            self._reader.feed(said.encode() if isinstance(said, str) else said)
            self._frames += self._reader.frames()
        return self._frames.pop(0)

    def subscribe(self, destination: str, name: str = "sub-0", **headers: str) -> Frame:
        """Subscribe, and return the receipt; what comes before it can be received after it."""
        asked = {"id": name, "destination": destination, "receipt": f"r-{name}"}
        told = {key.replace("_", "-"): value for key, value in headers.items()}
        self.send("SUBSCRIBE", asked | told)
        before = []
        while (frame := self.receive()).command == "MESSAGE":
            before.append(frame)
        self._frames = before + self._frames
        assert frame.command == "RECEIPT", frame
        return frame

    def event(self, wait_s: float = _WAIT_S) -> Any:
        """Return the next event."""
        frame = self.receive(wait_s)
        assert frame.command == "MESSAGE", frame
        return json.loads(frame.body)

    def is_quiet(self) -> bool:
        """Whether nothing happens for a while; how far it is may be told."""
        until = time.monotonic() + _QUIET_S
        while (left := until - time.monotonic()) > 0:
            try:
                heard = self.receive(left)
            except TimeoutError:
                break
            if heard.headers.get("destination") != "/positions":
                print(f"heard {heard}")  # a test that fails shows it
                return False
        return True

    def is_closed(self) -> bool:
        """Whether the next thing that the server does is to close."""
        try:
            self.receive()
        except ConnectionClosed:
            return True
        return False
