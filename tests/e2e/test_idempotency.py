"""`Idempotency-Key`: a repeated request is one request, and a key stands for no other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.client import Agent, Client
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.platforms import GraphApi
from tests.e2e.program import Running

READ = "/conversations.mark-read"


def key() -> str:
    return f"key-{uuid4()}"


def body(text: str = "Hi", conversation_id: str | None = None) -> dict[str, Any]:
    return {"conversation_id": conversation_id or str(uuid4()), "message": {"text": text}}


MAKES: dict[str, Callable[[], dict[str, Any]]] = {
    "/messages.send": body,
    "/tags.create": lambda: {"name": "urgent", "color": "tag-red"},
    "/templates.create": lambda: {"name": "a", "source": "b", "content": {}},
    "/channels.chatplugin.connect": lambda: {"name": "A website"},
}


@pytest.mark.parametrize("path", MAKES)
def test_the_same_request_is_answered_the_same(path: str, client: Client) -> None:
    once, asked = key(), MAKES[path]()
    first = client.call(path, asked, idempotency_key=once)
    other = client.call(path, asked, idempotency_key=key())

    assert client.call(path, asked, idempotency_key=once) == first
    assert other["id"] != first["id"]


def test_a_message_that_is_sent_twice_is_one_message(agent: Agent, client: Client) -> None:
    agent.receive("m1")
    [conversation] = agent.conversations(1)
    once, asked = key(), body("Hello", conversation["id"])
    for _ in range(2):
        client.call("/messages.send", asked, idempotency_key=once)

    assert len(client.messages(conversation["id"])) == 2


def test_a_key_stands_for_one_target_wherever_that_is(client: Client) -> None:
    once = key()
    client.post(READ, {"conversation_id": str(uuid4())}, idempotency_key=once)
    others = [
        client.post(READ, {"conversation_id": str(uuid4())}, idempotency_key=once).status_code
        for _ in range(20)
    ]

    assert set(others) == {409}


def test_a_key_stands_for_one_body_and_one_endpoint(client: Client) -> None:
    once, target = key(), str(uuid4())
    answers = [
        client.post(path, asked, idempotency_key=once).status_code
        for path, asked in [
            ("/tags.create", {"name": "urgent", "color": "tag-red"}),
            ("/tags.create", {"name": "other", "color": "tag-red"}),
            ("/templates.create", {"name": "urgent", "source": "a", "content": {}}),
            (READ, {"conversation_id": target}),
            ("/tags.create", {"name": "urgent", "color": "tag-red"}),
        ]
    ]

    assert answers == [201, 409, 409, 409, 201]


def test_what_a_platform_says_differently_the_second_time_changes_nothing(
    client: Client, graph_api: GraphApi
) -> None:
    once = key()
    asked = {"page_id": f"page-{uuid4().hex}", "page_token": "a token"}
    first = client.call("/channels.facebook.connect", asked, idempotency_key=once)
    named = graph_api.page
    graph_api.page = named | {"name": "Another name"}
    try:
        second = client.call("/channels.facebook.connect", asked, idempotency_key=once)
    finally:
        graph_api.page = named

    assert second == first


def test_a_request_that_was_refused_may_be_made_again_under_its_key(client: Client) -> None:
    once, asked = key(), {"channel_id": str(uuid4()), "source_recipient_id": "a", "message": {}}
    answers = [
        client.post("/messages.send", asked, idempotency_key=once).status_code for _ in range(2)
    ]

    assert answers == [403, 403]


@pytest.mark.parametrize(("value", "status"), [("k" * 255, 204), ("k" * 256, 400), ("", 400)])
def test_a_key_has_up_to_255_bytes(value: str, status: int, client: Client) -> None:
    target = "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a0001"
    response = client.post(READ, {"conversation_id": target}, idempotency_key=value)

    assert response.status_code == status


def test_reading_takes_no_notice_of_a_key(client: Client) -> None:
    once = key()
    statuses = [
        client.post("/tags.list", idempotency_key=once).status_code,
        client.post("/channels.list", idempotency_key=once).status_code,
    ]

    assert statuses == [200, 200]


def test_visitors_do_not_share_their_keys(client: Client) -> None:
    website = client.connect_website()
    bearers = []
    for _ in range(2):
        visit = client.call("/chatplugin.authenticate", {"channel_id": website["id"]})
        bearers.append(f"Bearer {visit['token']}")
    sent = [
        client.post(
            "/chatplugin.send", {"message": {"text": each}}, authorization=each, idempotency_key="1"
        ).status_code
        for each in bearers
    ]

    assert sent == [200, 200]


def upload(client: Client, once: str, content: bytes, name: str = "a.bin", **headers: str) -> Any:
    """Upload a file; every form has a boundary of its own."""
    return client.http.post(
        "/media.upload",
        files={"file": (name, content)},
        headers={"idempotency-key": once} | headers,
    )


def outcomes(responses: list[httpx.Response]) -> list[tuple[int, str]]:
    """Return statuses and messages, in a definite order."""
    return sorted((each.status_code, each.json().get("message", "")) for each in responses)


TAKEN = (409, "this idempotency key was used for another request")


def test_a_file_that_is_uploaded_twice_is_answered_the_same(client: Client) -> None:
    once, content = key(), uuid4().bytes
    answers = [upload(client, once, content, name) for name in ("a.bin", "a.bin", "b.bin")]

    assert [each.status_code for each in answers] == [200] * 3
    assert len({each.text for each in answers}) == 1


def test_a_key_stands_for_one_file(client: Client) -> None:
    once, content = key(), uuid4().bytes
    first = upload(client, once, content)
    before = client.http.get(first.json()["media_url"]).content
    others = [
        upload(client, once, content + b"!"),
        upload(client, once, content, "a.txt"),
        client.post("/tags.create", MAKES["/tags.create"](), idempotency_key=once),
    ]

    assert outcomes(others) == [TAKEN] * 3
    assert upload(client, once, content).json() == first.json()
    assert client.http.get(first.json()["media_url"]).content == before == content


@pytest.mark.parametrize(
    ("files", "wanted"), [(1, [(200, "")] * 4), (4, [(200, "")] + [TAKEN] * 3)]
)
def test_of_files_that_are_uploaded_at_once_one_has_the_key(
    files: int, wanted: list[tuple[int, str]], client: Client
) -> None:
    once, content = key(), uuid4().bytes
    contents = [content + bytes([index % files]) for index in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: upload(client, once, each), contents))

    assert outcomes(answers) == wanted


def test_a_file_with_too_long_a_key_is_refused(client: Client) -> None:
    refused = upload(client, "k" * 256, b"hello")

    assert outcomes([refused]) == [(400, "Idempotency-Key: 1 to 255 bytes")]


def test_a_large_file_with_a_key_is_answered_the_same(client: Client) -> None:
    once, content = key(), uuid4().bytes * (3 << 16)

    assert upload(client, once, content).json() == upload(client, once, content).json()


def test_visitors_do_not_share_the_keys_of_their_files(guarded: Running) -> None:
    with Client(guarded.url) as client:
        website = client.call(
            "/channels.chatplugin.connect", {"name": "Shop"}, authorization=SYSTEM_TOKEN
        )
        tokens = [
            client.call("/chatplugin.authenticate", {"channel_id": website["id"]})["token"]
            for _ in range(2)
        ]
        answers = [
            upload(client, "1", content, authorization=f"Bearer {token}")
            for token, content in ((tokens[0], b"one"), (tokens[1], b"two"), (tokens[1], b"one"))
        ]

    assert [each.status_code for each in answers] == [200, 200, 409]
