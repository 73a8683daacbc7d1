"""What a server checks of one client's frames: their order, and that each has what it needs.

`BEGIN`, `COMMIT`, `ABORT`, `ACK` and `NACK` are let through for their receipts: nothing is
acknowledged one by one here, for a client that wants no gap says from where it goes on.
"""

from collections.abc import Iterator

from airy_ray.errors import ProtocolError
from airy_ray.stomp.frame import Frame, Version, encoded
from airy_ray.stomp.negotiation import HeartBeats, settled_beats, settled_version, told_beats
from airy_ray.stomp.reader import Bounds, FrameReader

_CONNECTING = ("CONNECT", "STOMP")
_NEEDS = {
    "SEND": ("destination",),
    "SUBSCRIBE": ("destination", "id"),
    "UNSUBSCRIBE": ("id",),
    "DISCONNECT": (),
    "BEGIN": ("transaction",),
    "COMMIT": ("transaction",),
    "ABORT": ("transaction",),
    "ACK": (),
    "NACK": (),
}
_UNNAMED = ("SUBSCRIBE", "UNSUBSCRIBE")
"""In version 1.0 these can go by their destination alone."""


class ServerSession:
    """One client's side of a STOMP connection, as its server follows it.

    Attributes:
        is_connected: whether its CONNECT has come.
        beats: how often we beat and how often the client is to be heard; milliseconds, 0 for never.
    """

    __slots__ = ("_reader", "beats", "is_connected")

    def __init__(self, bounds: Bounds) -> None:
        self._reader = FrameReader(bounds)
        self.is_connected = False
        self.beats = HeartBeats(0, 0)

    @property
    def version(self) -> Version:
        """What both speak; until that is settled, what an error is written in."""
        return self._reader.version

    def frames(self, piece: bytes) -> Iterator[Frame]:
        """Yield the client's frames; carry out each before the next is asked for.

        Raises:
            ProtocolError: it may not send that, or not now; the connection is to be closed.
        """
        self._reader.feed(piece)
        for frame in self._reader.frames():
            self._check(frame)
            yield frame

    def connect(self, frame: Frame, ours: HeartBeats) -> None:
        """Settle version and heart-beats by the client's first frame.

        Raises:
            ProtocolError: we have no version in common, or it says no heart-beats.
        """
        version = settled_version(frame.headers.get("accept-version"))
        self.beats = settled_beats(ours, told_beats(frame.headers.get("heart-beat")))
        self._reader.version = version
        self.is_connected = True

    def written(self, frame: Frame) -> bytes:
        """Return a frame for this client."""
        return encoded(frame, self.version)

    def receipt(self, asked: Frame, **headers: str) -> bytes | None:
        """Return the receipt that a frame asks for, if it asks for one."""
        wanted = asked.headers.get("receipt")
        if wanted is None:
            return None
        return self.written(Frame("RECEIPT", {"receipt-id": wanted, **headers}))

    def error(self, reason: str, asked: Frame | None = None) -> bytes:
        """Return the frame before a connection is closed; it always has a `message`."""
        headers = {"message": reason, "content-type": "text/plain"}
        if asked is not None and "receipt" in asked.headers:
            headers["receipt-id"] = asked.headers["receipt"]
        return self.written(Frame("ERROR", headers, reason.encode()))

    def _check(self, frame: Frame) -> None:
        if frame.command in _CONNECTING:
            if self.is_connected:
                raise ProtocolError("already connected")
            return
        if frame.command not in _NEEDS:
            raise ProtocolError(f"{frame.command} is for servers")
        if not self.is_connected:
            raise ProtocolError("CONNECT comes first")
        for name in _NEEDS[frame.command]:
            if not frame.headers.get(name) and not self._may_lack(frame, name):
                raise ProtocolError(f"{frame.command} needs the header {name}")

    def _may_lack(self, frame: Frame, name: str) -> bool:
        is_unnamed = self.version == "1.0" and frame.command in _UNNAMED and name == "id"
        return is_unnamed and bool(frame.headers.get("destination"))


def subscription_id(frame: Frame) -> str:
    """Return what a SUBSCRIBE or UNSUBSCRIBE calls its subscription."""
    return frame.headers.get("id") or frame.headers["destination"]
