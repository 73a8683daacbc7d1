"""`sources.*`: programs that bring messages in as sources of their own (contract: §7.10, A.5)."""

import hmac
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from airy_ray.rawlog.record import Record
from tests.e2e import platforms, recorded
from tests.e2e.client import Client
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.platforms import Answer, GraphApi
from tests.e2e.program import Running, until
from tests.e2e.recorded import Case
from tests.e2e.test_recorded_payloads import iso

SENT_AT = 1_603_661_094_560


class Source:
    """A program that is a source, and the system that made it."""

    def __init__(self, client: Client, system: str | None = None) -> None:
        self.client = client
        self.system = {} if system is None else {"authorization": system}
        self.id = f"crm-{uuid4().hex[:12]}"
        self.made = client.call("/sources.create", {"source_id": self.id}, **self.system)
        self.own = {"authorization": self.made["token"]}  # without `Bearer`

    def channel(self, name: str = "shop", **asked: Any) -> Any:
        told = {"source_channel_id": name, "name": "A shop"} | asked
        response = self.client.post("/sources.channels.create", told, **self.own)
        assert response.status_code == 201, response.text
        return response.json()

    def bring(self, **body: Any) -> None:
        response = self.client.post("/sources.webhook", body, **self.own)
        assert (response.status_code, response.content) == (200, b"")

    def status(self, path: str, asked: Any = None) -> int:
        return self.client.post(path, asked, **self.own).status_code

    def conversation(self, channel: Any) -> Any:
        """Return its only conversation on a channel, once it is there."""
        return until(lambda: self._conversations(channel))[0]

    def messages(self, conversation: Any) -> list[Any]:
        asked = {"conversation_id": conversation["id"]}
        found: list[Any] = self.client.call("/messages.list", asked, **self.system)["data"]
        return found

    def _conversations(self, channel: Any) -> list[Any]:
        listed = self.client.call("/conversations.list", {"page_size": 1_000}, **self.system)
        return [each for each in listed["data"] if each["channel"]["id"] == channel["id"]]


def said(name: str = "m-1", content: Any = "Hello world", **fields: Any) -> dict[str, Any]:
    return {
        "source_message_id": name,
        "source_conversation_id": "c-1",
        "source_channel_id": "shop",
        "source_sender_id": "ada",
        "content": content,
        "from_contact": True,
        "sent_at": SENT_AT,
    } | fields


def told(namespace: str, source_id: str, **values: Any) -> dict[str, Any]:
    return {"namespace": namespace, "source_id": source_id, "metadata": values}


@pytest.fixture
def source(client: Client) -> Source:
    return Source(client)


def test_a_source_is_made_listed_changed_and_deleted(source: Source) -> None:
    client, asked = source.client, {"source_id": source.id}
    shown = asked | {"token": None, "action_endpoint": None, "name": None, "image_url": None}
    assert source.made == shown | {"token": source.made["token"]}
    assert shown in client.call("/sources.list")["data"]
    again = client.post("/sources.create", asked)
    assert (again.status_code, again.json()) == (409, {"message": "Source already exists"})

    endpoint = "https://example.org/hook"
    changed = client.call("/sources.update", asked | {"action_endpoint": endpoint, "name": "CRM"})
    assert changed == shown | {"action_endpoint": endpoint, "name": "CRM"}
    assert client.call("/sources.update", asked) == shown
    assert client.post("/sources.update", {"source_id": "nobody"}).status_code == 404

    for _ in range(2):
        deleted = client.post("/sources.delete", asked)
        assert (deleted.status_code, deleted.content) == (202, b"")
    for path, body in (
        ("/sources.channels.list", None),
        ("/sources.channels.create", {"source_channel_id": "shop", "name": "A shop"}),
        ("/sources.webhook", {"messages": [said()]}),
    ):
        assert source.status(path, body) == 404
    made_again = client.call("/sources.create", asked)
    assert made_again["token"] != source.made["token"]
    assert source.status("/sources.channels.list") == 403


@pytest.mark.parametrize("case", recorded.params(recorded.cases("custom")))
def test_what_a_source_brings_is_taken_and_shown_as_recorded(case: Case, source: Source) -> None:
    channels = {
        each["source_channel_id"]: source.channel(each["source_channel_id"])
        for each in recorded.manifest("custom")["channels"]
    }
    own = {
        name: source.made["token"] if name == "Authorization" else value
        for name, value in case.headers.items()
    }
    response = source.client.send(case.path, case.body, own)
    source.client.settle()

    assert response.status_code == case.told["expected_http_status"]
    wanted = [each for each in case.expected["messages"] if each["source_channel_id"] in channels]
    identifiers = [each["id"] for each in channels.values()]
    found = {
        message["metadata"]["source"]["id"]: message
        for conversation in source.client.conversations(*identifiers)
        for message in source.client.messages(conversation["id"])
    }
    assert {name: shown(each) for name, each in found.items()} == {
        each["source_message_id"]: (
            each["is_from_contact"],
            each["sender_id"],
            iso(each["sent_at"]),
        )
        for each in wanted
    }


