"""A server takes a client's frames in their order, and says what is wrong with others."""

import pytest

from airy_ray.errors import ProtocolError
from airy_ray.stomp.frame import Frame
from airy_ray.stomp.negotiation import HeartBeats
from airy_ray.stomp.reader import Bounds
from airy_ray.stomp.session import ServerSession, subscription_id

OURS = HeartBeats(30_000, 30_000)
CONNECT = b"CONNECT\naccept-version:1.2,1.1,1.0\nheart-beat:10000,10000\n\n\0"
CONNECT_1_0 = b"CONNECT\n\n\0"


def session(connect: bytes | None = CONNECT) -> ServerSession:
    made = ServerSession(Bounds())
    if connect is not None:
        for frame in made.frames(connect):
            made.connect(frame, OURS)
    return made


def test_what_is_settled_holds_from_the_next_frame_on_even_in_one_piece() -> None:
    begun = ServerSession(Bounds())
    frames = []
    for frame in begun.frames(CONNECT_1_0 + b"SUBSCRIBE\ndestination: /a\\b\n\n\0"):
        frames.append(frame)
        if frame.command == "CONNECT":
            begun.connect(frame, OURS)

    assert begun.version == "1.0"
    assert frames[1].headers["destination"] == "/a\\b"


def test_the_slower_beats_are_settled() -> None:
    assert session().beats == (30_000, 30_000)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(CONNECT, "already connected", id="twice"),
        pytest.param(b"MESSAGE\n\n\0", "MESSAGE is for servers", id="of a server"),
        pytest.param(b"SUBSCRIBE\nid:1\n\n\0", "needs the header destination", id="to nothing"),
        pytest.param(b"SUBSCRIBE\ndestination:/a\n\n\0", "needs the header id", id="no id"),
        pytest.param(b"UNSUBSCRIBE\ndestination:/a\n\n\0", "needs the header id", id="from what"),
        pytest.param(b"SEND\n\n\0", "needs the header destination", id="sent nowhere"),
        pytest.param(b"GET / HTTP/1.1\n\n\0", "no such command", id="no STOMP"),
    ],
)
def test_what_may_not_be_sent_is_refused(sent: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        list(session().frames(sent))


@pytest.mark.parametrize("sent", [b"SUBSCRIBE\nid:1\ndestination:/a\n\n\0", b"DISCONNECT\n\n\0"])
def test_nothing_comes_before_connect(sent: bytes) -> None:
    with pytest.raises(ProtocolError, match="CONNECT comes first"):
        list(session(None).frames(sent))


def test_in_the_oldest_version_a_subscription_goes_by_its_destination() -> None:
    (frame,) = session(CONNECT_1_0).frames(b"SUBSCRIBE\ndestination:/a\n\n\0")

    assert subscription_id(frame) == "/a"


def test_a_receipt_is_given_to_who_asks_for_one() -> None:
    asked = Frame("SUBSCRIBE", {"receipt": "a:b"})

    assert (
        session().receipt(asked, positions="x") == b"RECEIPT\nreceipt-id:a\\cb\npositions:x\n\n\0"
    )
    assert session().receipt(Frame("SUBSCRIBE")) is None


def test_an_error_has_a_message_and_names_the_receipt() -> None:
    told = session().error("401 no", Frame("SEND", {"receipt": "7"}))

    assert told.startswith(b"ERROR\nmessage:401 no\n")
    assert b"\nreceipt-id:7\n" in told
