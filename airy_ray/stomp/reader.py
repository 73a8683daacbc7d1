"""Frames out of bytes, however these are cut into pieces, within bounds.

1. A frame is read when it is asked for, not when its bytes come: the version that CONNECT settles
   holds from the next frame on, also for one that came in the same piece.
2. Line ends between frames are heart-beats: any byte is a sign of life, so they need no event.
3. Each byte is looked at once or twice, however small the pieces are.
4. After an error the reader stays broken: nothing says where the next frame would begin.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from airy_ray.errors import ProtocolError
from airy_ray.stomp.frame import UNESCAPED, Frame, Version, unescaped

COMMANDS = frozenset(
    [
        "CONNECT",
        "STOMP",
        "SEND",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "BEGIN",
        "COMMIT",
        "ABORT",
        "ACK",
        "NACK",
        "DISCONNECT",
        "CONNECTED",
        "MESSAGE",
        "RECEIPT",
        "ERROR",
    ]
)
_HEAD_END = re.compile(rb"\n\r?\n")
_HEAD_END_BYTES = 3
_LENGTH = "content-length"


@dataclass(frozen=True)
class Bounds:
    """The largest frame that is taken.

    Attributes:
        head_bytes: command and headers.
        headers: how many of them.
    """

    head_bytes: int = 8_192
    headers: int = 64
    body_bytes: int = 65_536


class FrameReader:
    """Reads the frames that one peer sends.

    Attributes:
        version: how headers are read; the caller sets it once it is settled.
    """

    def __init__(self, bounds: Bounds = Bounds()) -> None:
        self.version: Version = "1.2"
        self._bounds = bounds
        self._buffer = bytearray()
        self._searched = 0
        self._head: tuple[Frame, int, int | None] | None = None
        self._failure: ProtocolError | None = None

    @property
    def held_bytes(self) -> int:
        """How much waits: less than the largest frame and one piece, if frames are asked for."""
        return len(self._buffer)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; ask for `frames` before more."""
        self._buffer += piece

    def frames(self) -> Iterator[Frame]:
        """Yield the frames that are complete, one when it is asked for.

        Raises:
            ProtocolError: what came is no STOMP, or too large; it stays so.
        """
        if self._failure is not None:
            raise self._failure
        try:
            while (frame := self._next()) is not None:
                yield frame
        except ProtocolError as error:
            self._failure = error
            self._buffer.clear()
            raise

    def _next(self) -> Frame | None:
        if self._head is None:
            self._head = self._read_head()
            if self._head is None:
                return None
        frame, start, length = self._head
        end = self._body_end(start, length)
        if end is None:
            return None
        body = bytes(self._buffer[start:end])
        del self._buffer[: end + 1]
        self._head, self._searched = None, 0
        return Frame(frame.command, frame.headers, body)

    def _read_head(self) -> tuple[Frame, int, int | None] | None:
        """Return command and headers, where the body begins, and its length if it is told."""
        if not self._searched:
            self._skip_line_ends()
        found = _HEAD_END.search(self._buffer, max(0, self._searched - _HEAD_END_BYTES))
        end = len(self._buffer) if found is None else found.start()
        if end > self._bounds.head_bytes:
            raise ProtocolError(f"the headers are larger than {self._bounds.head_bytes} bytes")
        if self._buffer.find(b"\0", max(0, self._searched - _HEAD_END_BYTES), end) >= 0:
            raise ProtocolError("a frame ends within its headers")
        self._searched = len(self._buffer)
        if found is None:
            return None
        frame, length = self._parsed(bytes(self._buffer[:end]))
        self._searched = found.end()
        return frame, found.end(), length

    def _skip_line_ends(self) -> None:
        count = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
        del self._buffer[:count]

    def _body_end(self, start: int, length: int | None) -> int | None:
        """Return where the body ends, if all of it is here."""
        if length is None:
            end = self._buffer.find(b"\0", self._searched)
            self._searched = len(self._buffer)
            size = (len(self._buffer) if end < 0 else end) - start
            if size > self._bounds.body_bytes:
                raise ProtocolError(f"the body is larger than {self._bounds.body_bytes} bytes")
            return None if end < 0 else end
        end = start + length
        if len(self._buffer) <= end:
            return None
        if self._buffer[end] != 0:
            raise ProtocolError("the body is longer than its content-length")
        return end

    def _parsed(self, head: bytes) -> tuple[Frame, int | None]:
        try:
            command, *lines = head.decode().split("\n")
        except UnicodeDecodeError:
            raise ProtocolError("the headers are not UTF-8") from None
        command = command.removesuffix("\r")
        if command not in COMMANDS:
            raise ProtocolError("there is no such command")
        if len(lines) > self._bounds.headers:
            raise ProtocolError(f"there are more than {self._bounds.headers} headers")
        headers: dict[str, str] = {}
        for line in lines:
            name, value = self._header(command, line)
            headers.setdefault(name, value)
        length = self._length(headers.pop(_LENGTH, None))
        return Frame(command, headers), length

    def _header(self, command: str, line: str) -> tuple[str, str]:
        name, colon, value = line.removesuffix("\r").partition(":")
        if not colon or not name:
            raise ProtocolError("a header has no name or no colon")
        if command in UNESCAPED:
            return name, value
        if self.version == "1.0":
            return name.strip(), value.strip()  # its examples have spaces after the colon
        return unescaped(name, self.version), unescaped(value, self.version)

    def _length(self, told: str | None) -> int | None:
        if told is None:
            return None
        digits = told.strip().lstrip("0") or "0"
        if not told.strip().isascii() or not told.strip().isdecimal():
            raise ProtocolError("content-length is no number")
        if len(digits) > len(str(self._bounds.body_bytes)) or int(digits) > self._bounds.body_bytes:
            raise ProtocolError(f"the body is larger than {self._bounds.body_bytes} bytes")
        return int(digits)
