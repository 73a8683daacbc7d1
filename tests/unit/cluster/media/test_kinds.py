"""What a file is, and whether a browser may open it as a page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.cluster.media.kinds import UNKNOWN, extension, is_shown, kind_of
from airy_ray.cluster.media.store import NAME

PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
ZIP = b"PK\x03\x04" + bytes(50)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50)
OFFICE = "application/vnd.openxmlformats-officedocument."
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        pytest.param(PNG, "a.png", "image/png", id="what it says"),
        pytest.param(PNG, "a", "image/png", id="no extension"),
        pytest.param(PNG, "a.txt", "image/png", id="the bytes over the name"),
        pytest.param(b"\xff\xd8\xff\xe0\x00\x10JFIF", "a.jpg", "image/jpeg", id="jpeg"),
        pytest.param(b"ID3\x03" + bytes(50), "a.mp3", "audio/mpeg", id="mp3"),
        pytest.param(b"\0\0\0\x18ftypmp42" + bytes(50), "a.mp4", "video/mp4", id="mp4"),
        pytest.param(b"%PDF-1.4 abc", "a", "application/pdf", id="pdf"),
        pytest.param(ZIP, "a.xlsx", f"{OFFICE}spreadsheetml.sheet", id="one of those in a ZIP"),
        pytest.param(OLE, "a.xls", "application/vnd.ms-excel", id="one of the old ones"),
        pytest.param(b"OggS" + bytes(50), "a.ogg", "audio/ogg", id="sound in a container"),
        pytest.param(b"#!AMR\n", "a.amr", "audio/amr", id="amr"),
        pytest.param(b"hello", "a.txt", "text/plain", id="the name, for what has no mark"),
        pytest.param(b"BM, a car", "a.txt", "text/plain", id="two bytes prove nothing"),
        pytest.param(b"", "a.png", "image/png", id="nothing in it"),
        pytest.param(b"hello", "a", UNKNOWN, id="neither"),
        pytest.param(SVG, "a.svg", "image/svg+xml", id="svg"),
        pytest.param(HTML, "a.html", UNKNOWN, id="html"),
        pytest.param(HTML, "a.png", UNKNOWN, id="html called a picture"),
        pytest.param(b"hello", "a.html", UNKNOWN, id="text called html"),
        pytest.param(b"hello", "a.js", UNKNOWN, id="a script"),
        pytest.param(b'<?xml version="1.0"?><a/>', "a.xml", UNKNOWN, id="xml"),
    ],
)
def test_the_kind_of_a_file(head: bytes, name: str, kind: str) -> None:
    assert kind_of(head, name) == kind


@given(head=st.binary(max_size=64), name=st.text(max_size=12))
def test_whatever_it_is_no_file_opens_as_html(head: bytes, name: str) -> None:
    kind = kind_of(head, name)

    assert "html" not in kind
    assert "\n" not in kind


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("image/png", True),
        ("video/mp4", True),
        ("audio/ogg", True),
        ("application/pdf", True),
        ("image/svg+xml", False),
        ("text/html", False),
        ("text/plain", False),
        (UNKNOWN, False),
    ],
)
def test_only_pictures_sound_films_and_pdf_open_as_pages(kind: str, shown: bool) -> None:
    assert is_shown(kind) is shown


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("a.png", ".png"),
        ("A.JPG", ".JPG"),
        ("a.tar.gz", ".gz"),
        ("a", ""),
        ("a.", ""),
        (".png", ".png"),
        ("a.b/c", ""),
        ("../../etc.d/x", ""),
        ("a.pn\u0000g", ""),
        ("a.é", ""),
        ("a.png\n", ""),
        ("a." + "x" * 17, ""),
    ],
)
def test_the_extension_is_what_follows_the_last_dot(name: str, end: str) -> None:
    assert extension(name) == end


@given(name=st.text())
def test_whatever_a_file_is_called_it_is_stored_under_a_plain_name(name: str) -> None:
    assert NAME.fullmatch("01234567-89ab-8def-8123-456789abcdef" + extension(name))
