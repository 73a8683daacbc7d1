"""Typing, "seen" and presence: heard at once by who listens, and in no history (beyond §9)."""

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e import platforms
from tests.e2e.client import Client, Visitor
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.program import Running, until
from tests.e2e.stomp_client import StompClient

PERSON = {"id": "github:7", "name": "Grace", "avatarUrl": None}


def person_token() -> str:
    claims = {"sub": "Grace", "principal": json.dumps(PERSON)}
    return jwt.encode(claims, b64decode(platforms.JWT_SECRET), "HS256")


class Website:
    """A website with one visitor who has written."""

    def __init__(self, client: Client) -> None:
        self.channel = client.connect_website()
        self.visitor = Visitor(client, self.channel)
        self.message = self.visitor.send({"text": "Hi"})
        (self.conversation,) = client.conversations(self.channel["id"])

    @property
    def about(self) -> dict[str, str]:
        return {"conversation_id": self.conversation["id"], "channel_id": self.channel["id"]}

    def connect(self, url: str) -> StompClient:
        return StompClient(url, "/ws.chatplugin", Authorization=f"Bearer {self.visitor.token}")


@pytest.fixture
def website(client: Client) -> Website:
    return Website(client)


@pytest.fixture
def listening(platform: Running, website: Website) -> Iterator[list[StompClient]]:
    """Two who listen: to the conversation, and to its channel."""
    with StompClient(platform.url) as one, StompClient(platform.url) as other:
        one.subscribe(f"/conversations/{website.conversation['id']}")
        other.subscribe(f"/channels/{website.channel['id']}")
        yield [one, other]


def test_agents_hear_that_a_visitor_types_and_has_seen(
    platform: Running, website: Website, listening: list[StompClient]
) -> None:
    with website.connect(platform.url) as visitor:
        visitor.send("SEND", {"destination": "/typing"}, b'{"typing":true}')
        seen = json.dumps({"message_id": website.message["id"]}).encode()
        visitor.send("SEND", {"destination": "/seen", "receipt": "1"}, seen)
        assert visitor.receive().command == "RECEIPT"

        for each in listening:
            typing, has_seen = each.event(), each.event()
            sender = {"id": website.conversation["id"]}
            told = {"sender": sender, "from_contact": True, "typing": True, "lasts_ms": 10_000}
            assert (typing["type"], typing["payload"]) == ("typing.updated", website.about | told)
            payload = website.about | {"message_id": website.message["id"]}
            assert (has_seen["type"], has_seen["payload"]) == ("message.seen", payload)


@pytest.mark.parametrize("door", ["socket", "API"])
def test_visitors_hear_that_an_agent_types(
    door: str, client: Client, platform: Running, website: Website, listening: list[StompClient]
) -> None:
    identifier = website.conversation["id"]
    with website.connect(platform.url) as visitor:
        visitor.subscribe("/user/queue/message", "sub-0")
        visitor.subscribe("/user/queue/events", "sub-1")
        if door == "API":
            asked = {"conversation_id": identifier, "typing": False}
            assert client.post("/conversations.typing", asked).status_code == 202
        else:
            destination = f"/conversations/{identifier}/typing"
            listening[0].send("SEND", {"destination": destination}, b'{"typing":false}')

        told = visitor.receive()
        assert told.headers["subscription"] == "sub-1"
        assert "position" not in told.headers
        payload = json.loads(told.body)["payload"]
        assert payload["from_contact"] is False
        assert payload["typing"] is False
        assert visitor.is_quiet()


def test_ephemeral_events_are_for_who_listens_to_them_alone(
    client: Client, platform: Running, website: Website
) -> None:
    identifier = website.conversation["id"]
    with StompClient(platform.url) as inbox:
        before = inbox.subscribe("/events").headers["positions"]
        client.call("/conversations.typing", {"conversation_id": identifier})
        website.visitor.send({"text": "still here"})

        assert inbox.event()["type"] == "message.created"
    assert before  # nothing of it moved the feed: what came first was the message


@pytest.mark.parametrize(
    ("destination", "body"),
    [
        ("/events", b"{}"),
        ("/conversations/x/typing", b"{}"),
        ("/conversations//typing", b"{}"),
        ("/topic/anything", b"{}"),
    ],
)
def test_nothing_else_can_be_sent(destination: str, body: bytes, platform: Running) -> None:
    with StompClient(platform.url) as inbox:
        inbox.send("SEND", {"destination": destination}, body)

        assert inbox.receive().command == "ERROR"
        with pytest.raises(ConnectionClosed):
            inbox.receive()


def test_typing_in_a_conversation_that_is_none_gets_404(client: Client) -> None:
    asked = {"conversation_id": "00000000-0000-4000-8000-000000000000"}

    assert client.post("/conversations.typing", asked).status_code == 404


def test_agents_hear_who_is_there_and_what_they_look_at(guarded: Running) -> None:
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as client:
        website = Website(client)
    system = {"authorization": SYSTEM_TOKEN}
    grace = {"authorization": f"Bearer {person_token()}"}
    with StompClient(guarded.url, upgrade=system) as listening:
        listening.subscribe("/presence")
        with StompClient(guarded.url, upgrade=grace) as agent:
            assert present(listening) == (True, [])
            agent.subscribe(f"/conversations/{website.conversation['id']}")
            assert present(listening) == (True, [website.conversation["id"]])
            with StompClient(guarded.url, upgrade=system) as late:
                late.subscribe("/presence")
                assert present(late) == (True, [website.conversation["id"]])
        assert present(listening) == (True, [])
        assert present(listening) == (False, [])


def present(client: StompClient) -> tuple[bool, list[str]]:
    told = client.event()
    assert told["type"] == "presence.updated"
    payload = told["payload"]
    assert payload["user"] == {"id": "github:7", "name": "Grace", "avatar_url": None}
    return payload["online"], payload["conversation_ids"]


def test_browsers_tell_in_connect_who_they_are(guarded: Running) -> None:
    path = "/ws.communication?login=connect"
    with StompClient(guarded.url, path, Authorization=f"Bearer {person_token()}") as client:
        assert client.connected.headers["user-name"] == "github:7"
    with StompClient(guarded.url, path, login="x", passcode=SYSTEM_TOKEN) as client:
        assert client.connected.command == "CONNECTED"
    for token in ("", "Bearer", "Bearer x"):
        with StompClient(guarded.url, path, Authorization=token) as client:
            assert client.connected.command == "ERROR"
            assert "401" in client.connected.headers["message"]


def test_who_uses_a_token_that_was_revoked_is_closed(guarded: Running) -> None:
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as client:
        made: Any = client.call("/tokens.create", {"name": "brief", "scope": "read"})
        with StompClient(
            guarded.url, upgrade={"authorization": f"Bearer {made['token']}"}
        ) as listening:
            listening.subscribe("/events")
            client.call("/tokens.revoke", {"id": made["id"]})

            told = until(lambda: error_of(listening))
            assert "401" in told


def error_of(client: StompClient) -> str | None:
    frame = client.receive(60)
    return frame.headers["message"] if frame.command == "ERROR" else None
