"""What no client should send to the API: it is refused in words, and hurts nobody."""

from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.conftest import BODY_BYTES_MAX

NOBODY = "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a9999"
TAKING = (
    "/channels.info",
    "/channels.update",
    "/channels.chatplugin.connect",
    "/channels.facebook.connect",
    "/channels.google.connect",
    "/channels.google.disconnect",
    "/chatplugin.authenticate",
    "/conversations.list",
    "/conversations.info",
    "/conversations.mark-read",
    "/messages.list",
)
"""Endpoints that look at what their bodies say."""


@pytest.mark.parametrize("path", TAKING)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="cut off"),
        pytest.param(b"not json", id="no JSON"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"7", id="number"),
        pytest.param(b"{} {}", id="two objects"),
        pytest.param(b'{"name":"\xff\xfe"}', id="not UTF-8"),
        pytest.param(b"\xef\xbb\xbf{", id="a mark of byte order"),
        pytest.param(b"\x00", id="NUL"),
        pytest.param(b'{"channel_id":"\x00"}', id="NUL in text"),
        pytest.param(b'{"a":' * 100_000, id="deep objects"),
        pytest.param(b"[" * 500_000, id="deep arrays"),
        pytest.param(b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep and whole"),
        pytest.param(b" " * 1_000, id="blank"),
        pytest.param(b"{'name': 'a'}", id="single quotes"),
        pytest.param(b'{"name": NaN}', id="no number"),
    ],
)
def test_a_body_that_is_no_object_is_refused_in_words(
    path: str, body: bytes, client: Client
) -> None:
    response = client.post_bytes(path, body)

    assert response.status_code == 400
    assert list(response.json()) == ["message"]
    assert response.json()["message"]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/channels.info", {"channel_id": "no id"}),
        ("/channels.info", {"channel_id": 7}),
        ("/channels.info", {"channel_id": None}),
        ("/channels.info", {"channel_id": ""}),
        ("/channels.info", {"channel_id": [NOBODY]}),
        ("/channels.info", {"channel_id": {"id": NOBODY}}),
        ("/channels.info", {"channel_id": NOBODY + "0"}),
        ("/channels.info", {"channel_id": NOBODY.replace("6", "٦")}),
        ("/channels.info", {"channel_id": "\x00" * 36}),
        ("/channels.info", {"channel_id": "6" * 100_000}),
        ("/channels.list", {"source": []}),
        ("/channels.update", {"channel_id": NOBODY, "name": {}}),
        ("/channels.chatplugin.connect", {"name": ["a"]}),
        ("/channels.chatplugin.connect", {"name": True}),
        ("/chatplugin.authenticate", {"channel_id": NOBODY, "resume_token": {}}),
        ("/conversations.info", {"conversation_id": "ﬀ" * 36}),
        ("/conversations.mark-read", {"conversation_id": "no id"}),
        ("/conversations.list", {"page_size": "many"}),
        ("/conversations.list", {"page_size": 1.5}),
        ("/conversations.list", {"page_size": []}),
        ("/conversations.list", {"cursor": "next"}),
        ("/conversations.list", {"cursor": "1.5"}),
        ("/conversations.list", {"cursor": "1_0"}),
        ("/conversations.list", {"cursor": "9" * 10_000}),
        ("/conversations.list", {"cursor": {}}),
        ("/conversations.list", {"filters": ""}),
        ("/conversations.list", {"filters": "("}),
        ("/conversations.list", {"filters": {}}),
        ("/messages.list", {"conversation_id": NOBODY, "page_size": "many"}),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_in_words(
    path: str, asked: dict[str, Any], client: Client
) -> None:
    response = client.post(path, asked)

    assert response.status_code == 400
    assert list(response.json()) == ["message"]


def test_what_is_wrong_is_named_and_not_repeated(client: Client) -> None:
    asked = {"channel_id": "<script>a secret</script>"}

    assert client.post("/channels.info", asked).json() == {"message": "channel_id: not a UUID"}


@pytest.mark.parametrize("size", [10_000, 10**9, 10**30])
def test_a_gigantic_page_is_cut_to_what_there_is(size: int, client: Client) -> None:
    page = client.call("/conversations.list", {"page_size": size})

    assert len(page["data"]) == min(10_000, page["pagination_data"]["total"])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("a\x00b", id="NUL"),
        pytest.param("\ud83d", id="half of a pair"),
        pytest.param('"\\\b\u2028</script>', id="what has to be escaped"),
        pytest.param("x" * 100_000, id="very long"),
        pytest.param("\u202e\ufdd0\U0010ffff", id="strange characters"),
    ],
)
def test_any_text_can_be_a_name(name: str, client: Client) -> None:
    channel = client.connect_website(name)
    told = client.call("/channels.info", {"channel_id": channel["id"]})

    assert told["metadata"]["name"] == told["source_channel_id"] == name


@pytest.mark.parametrize("name", [7, 1.5, -3])
def test_a_number_is_taken_for_a_text(name: float, client: Client) -> None:
    channel = client.call("/channels.chatplugin.connect", {"name": name})

    assert channel["metadata"]["name"] == str(name)


def test_an_id_may_be_in_capitals(client: Client) -> None:
    website = client.connect_website()

    assert client.call("/channels.info", {"channel_id": website["id"].upper()}) == website


def test_a_body_over_the_bound_is_too_large(client: Client) -> None:
    largest = b'{"source":"' + b"x" * (BODY_BYTES_MAX - 13) + b'"}'

    assert client.post_bytes("/channels.list", largest).status_code == 200
    response = client.post_bytes("/channels.list", largest + b" ")
    assert response.status_code == 413
    assert list(response.json()) == ["message"]
