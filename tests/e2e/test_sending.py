"""Messages written, things described, tags and templates (contract: §7.1 to §7.5, appendix A)."""

from threading import Event
from typing import Any
from uuid import uuid4

import pytest

from airy_ray.model.ids import ChannelId, conversation_id, format_id, parse_id
from tests.e2e.client import Agent, Client, Visitor
from tests.e2e.platforms import Answer, GraphApi
from tests.e2e.program import until

TEXT = '{"text":"Thanks!","n":1.50,"big":12345678901234567890}'


@pytest.fixture
def conversation(client: Client) -> Any:
    """Return the conversation of a visitor who has said hello on a website of their own."""
    website = client.connect_website()
    Visitor(client, website).send({"text": "Hi"})
    [conversation] = client.conversations(website["id"])
    return conversation


def test_an_answer_reaches_the_visitor(client: Client) -> None:
    website = client.connect_website()
    visitor = Visitor(client, website)
    visitor.send({"text": "Hi"})
    [conversation] = client.conversations(website["id"])
    asked = {"conversation_id": conversation["id"], "message": {"text": "Hello"}}
    sent = client.call("/messages.send", asked)
    answered, question = client.messages(conversation["id"])
    seen = Visitor(client, website, resume_token=visitor.resume_token()).shown

    assert sent == answered | {"delivery_state": "pending"}
    assert (answered["delivery_state"], answered["from_contact"]) == ("delivered", False)
    assert answered["sender"]["id"] == "airy-core-anonymous"
    assert question["content"] == {"text": "Hi"}
    assert [each["content"]["text"] for each in seen] == ["Hi", "Hello"]


def test_a_message_is_kept_byte_for_byte(client: Client, agent: Agent) -> None:
    agent.receive("m1")
    conversation = agent.conversations(1)[0]["id"]
    body = f'{{"conversation_id":"{conversation}","message": {TEXT} }}'
    sent = client.post_bytes("/messages.send", body.encode())

    assert sent.status_code == 200
    assert f'"content":{TEXT},' in sent.text
    assert (
        f'"content":{TEXT},'
        in client.post("/messages.list", {"conversation_id": conversation}).text
    )


def test_a_message_to_a_source_is_pending_until_that_has_taken_it(
    client: Client, agent: Agent, graph_api: GraphApi
) -> None:
    agent.receive("m1")
    conversation = agent.conversations(1)[0]["id"]
    let_go = Event()
    graph_api.answers["Held"].append(Answer(200, b"{}", held_until=let_go))
    asked = {"conversation_id": conversation, "message": {"text": "Held"}}
    sent = client.call("/messages.send", asked)
    until(lambda: any(each.text == "Held" for each in graph_api.sent))

    assert client.messages(conversation)[0] == sent
    assert client.post("/messages.resend", {"message_id": sent["id"]}).status_code == 409
    let_go.set()
    until(lambda: client.messages(conversation)[0]["delivery_state"] == "delivered")


def test_a_conversation_is_begun_by_us(client: Client, agent: Agent) -> None:
    asked = {
        "channel_id": agent.channel["id"],
        "source_recipient_id": "ada",
        "message": {"text": "Hello"},
    }
    sent = client.call("/messages.send", asked)
    [begun] = agent.conversations(1)
    until(lambda: client.messages(begun["id"])[0]["delivery_state"] == "failed")
    agent.receive("m1", contact="ada", sent_at="2100-01-01T00:00:00.000Z")
    messages = agent.messages(2)

    assert messages[1] == sent | {
        "delivery_state": "failed",
        "metadata": {"error": "No recipient"},
    }
    assert agent.conversations(1)[0]["metadata"]["unread_count"] == 1


def test_nothing_is_sent_on_a_channel_that_is_not_connected(client: Client, agent: Agent) -> None:
    agent.receive("m1")
    conversation = agent.conversations(1)[0]["id"]
    channel = agent.channel["id"]
    client.call("/channels.google.disconnect", {"channel_id": channel})
    for asked in (
        {"conversation_id": conversation},
        {"channel_id": channel, "source_recipient_id": "ada"},
        {"channel_id": str(uuid4()), "source_recipient_id": "ada"},
    ):
        refused = client.post("/messages.send", asked | {"message": "Hello"})
        assert (refused.status_code, refused.content) == (403, b"")
    assert len(client.messages(conversation)) == 1


