"""Content in which copies stand for files that their platform forgets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.model.persistent_copies import shown

ORIGINAL = "https://cdn.example.org/a.jpg?oh=1&oe=2=#x"
COPY = "https://chat.example.org/media/1.jpg"


def document(copies: dict[str, str]) -> bytes:
    return json.dumps({f"data_{original}": copy for original, copy in copies.items()}).encode()


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(ORIGINAL, id="plain"),
        pytest.param(ORIGINAL.replace("/", "\\/"), id="slashes"),
        pytest.param(ORIGINAL.replace("&", "\\u0026").replace("=", "\\u003D"), id="escapes"),
        pytest.param("".join(f"\\u{ord(each):04x}" for each in ORIGINAL), id="all of it"),
    ],
)
def test_an_address_is_found_however_it_is_spelled(spelling: str) -> None:
    content = f'{{"url":"{spelling}","n":12345678901234567890,"t":"\\u00e9"}}'.encode()

    assert shown(content, document({ORIGINAL: COPY})) == (
        f'{{"url":"{COPY}","n":12345678901234567890,"t":"\\u00e9"}}'.encode()
    )


def test_an_address_within_a_text_is_found_every_time() -> None:
    content = json.dumps(f"{ORIGINAL} and {ORIGINAL}").encode()

    assert json.loads(shown(content, document({ORIGINAL: COPY}))) == f"{COPY} and {COPY}"


def test_of_two_addresses_that_begin_alike_the_longer_one_is_meant() -> None:
    copies = {"http://a/1": "x", "http://a/12": "y"}

    assert shown(b'["http://a/12","http://a/1"]', document(copies)) == b'["y","x"]'


def test_an_address_in_that_of_a_copy_stays() -> None:
    copies = {"http://a/1": "http://proxy/?of=http://a/2", "http://a/2": "z"}

    assert shown(b'["http://a/1"]', document(copies)) == b'["http://proxy/?of=http://a/2"]'


def test_a_backslash_before_an_escape_keeps_its_meaning() -> None:
    content = rb'["http://a/?b\\u0026c","http://a/?b\u0026c"]'

    assert shown(content, document({"http://a/?b&c": "x"})) == rb'["http://a/?b\\u0026c","x"]'


def test_a_lone_half_of_a_character_stays() -> None:
    content = rb'["\ud83d http://a/1"]'

    assert shown(content, document({"http://a/1": "x"})) == rb'["\ud83d x"]'


@pytest.mark.parametrize(
    "metadata",
    [
        b"{}",
        b'{"source":{"id":"m1"}}',
        b'{"data_1234":"https://chat.example.org/media/1.jpg"}',
        b'{"data_http://a/1":7.0}',
        b'{"user_data":{"data_http://a/1":"x"}}',
        b'{"note":"data_http://a/1"}',
    ],
)
def test_without_a_copy_content_stays(metadata: bytes) -> None:
    content = b'{"url":"http://a/1","id":"1234"}'

    assert shown(content, metadata) == content


@given(
    value=st.recursive(
        st.text() | st.integers() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_content_without_the_address_is_the_same_bytes(value: object) -> None:
    content = json.dumps(value, separators=(",", ":")).encode()

    assert shown(content, document({ORIGINAL: COPY})) == content
