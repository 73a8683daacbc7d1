"""Frames are the same however their bytes are cut; rubbish and size end in our own error."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.errors import ProtocolError
from airy_ray.stomp.frame import Frame, Version, encoded
from airy_ray.stomp.reader import COMMANDS, Bounds, FrameReader

SMALL = Bounds(head_bytes=64, headers=4, body_bytes=32)

texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
names = texts.filter(lambda name: name not in ("", "content-length"))
frames = st.builds(
    Frame,
    st.sampled_from(sorted(COMMANDS - {"CONNECT", "CONNECTED"})),
    st.dictionaries(names, texts, max_size=4),
    st.binary(max_size=60),
)
rubbish = st.lists(
    st.sampled_from(
        [b"SEND\n", b"a:b\n", b"content-length:3\n", b"\n", b"\r\n", b"\0", b"\\", b":"]
    )
    | st.binary(max_size=8),
    max_size=20,
).map(b"".join)


def read(reader: FrameReader, *pieces: bytes) -> list[Frame]:
    found = []
    for piece in pieces:
        reader.feed(piece)
        found += list(reader.frames())
    return found


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def outcome(pieces: list[bytes], bounds: Bounds) -> tuple[list[Frame], bool]:
    reader, found = FrameReader(bounds), list[Frame]()
    try:
        for piece in pieces:
            reader.feed(piece)
            for frame in reader.frames():
                found.append(frame)
    except ProtocolError:
        return found, True
    return found, False


@given(frames)
def test_what_is_written_is_read_again(frame: Frame) -> None:
    assert read(FrameReader(), encoded(frame, "1.2")) == [frame]


@given(st.lists(frames, max_size=4), st.lists(st.integers(0, 2_000), max_size=12))
def test_any_chunking_gives_the_same_frames(sent: list[Frame], places: list[int]) -> None:
    stream = b"\n".join(encoded(frame, "1.2") for frame in sent)

    assert read(FrameReader(), *cut(stream, places)) == sent


@given(rubbish, st.lists(st.integers(0, 200), max_size=12))
def test_rubbish_ends_in_our_own_error_wherever_it_is_cut(stream: bytes, places: list[int]) -> None:
    assert outcome(cut(stream, places), SMALL) == outcome([stream], SMALL)


@given(rubbish)
def test_no_more_is_held_than_the_largest_frame(stream: bytes) -> None:
    reader = FrameReader(SMALL)
    with suppress(ProtocolError):
        for byte in stream:
            read(reader, bytes([byte]))

            assert reader.held_bytes <= SMALL.head_bytes + SMALL.body_bytes + 4


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"HELLO\n\n\0", id="unknown command"),
        pytest.param(b"SEND\nnothing\n\n\0", id="no colon"),
        pytest.param(b"SEND\n:a\n\n\0", id="no name"),
        pytest.param(b"SEND\na:\xff\n\n\0", id="no UTF-8"),
        pytest.param(b"SEND\na:\\t\n\n\0", id="unknown escape"),
        pytest.param(b"SEND\na:\\\n\n\0", id="half an escape"),
        pytest.param(b"SEND\0", id="no end of headers"),
        pytest.param(b"SEND\ncontent-length:-1\n\n\0", id="negative length"),
        pytest.param(b"SEND\ncontent-length:33\n\n", id="a body too long, as told"),
        pytest.param(b"SEND\ncontent-length:" + b"9" * 40 + b"\n\n", id="an endless number"),
        pytest.param(b"SEND\ncontent-length:1\n\nab\0", id="longer than told"),
        pytest.param(b"SEND\n\n" + b"x" * 33, id="a body too long, not told"),
        pytest.param(b"SEND\n" + b"a:b\n" * 5 + b"\n", id="too many headers"),
        pytest.param(b"SEND\na:" + b"x" * 64, id="headers too long"),
    ],
)
def test_what_is_no_stomp_or_too_large_is_refused_and_stays_so(stream: bytes) -> None:
    reader = FrameReader(SMALL)
    with pytest.raises(ProtocolError):
        read(reader, stream)

    with pytest.raises(ProtocolError):
        read(reader, b"SEND\n\n\0")


@pytest.mark.parametrize(
    ("version", "value"),
    [("1.0", "a\\cb"), ("1.1", "a:b"), ("1.2", "a:b")],
)
def test_a_version_settled_by_one_frame_holds_for_the_next(version: Version, value: str) -> None:
    reader = FrameReader()
    reader.feed(b"CONNECT\npasscode:a\\cb\n\n\0\nSEND\nx:a\\cb\n\n\0")
    coming = reader.frames()
    connect = next(coming)
    reader.version = version

    assert (connect.headers, next(coming).headers) == ({"passcode": "a\\cb"}, {"x": value})


def test_of_repeated_headers_the_first_counts() -> None:
    (frame,) = read(FrameReader(), b"SEND\r\nfoo:1\r\nfoo:2\r\n\r\n\0")

    assert frame.headers == {"foo": "1"}