def test_a_message_to_an_unknown_conversation_is_sent_once_it_appears(
    client: Client, agent: Agent
) -> None:
    channel = ChannelId(parse_id(agent.channel["id"]))
    to_come = format_id(conversation_id(channel, "bob"))
    asked = {"conversation_id": to_come, "message": {"text": "Hello"}}
    sent = client.post("/messages.send", asked)
    before = client.post("/messages.list", {"conversation_id": to_come})
    agent.receive("m1", contact="bob")
    agent.messages(2)
    until(lambda: client.messages(to_come)[0]["delivery_state"] == "delivered")
    message = client.messages(to_come)[0]

    assert (sent.status_code, before.status_code) == (202, 404)
    assert (sent.json()["source"], sent.json()["delivery_state"]) == ("", "pending")
    assert message == sent.json() | {
        "source": "google",
        "delivery_state": "delivered",
        "metadata": {"source": {"id": message["id"]}},
    }


@pytest.mark.parametrize(
    "asked",
    [
        {"message": "x"},
        {"message": None, "conversation_id": str(uuid4())},
        {"conversation_id": str(uuid4())},
        {"message": "x", "channel_id": str(uuid4())},
        {"message": "x", "source_recipient_id": "ada"},
        {"message": "x", "conversation_id": "no-uuid"},
    ],
)
def test_a_message_without_words_or_recipient_is_refused(client: Client, asked: Any) -> None:
    assert client.post("/messages.send", asked).status_code == 400


def test_a_repeated_send_is_one_message(client: Client, conversation: Any) -> None:
    asked = {"conversation_id": conversation["id"], "message": {"text": "Hello"}}
    first = client.post("/messages.send", asked, idempotency_key="k1")
    second = client.post("/messages.send", asked, idempotency_key="k1")
    other = client.post("/messages.send", asked | {"message": 1}, idempotency_key="k1")

    assert second.json() == first.json()
    assert other.status_code == 409
    assert len(client.messages(conversation["id"])) == 2


@pytest.mark.parametrize("path", ["/messages.suggest-replies", "/messages.suggestReplies"])
def test_answers_are_proposed(client: Client, agent: Agent, path: str) -> None:
    agent.receive("m1")
    message = agent.messages(1)[0]
    content = {"text": "Glad to help"}
    asked = {"message_id": message["id"], "suggestions": {"s1": {"content": content}}}
    shown = client.call(path, asked)

    assert shown["id"] == message["id"]
    assert shown["metadata"]["suggestions"]["s1"]["content"] == content
    assert agent.messages(1)[0] == shown


@pytest.mark.parametrize("path", ["/messages.resend", "/messages.suggest-replies"])
def test_what_is_about_no_message_is_not_found(client: Client, path: str) -> None:
    assert client.post(path, {"message_id": str(uuid4()), "suggestions": {}}).status_code == 404
    assert client.post(path, {}).status_code == 400


def test_values_are_kept_with_a_message(client: Client, agent: Agent) -> None:
    agent.receive("m1")
    message = agent.messages(1)[0]
    values = {"seq": 42, "sentFrom": "iPhone", "assignees": ["Alice", "Bob"]}
    asked = {"subject": "message", "id": message["id"], "data": values}

    assert client.post("/metadata.upsert", asked).status_code == 204
    shown = agent.conversations(1)[0]["last_message"]["metadata"]["user_data"]
    assert shown == values
    assert isinstance(shown["seq"], float)


def test_values_are_kept_with_conversations_and_channels(client: Client, agent: Agent) -> None:
    agent.receive("m1")
    conversation = agent.conversations(1)[0]["id"]
    for subject, identifier in (("conversation", conversation), ("channel", agent.channel["id"])):
        client.call("/metadata.upsert", {"subject": subject, "id": identifier, "data": {"k": "v"}})
    shown = agent.conversations(1)[0]

    assert shown["metadata"]["user_data"] == {"k": "v"}
    assert shown["channel"]["metadata"]["user_data"] == {"k": "v"}


