"""`chatplugin.*`: visitors of a website (contract: platform API §12)."""

import json
import time
from typing import Any
from uuid import UUID

import pytest

from tests.e2e.client import Client, Visitor


@pytest.fixture
def website(client: Client) -> Any:
    """Return a website that nobody has visited."""
    return client.connect_website()


def test_a_visitor_begins_with_a_token_and_no_messages(client: Client, website: Any) -> None:
    told = client.call("/chatplugin.authenticate", {"channel_id": website["id"]})

    assert list(told) == ["token", "messages"]
    assert told["token"].count(".") == 2
    assert told["messages"] == []


def test_a_conversation_begins_with_the_first_message(client: Client, website: Any) -> None:
    visitor = Visitor(client, website)
    before = client.conversations(website["id"])
    sent = visitor.send({"text": "Hi"})
    (conversation,) = client.conversations(website["id"])

    assert before == []
    assert conversation["last_message"] == sent | {"metadata": {}}
    assert conversation["metadata"] == {
        "contact": {"display_name": f"Chatplugin {conversation['id'][-5:]}"},
        "unread_count": 1,
    }


def test_what_a_visitor_sends_is_answered_as_it_is_stored(client: Client, website: Any) -> None:
    sent = Visitor(client, website).send({"text": "Hi"})
    (conversation,) = client.conversations(website["id"])

    assert sent == {
        "id": str(UUID(sent["id"])),
        "content": {"text": "Hi"},
        "sent_at": sent["sent_at"],
        "delivery_state": "delivered",
        "from_contact": True,
        "source": "chatplugin",
        "metadata": None,
        "sender": {"id": conversation["id"], "name": None, "avatar_url": None},
    }


def test_a_message_can_be_read_as_soon_as_it_is_answered(client: Client, website: Any) -> None:
    visitor = Visitor(client, website)
    for index in range(20):
        sent = visitor.send({"text": str(index)})
        (conversation,) = client.conversations(website["id"])

        assert conversation["last_message"]["id"] == sent["id"]
        assert len(client.messages(conversation["id"])) == index + 1


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"text": "👩‍💻 ça marche? \x00 \u2028"}, id="any characters"),
        pytest.param("a text", id="text"),
        pytest.param([1, [2.50, {"a": None}]], id="array"),
        pytest.param(False, id="boolean"),
        pytest.param(12345678901234567890123, id="a great number"),
        pytest.param({}, id="nothing, as the plugin sends it"),
        pytest.param({"b": 1, "a": {"d": 1, "c": 2}}, id="keys in their order"),
        pytest.param({"text": "x" * 100_000}, id="long"),
    ],
)
def test_any_json_is_a_message_and_stays_as_it_is(
    message: Any, client: Client, website: Any
) -> None:
    sent = Visitor(client, website).send(message)

    assert json.dumps(sent["content"]) == json.dumps(message)
    assert client.conversations(website["id"])[0]["last_message"]["content"] == message


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"n":1.10,"big":1E400,"s":"\\u00e9\\/"}', id="numbers and escapes"),
        pytest.param(b'{"text":"\\ud83d"}', id="half of a pair"),
    ],
)
def test_the_text_of_a_message_is_not_touched(content: bytes, client: Client, website: Any) -> None:
    visitor = Visitor(client, website)
    body = b'{"message": ' + content + b"}"
    bearer = f"Bearer {visitor.token}"
    response = client.post_bytes("/chatplugin.send", body, authorization=bearer)

    assert response.status_code == 200
    assert b'"content":' + content in response.content


def test_a_visitor_who_comes_back_sees_what_was_said_oldest_first(
    client: Client, website: Any
) -> None:
    visitor = Visitor(client, website)
    sent = [visitor.send({"text": str(index)}) for index in range(3)]
    again = Visitor(client, website, resume_token=visitor.resume_token())

    assert again.shown == sent
    assert again.send({"text": "more"})["sender"] == sent[0]["sender"]


def test_two_visitors_have_two_conversations(client: Client, website: Any) -> None:
    for _ in range(2):
        Visitor(client, website).send({"text": "Hi"})

    assert len(client.conversations(website["id"])) == 2


def test_a_token_may_come_without_its_scheme(client: Client, website: Any) -> None:
    token = Visitor(client, website).token
    sent = client.post("/chatplugin.send", {"message": {"text": "Hi"}}, authorization=token)

    assert sent.status_code == 200