def shown(message: Any) -> tuple[bool, str, str]:
    return message["from_contact"], message["sender"]["id"], message["sent_at"]


def test_a_repeated_creation_tells_the_same_token(client: Client) -> None:
    asked, key = {"source_id": f"crm-{uuid4().hex}"}, str(uuid4())
    one = client.call("/sources.create", asked, idempotency_key=key)
    other = client.call("/sources.create", asked, idempotency_key=key)

    assert one == other


def test_no_source_poses_as_another(client: Client) -> None:
    for name in ("facebook", "Twilio.sms", "a b", ""):
        assert client.post("/sources.create", {"source_id": name}).status_code == 400


def test_messages_and_metadata_of_one_body(source: Source) -> None:
    channel = source.channel()
    source.bring(
        messages=[said()],
        metadata=[
            told("conversation", "c-1", contact={"display_name": "Margaret Hamilton"}),
            told("message", "m-1", reaction={"emoji": "❤️"}),
        ],
    )
    conversation = source.conversation(channel)
    until(lambda: "reaction" in source.messages(conversation)[0]["metadata"])
    [message] = source.messages(conversation)
    conversation = source.conversation(channel)

    assert conversation["metadata"]["contact"]["display_name"] == "Margaret Hamilton"
    assert conversation["channel"]["source"] == source.id
    assert (message["source"], message["content"]) == (source.id, "Hello world")
    assert (message["delivery_state"], message["from_contact"]) == ("delivered", True)
    assert message["sent_at"] == "2020-10-25T21:24:54.560Z"
    assert message["sender"]["id"] == "ada"
    assert message["metadata"]["reaction"] == {"emoji": "❤️"}


def test_a_message_brought_again_reads_as_it_does_now(source: Source) -> None:
    channel = source.channel()
    source.bring(messages=[said(content={"text": "Hi"})])
    source.bring(messages=[said(content={"text": "Hello"})])
    conversation = source.conversation(channel)

    until(lambda: source.messages(conversation)[0]["content"] == {"text": "Hello"})
    assert len(source.messages(conversation)) == 1
    assert source.conversation(channel)["last_message"]["content"] == {"text": "Hello"}


def test_what_comes_before_its_channel_and_its_message_waits(source: Source) -> None:
    source.bring(metadata=[told("message", "m-1", ticket="T-9"), told("conversation", "c-1", a=1)])
    source.bring(messages=[said()])
    channel = source.channel()
    conversation = source.conversation(channel)

    until(lambda: "ticket" in source.messages(conversation)[0]["metadata"])
    assert source.conversation(channel)["metadata"]["a"] == 1


def test_an_answer_opens_the_conversation_that_the_contact_will(source: Source) -> None:
    channel = source.channel()
    asked = {"channel_id": channel["id"], "source_recipient_id": "c-1", "message": {"text": "Hi"}}
    assert source.client.call("/messages.send", asked)["delivery_state"] == "pending"
    source.bring(messages=[said()])

    conversation = source.conversation(channel)
    until(lambda: states(source.messages(conversation)) == ["delivered", "failed"])


def states(messages: list[Any]) -> list[str]:
    return sorted(each["delivery_state"] for each in messages)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"messages": [said()], "metadata": [told("channel", "x")]},
            "Unknown metadata namespace channel",
        ),
        ({"messages": [said(), said(sent_at=True)]}, None),
        ({"messages": [said(), {"source_message_id": "m-2"}]}, None),
    ],
)
def test_of_a_body_that_is_wrong_somewhere_nothing_is_kept(
    source: Source, body: Any, message: str | None, received: Callable[[], list[Record]]
) -> None:
    refused = source.client.post("/sources.webhook", body, **source.own)

    assert refused.status_code == 400
    assert message in (None, refused.json()["message"])
    assert received() == []


def test_channels_are_the_sources_own(source: Source) -> None:
    channel = source.channel(metadata={"my_key": "yes", "a": {"b": 1}})
    other = Source(source.client)
    theirs = other.channel()

    assert (channel["source"], channel["source_channel_id"]) == (source.id, "shop")
    assert channel["metadata"] == {"name": "A shop", "my_key": "yes", "a": {"b": 1}}
    listed = source.client.call("/sources.channels.list", **source.own)["data"]
    assert listed == [channel]
    path = "/sources.channels.disconnect"
    assert source.status(path, {"channel_id": theirs["id"]}) == 403
    assert source.status(path, {"channel_id": str(uuid4())}) == 404
    for _ in range(2):
        assert source.status(path, {"channel_id": channel["id"]}) == 204
    assert source.client.call("/sources.channels.list", **source.own)["data"] == []