def test_values_of_something_else_are_refused(client: Client) -> None:
    asked = {"subject": "tag", "id": str(uuid4()), "data": {}}

    assert client.post("/metadata.upsert", asked).status_code == 400


def describe(client: Client, verb: str, conversation_id: str, **asked: Any) -> int:
    path = f"/conversations.{verb}"
    return client.post(path, {"conversation_id": conversation_id} | asked).status_code


def test_a_conversation_is_tagged_given_a_state_and_a_name(client: Client, agent: Agent) -> None:
    agent.receive("m1")
    conversation = agent.conversations(1)[0]["id"]
    tag = str(uuid4())

    def metadata() -> Any:
        return agent.conversations(1)[0]["metadata"]

    assert describe(client, "tag", conversation, tag_id=tag) == 204
    assert metadata()["tags"] == {tag: ""}
    assert describe(client, "untag", conversation, tag_id=tag) == 204
    assert "tags" not in metadata()
    for verb in ("set-state", "setState"):
        assert describe(client, verb, conversation, state="open") == 204
        assert metadata()["state"] == "open"
    for verb in ("remove-state", "removeState"):
        assert describe(client, verb, conversation) == 204
        assert "state" not in metadata()
    for verb, name in (("update-contact", "Ada"), ("updateContact", "Ada L.")):
        assert describe(client, verb, conversation, display_name=name) == 204
        assert metadata()["contact"]["display_name"] == name
    assert describe(client, "refetch", conversation) == 202


@pytest.mark.parametrize(
    ("verb", "asked"),
    [
        ("tag", {"tag_id": str(uuid4())}),
        ("untag", {"tag_id": str(uuid4())}),
        ("set-state", {"state": "OPEN"}),
        ("remove-state", {}),
        ("update-contact", {"display_name": "Ada"}),
        ("refetch", {}),
    ],
)
def test_what_is_about_no_conversation_is_not_found(client: Client, verb: str, asked: Any) -> None:
    assert client.post(f"/conversations.{verb}", {}).status_code == 400
    refused = client.post(f"/conversations.{verb}", {"conversation_id": str(uuid4())} | asked)
    assert (refused.status_code, refused.content) == (404, b"")


def test_tags_are_managed(client: Client) -> None:
    made = client.post("/tags.create", {"name": "vip", "color": "tag-red"})
    identifier = made.json()["id"]

    def listed() -> list[Any]:
        return [each for each in client.call("/tags.list")["data"] if each["id"] == identifier]

    assert made.status_code == 201
    assert listed() == [{"id": identifier, "name": "vip", "color": "tag-red"}]
    assert client.post("/tags.update", {"id": identifier, "name": "VIP"}).status_code == 204
    assert listed()[0]["name"] == "VIP"
    assert client.post("/tags.delete", {"id": identifier}).status_code == 204
    assert listed() == []
    assert client.post("/tags.delete", {"id": identifier}).status_code == 404
    refused = client.post("/tags.create", {"name": "vip", "color": "tag-pink"})
    assert refused.status_code == 400
    assert refused.json()["message"].startswith("Tag color must be one of [")


def test_templates_are_managed(client: Client) -> None:
    source = f"s-{uuid4().hex[:8]}"
    content = {"message": {"text": "Hi [[name]]"}}
    made = client.post(
        "/templates.create", {"name": "hello-1", "source": source, "content": content}
    )
    template = made.json()

    def listed(**asked: str) -> list[Any]:
        data: list[Any] = client.call("/templates.list", {"source": source} | asked)["data"]
        return data

    assert made.status_code == 201
    assert template == {
        "id": template["id"],
        "name": "hello-1",
        "source": source,
        "content": content,
    }
    assert client.call("/templates.info", {"id": template["id"]}) == template
    assert listed() == listed(name="hello") == listed(name="") == [template]
    assert listed(name="Hello") == []
    changed = client.call("/templates.update", {"id": template["id"], "name": "bye"})
    assert changed == template | {"name": "bye"}
    assert client.post("/templates.delete", {"id": template["id"]}).status_code == 204
    assert client.post("/templates.info", {"id": template["id"]}).status_code == 404
    assert client.post("/templates.list", {}).status_code == 400
