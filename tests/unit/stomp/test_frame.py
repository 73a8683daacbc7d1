"""How frames are written in each version."""

import pytest

from airy_ray.errors import ProtocolError
from airy_ray.stomp.frame import Frame, Version, encoded


@pytest.mark.parametrize(
    ("version", "command", "expected"),
    [
        pytest.param("1.0", "MESSAGE", b"MESSAGE\nx:a:\\b\n\n\0", id="1.0 escapes nothing"),
        pytest.param("1.1", "MESSAGE", b"MESSAGE\nx:a\\c\\\\b\n\n\0", id="1.1 escapes"),
        pytest.param("1.2", "CONNECTED", b"CONNECTED\nx:a:\\b\n\n\0", id="CONNECTED never does"),
    ],
)
def test_headers_are_escaped_as_their_version_has_it(
    version: Version, command: str, expected: bytes
) -> None:
    assert encoded(Frame(command, {"x": "a:\\b"}), version) == expected


def test_a_body_goes_with_its_length_in_bytes() -> None:
    frame = Frame("MESSAGE", {"content-length": "7"}, "ü\0".encode())

    assert encoded(frame, "1.2") == b"MESSAGE\ncontent-length:3\n\n\xc3\xbc\0\0"


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        pytest.param("1.0", {"x": "a\nb:c"}, id="a line of its own"),
        pytest.param("1.0", {"x:y": "a"}, id="a colon in a name"),
        pytest.param("1.1", {"x": "a\r"}, id="a carriage return before 1.2"),
        pytest.param("1.2", {"x": "a\0"}, id="the end of a frame"),
        pytest.param("1.2", {"": "a"}, id="no name"),
    ],
)
def test_what_a_version_cannot_write_is_refused(version: Version, headers: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        encoded(Frame("MESSAGE", headers), version)