def test_without_authentication_only_a_source_brings_messages_in(source: Source) -> None:
    client = source.client

    assert client.post("/sources.webhook", {"messages": []}).status_code == 403
    assert client.post("/sources.channels.list").status_code == 403
    assert source.status("/sources.list") == 403


def test_with_authentication_each_has_what_is_theirs(guarded: Running) -> None:
    with Client(guarded.url) as client:
        source = Source(client, SYSTEM_TOKEN)
        asked = {"source_channel_id": "shop", "name": "A shop"}
        create = "/sources.channels.create"

        assert client.post("/sources.create", {"source_id": "x"}).status_code == 403
        assert client.post(create, asked).status_code == 403
        assert client.post(create, asked, **source.system).status_code == 403
        assert client.post("/sources.webhook", {}, **source.system).status_code == 403
        for path in ("/sources.list", "/sources.delete", "/sources.create", "/tokens.list"):
            assert source.status(path, {"source_id": "x"}) == 403
        channel = source.channel()
        source.bring(messages=[said()])
        assert source.conversation(channel)["channel"]["id"] == channel["id"]
        assert source.status("/channels.list") == 200

        token = {"name": source.id, "scope": "manage"}
        manager = client.call("/tokens.create", token, **source.system)["token"]
        assert client.post("/sources.list", authorization=manager).status_code == 200
        gone = {"source_id": source.id}
        assert client.post("/sources.delete", gone, authorization=manager).status_code == 202
        assert source.status("/channels.list") == 404


def test_any_request_of_the_recorded_form_is_taken(source: Source) -> None:
    body = json.dumps({"messages": [said(content=[1, "two"], sent_at="2025-11-21T10:00:01+02:00")]})
    sent = source.client.post_bytes(
        "/sources.webhook", body.encode(), authorization=f"Bearer {source.made['token']}"
    )

    assert sent.status_code == 200
    [message] = source.messages(source.conversation(source.channel()))
    assert (message["content"], message["sent_at"]) == ([1, "two"], "2025-11-21T08:00:01.000Z")


def answered(client: Client, source: Source, conversation: Any, text: str) -> Any:
    """Return a message of ours once it is not pending any more."""
    asked = {"conversation_id": conversation["id"], "message": {"text": text}}
    sent = client.call("/messages.send", asked)

    def found() -> Any:
        messages = source.messages(conversation)
        return next(each for each in messages if each["id"] == sent["id"])

    until(lambda: found()["delivery_state"] != "pending")
    return found()


def test_what_is_sent_goes_to_the_action_endpoint(source: Source, graph_api: GraphApi) -> None:
    client, text = source.client, f"{source.id} Hello"
    channel = source.channel()
    source.bring(messages=[said()])
    conversation = source.conversation(channel)
    without_endpoint = answered(client, source, conversation, text)
    endpoint = {"source_id": source.id, "action_endpoint": f"{graph_api.url}{platforms.ACTION}"}
    client.call("/sources.update", endpoint)
    answer = {"source_message_id": f"{source.id}-1", "metadata": {"receipt": {"ticket": "T-9"}}}
    graph_api.answers[text].append(Answer(200, json.dumps(answer).encode()))
    graph_api.answers[text].append(Answer(400, b'{"error":"malformed"}'))
    delivered = answered(client, source, conversation, text)
    refused = answered(client, source, conversation, text)

    assert without_endpoint["metadata"]["error"] == "Source has no action endpoint"
    assert delivered["delivery_state"] == "delivered"
    assert delivered["metadata"]["source"]["id"] == f"{source.id}-1"
    assert delivered["metadata"]["receipt"] == {"ticket": "T-9"}
    assert (refused["delivery_state"], refused["metadata"]["error"]) == ("failed", "malformed")
    first, _ = [each for each in graph_api.sent if each.text == text]
    signed = hmac.digest(source.made["token"].encode(), first.raw, "sha256").hex()
    assert first.token == signed
    assert first.body["payload"]["message"] == {
        "id": delivered["id"],
        "source_recipient_id": "c-1",
        "content": {"text": text},
        "sent_at": delivered["sent_at"],
    }
    assert first.body["payload"]["conversation"] == {
        "id": conversation["id"],
        "channel_id": channel["id"],
        "source_channel_id": "shop",
        "source_conversation_id": "c-1",
        "created_at": conversation["created_at"],
    }
