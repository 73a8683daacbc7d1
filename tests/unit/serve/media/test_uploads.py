"""A file taken out of a form, however that is cut into pieces."""

import asyncio
import io
from hashlib import blake2b
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.cluster.media.upload import HEAD_BYTES, Upload
from airy_ray.errors import AiryError, PayloadError, RequestError
from airy_ray.serve.http import Receive
from airy_ray.serve.media.uploads import check_announced, receive_upload

TYPE = "multipart/form-data; boundary=XbX"


def part(content: bytes, disposition: str = 'form-data; name="file"; filename="a.png"') -> bytes:
    return b"--XbX\r\nContent-Disposition: %b\r\n\r\n%b\r\n" % (disposition.encode(), content)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--XbX--\r\n"


def receiving(*pieces: bytes, leaves: bool = False) -> Receive:
    messages = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]
    if leaves:
        messages.append({"type": "http.disconnect"})
    else:
        messages.append({"type": "http.request", "body": b"", "more_body": False})
    given_out = iter(messages)

    async def receive() -> dict[str, object]:
        return next(given_out)

    return receive


def received(
    *pieces: bytes, content_type: str = TYPE, bytes_max: int = 1 << 20, leaves: bool = False
) -> tuple[Upload, bytes]:
    file = io.BytesIO()
    upload = asyncio.run(
        receive_upload(
            content_type, receiving(*pieces, leaves=leaves), file=file, bytes_max=bytes_max
        )
    )
    return upload, file.getvalue()


def refused(*pieces: bytes, content_type: str = TYPE, leaves: bool = False) -> AiryError:
    with pytest.raises(AiryError) as error:
        received(*pieces, content_type=content_type, bytes_max=100, leaves=leaves)
    return error.value


@given(
    content=st.one_of(st.binary(max_size=300), st.sampled_from([b"--XbX", b"\r\n--Xb", b"\r\n"])),
    cuts=st.lists(st.integers(0, 500), max_size=6),
)
def test_a_file_is_the_same_however_its_form_is_cut(content: bytes, cuts: list[int]) -> None:
    body = form(part(content))
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[start:end] for start, end in pairwise(edges)]
    upload, written = received(*pieces)

    assert written == content
    assert (upload.name, upload.size) == ("a.png", len(content))
    assert upload.digest == blake2b(content, digest_size=16, person=b"media").digest()


def test_only_the_start_of_a_file_is_kept_in_memory() -> None:
    content = bytes(3 << 20)
    upload, written = received(form(part(content)), bytes_max=4 << 20)

    assert len(upload.head) == HEAD_BYTES
    assert len(written) == len(content)


def test_other_parts_and_a_second_file_are_passed_over() -> None:
    other = part(b"x" * 50, 'form-data; name="note"')
    upload, written = received(form(other, part(b"first"), part(b"second"), other))

    assert (written, upload.size) == (b"first", 5)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        pytest.param('form-data; name="file"; filename="a b.PNG"', "a b.PNG", id="a space"),
        pytest.param('form-data; name="file"; filename="é.png"', "é.png", id="not ASCII"),
        pytest.param('form-data; name="file"; filename=""', "", id="empty"),
        pytest.param('form-data; name="file"', "", id="none"),
        pytest.param('form-data; filename="a"; name="file"', "a", id="another order"),
        pytest.param('form-data; name="file"; filename="C:\\x\\a.png"', "a.png", id="a path"),
    ],
)
def test_a_file_is_called_what_its_part_says(disposition: str, name: str) -> None:
    assert received(form(part(b"x", disposition)))[0].name == name


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(form(part(b"x")), "multipart/form-data", id="no boundary"),
        pytest.param(form(part(b"x")), TYPE + "x" * 400, id="a boundary beyond bounds"),
        pytest.param(b"hello", TYPE, id="no form"),
        pytest.param(b"", TYPE, id="nothing"),
        pytest.param(part(b"x"), TYPE, id="no end"),
        pytest.param(b"--XbX--\r\n", TYPE, id="no part"),
        pytest.param(form(part(b"x", 'form-data; name="other"')), TYPE, id="another part"),
        pytest.param(form(part(b"x", "")), TYPE, id="a part without a name"),
        pytest.param(b"--XbX\r\nno header\r\n\r\nx\r\n--XbX--", TYPE, id="a broken header"),
    ],
)
def test_what_is_no_form_with_a_file_is_refused(body: bytes, content_type: str) -> None:
    assert isinstance(refused(body, content_type=content_type), PayloadError)


def test_a_sender_who_leaves_is_refused() -> None:
    assert isinstance(refused(part(b"x"), leaves=True), PayloadError)


@pytest.mark.parametrize("body", [form(part(bytes(101))), form(part(bytes(1 << 17)))])
def test_a_file_that_is_too_large_is_refused(body: bytes) -> None:
    error = refused(body)

    assert isinstance(error, RequestError)
    assert error.status == 413


def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    check_announced("", 100)
    check_announced("200", 100)  # boundaries and headers are not the file
    with pytest.raises(RequestError):
        check_announced("1000000", 100)