def test_a_token_for_coming_back_is_given_for_an_empty_body(client: Client, website: Any) -> None:
    bearer = f"Bearer {Visitor(client, website).token}"
    response = client.post("/chatplugin.resumeToken", authorization=bearer)

    assert list(response.json()) == ["resume_token"]


def test_a_repeated_send_is_one_message(client: Client, website: Any) -> None:
    visitor = Visitor(client, website)
    bearer = f"Bearer {visitor.token}"
    once, twice = (
        client.call(
            "/chatplugin.send",
            {"message": {"text": "Hi"}},
            authorization=bearer,
            idempotency_key="one",
        )
        for _ in range(2)
    )
    (conversation,) = client.conversations(website["id"])

    assert once == twice
    assert len(client.messages(conversation["id"])) == 1


def test_a_key_used_for_another_message_is_refused(client: Client, website: Any) -> None:
    bearer = f"Bearer {Visitor(client, website).token}"
    headers = {"authorization": bearer, "idempotency_key": "one"}
    client.call("/chatplugin.send", {"message": {"text": "Hi"}}, **headers)
    other = client.post("/chatplugin.send", {"message": {"text": "Ho"}}, **headers)

    assert other.status_code == 409
    assert list(other.json()) == ["message"]


@pytest.mark.parametrize(
    ("path", "authorization", "status"),
    [
        pytest.param("/chatplugin.send", None, 401, id="no token"),
        pytest.param("/chatplugin.send", "Bearer undefined", 401, id="no token at all"),
        pytest.param("/chatplugin.send", "Bearer a.b.c", 401, id="forged"),
        pytest.param("/chatplugin.resumeToken", None, 400, id="no token to come back with"),
        pytest.param("/chatplugin.resumeToken", "Bearer undefined", 401, id="coming back forged"),
    ],
)
def test_who_has_no_token_may_not_write(
    path: str, authorization: str | None, status: int, client: Client
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    response = client.post(path, {"message": {"text": "Hi"}}, **headers)

    assert response.status_code == status


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param({}, 400, id="neither"),
        pytest.param({"channel_id": ""}, 400, id="empty"),
        pytest.param({"channel_id": "no id"}, 400, id="no id"),
        pytest.param({"resume_token": "undefined"}, 401, id="undefined, as the plugin sends it"),
        pytest.param({"channel_id": "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a9999"}, 404, id="nobody's"),
    ],
)
def test_who_names_no_website_is_not_let_in(
    asked: dict[str, str], status: int, client: Client
) -> None:
    assert client.post("/chatplugin.authenticate", asked).status_code == status


def test_a_channel_of_another_source_lets_no_visitor_in(client: Client) -> None:
    agent = client.connect_agent("an agent, not a website")

    response = client.post("/chatplugin.authenticate", {"channel_id": agent["id"]})
    assert response.status_code == 404


def test_a_website_that_is_gone_takes_no_messages(client: Client, website: Any) -> None:
    visitor = Visitor(client, website)
    client.call("/channels.chatplugin.disconnect", {"channel_id": website["id"]})
    bearer = f"Bearer {visitor.token}"
    sent = client.post("/chatplugin.send", {"message": {}}, authorization=bearer)
    begun = client.post("/chatplugin.authenticate", {"channel_id": website["id"]})

    assert (sent.status_code, begun.status_code) == (404, 404)
    assert client.conversations(website["id"]) == []


@pytest.mark.parametrize("body", [{}, {"message": None}, {"text": "Hi"}])
def test_a_message_is_required(body: dict[str, Any], client: Client, website: Any) -> None:
    bearer = f"Bearer {Visitor(client, website).token}"
    response = client.post("/chatplugin.send", body, authorization=bearer)

    assert response.status_code == 400
    assert list(response.json()) == ["message"]


def test_a_message_is_answered_within_milliseconds(client: Client, website: Any) -> None:
    visitor = Visitor(client, website)
    took = []
    for index in range(20):
        began = time.perf_counter()
        visitor.send({"text": str(index)})
        took.append(time.perf_counter() - began)

    assert sorted(took)[10] < 0.25  # by a poll of 50 ms at worst, on a machine that is busy
