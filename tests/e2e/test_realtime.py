"""`/ws.communication` as its clients see it (contract: platform API §9)."""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.e2e.client import Agent, Client, Visitor, Website
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.program import Running
from tests.e2e.stomp_client import StompClient

CHATPLUGIN = "/ws.chatplugin"
OFFERED = ("v12.stomp", "v11.stomp", "v10.stomp")


@pytest.fixture
def website(client: Client) -> Website:
    return Website(client)


@pytest.fixture
def listening(platform: Running) -> Iterator[StompClient]:
    """Somebody who is connected, and has not subscribed yet."""
    with StompClient(platform.url) as one:
        yield one


def socket_url(platform: Running, path: str = "/ws.communication") -> str:
    return platform.url.replace("http://", "ws://") + path


def event_of(listening: StompClient, kind: str, identifier: str) -> Any:
    """Return the next event of a kind that names something; others may happen beside it."""
    while (event := listening.event())["type"] != kind or identifier not in json.dumps(event):
        pass
    return event


# The handshake


@pytest.mark.parametrize(
    "upgrade", [{}, {"authorization": "Bearer no-token"}], ids=["no token", "a wrong token"]
)
def test_who_may_not_call_the_api_is_not_let_in(guarded: Running, upgrade: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus) as refused:
        StompClient(guarded.url, upgrade=upgrade)

    assert refused.value.response.status_code == 403


def test_who_is_let_in_is_told_by_what_name(guarded: Running) -> None:
    upgrade = {"authorization": f"Bearer {SYSTEM_TOKEN}", "origin": "https://elsewhere.example"}
    with StompClient(guarded.url, upgrade=upgrade) as listening:
        assert listening.connected.command == "CONNECTED"
        assert listening.connected.headers["user-name"]


@pytest.mark.parametrize("path", ["/ws.communication", CHATPLUGIN])
@pytest.mark.parametrize(
    ("offered", "accepted"),
    [
        pytest.param(OFFERED, "v12.stomp", id="as stompjs offers them"),
        pytest.param(OFFERED[2:], "v10.stomp", id="the oldest alone"),
        pytest.param(("mqtt", "v11.stomp"), "v11.stomp", id="another one first"),
        pytest.param((), None, id="none"),
    ],
)
def test_the_first_subprotocol_that_we_speak_is_accepted(
    platform: Running, path: str, offered: Sequence[str], accepted: str | None
) -> None:
    subprotocols = [Subprotocol(each) for each in offered] or None
    with connect(socket_url(platform, path), subprotocols=subprotocols) as socket:
        assert socket.subprotocol == accepted


# The session


@pytest.mark.parametrize(
    ("accepted", "version"),
    [("1.2,1.1,1.0", "1.2"), ("1.0,1.1", "1.1"), ("1.0", "1.0"), ("2.0,1.2", "1.2")],
)
def test_the_newest_version_that_both_speak_is_settled(
    platform: Running, accepted: str, version: str
) -> None:
    told = {"accept-version": accepted, "heart-beat": "10000,10000"}
    with StompClient(platform.url, upgrade=None, **told) as listening:
        assert listening.connected.command == "CONNECTED"
        assert listening.connected.headers["version"] == version
        assert listening.connected.headers["heart-beat"] == "30000,30000"
        assert "user-name" not in listening.connected.headers  # nobody in particular


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"accept-version": "2.0"}, id="no version in common"),
        pytest.param({"heart-beat": "often"}, id="no heart-beats"),
    ],
)
def test_who_cannot_be_talked_with_gets_an_error(platform: Running, told: dict[str, str]) -> None:
    with StompClient(platform.url, upgrade=None, **told) as listening:
        assert listening.connected.command == "ERROR"
        assert listening.connected.headers["message"]
        assert listening.is_closed()


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"CONNECT\naccept-version:1.2\n\n\0", id="connected twice"),
        pytest.param(b"HELLO\n\n\0", id="no command"),
        pytest.param(b"MESSAGE\n\n\0", id="a command of servers"),
        pytest.param(b"SUBSCRIBE\ndestination:/events\n\n\0", id="a subscription without an id"),
        pytest.param(b"SUBSCRIBE\nid:a\n\n\0", id="a subscription to nothing"),
        pytest.param(b"SUBSCRIBE\nid:a\ndestination:/channels/x\n\n\0", id="no id of a channel"),
        pytest.param(b"SUBSCRIBE\nid:a\ndestination:/conversations/\n\n\0", id="an empty id"),
        pytest.param(
            b"SUBSCRIBE\nid:a\ndestination:/events\nresume-from:1.2\n\n\0", id="no positions"
        ),
        pytest.param(b'SEND\ndestination:/events\n\n{"type":"x"}\0', id="an event"),
        pytest.param(b"UNSUBSCRIBE\n\n\0", id="unsubscribing from nothing"),
        pytest.param(b"SUBSCRIBE\nid:a\\t\ndestination:/events\n\n\0", id="an unknown escape"),
        pytest.param(b"SUBSCRIBE\nid\n\n\0", id="a header without a colon"),
        pytest.param(b"SEND\ndestination:/a\n\n" + b"x" * 70_000 + b"\0", id="too much"),
    ],
)
def test_what_is_wrong_is_told_in_an_error_and_ends_the_session(
    listening: StompClient, frame: bytes
) -> None:
    listening.socket.send(frame)
    told = listening.receive()

    assert told.command == "ERROR"
    assert told.headers["message"]
    assert listening.is_closed()


def test_nothing_comes_before_connect(platform: Running) -> None:
    with connect(socket_url(platform)) as socket:
        socket.send("SUBSCRIBE\nid:a\ndestination:/events\n\n\0")
        told = socket.recv(20)

        assert str(told).startswith("ERROR\n")
        assert "\nmessage:" in str(told)


def test_a_second_subscription_of_one_id_is_refused(listening: StompClient) -> None:
    listening.subscribe("/events")
    listening.send("SUBSCRIBE", {"id": "sub-0", "destination": "/other", "receipt": "r"})
    while (told := listening.receive()).command == "MESSAGE":
        pass

    assert told.command == "ERROR"
    assert told.headers["message"]


def test_who_disconnects_gets_a_receipt_and_a_close(listening: StompClient) -> None:
    listening.send("DISCONNECT", {"receipt": "bye"})
    told = listening.receive()

    assert (told.command, told.headers) == ("RECEIPT", {"receipt-id": "bye"})
    with pytest.raises(ConnectionClosed) as closed:
        listening.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000


def test_a_message_frame_has_what_stomp_clients_read(
    listening: StompClient, website: Website
) -> None:
    name = "a: b\\c\nd"
    listening.subscribe(f"/channels/{website.channel['id']}", name)
    website.visitor.send({"text": "👩‍💻 ça marche"})
    raw = listening.socket.recv(20)
    head, _, rest = str(raw).partition("\n\n")
    command, *lines = head.split("\n")
    headers = dict(line.split(":", 1) for line in lines)

    assert command == "MESSAGE"
    assert headers["subscription"] == r"a\c b\\c\nd"
    assert headers["destination"] == f"/channels/{website.channel['id']}"
    assert headers["content-type"] == "application/json"
    assert rest.endswith("\0")
    body = rest[:-1]
    assert int(headers["content-length"]) == len(body.encode())
    assert headers["message-id"] == headers["position"]
    assert json.loads(body)["payload"]["message"]["content"] == {"text": "👩‍💻 ça marche"}


def test_message_ids_are_unique(listening: StompClient, website: Website) -> None:
    listening.subscribe(f"/channels/{website.channel['id']}")
    for index in range(5):
        website.visitor.send({"text": str(index)})
    frames = [listening.receive() for _ in range(10)]

    assert len({each.headers["message-id"] for each in frames}) == 10


def test_who_unsubscribes_hears_nothing_more(listening: StompClient, website: Website) -> None:
    listening.subscribe(f"/channels/{website.channel['id']}")
    listening.send("UNSUBSCRIBE", {"id": "sub-0", "receipt": "gone"})
    told = listening.receive()
    website.visitor.send({"text": "unheard"})

    assert (told.command, told.headers["receipt-id"]) == ("RECEIPT", "gone")
    assert listening.is_quiet()


@pytest.mark.parametrize("destination", ["/queue/events", "/topic/x", "/events/", "x"])
def test_an_unknown_destination_is_accepted_and_silent(
    listening: StompClient, website: Website, destination: str
) -> None:
    assert listening.subscribe(destination).command == "RECEIPT"
    website.visitor.send({"text": "unheard"})

    assert listening.is_quiet()


def test_two_subscriptions_of_one_client_both_hear(
    listening: StompClient, website: Website
) -> None:
    listening.subscribe(f"/conversations/{website.conversation['id']}", "a")
    listening.subscribe(f"/channels/{website.channel['id']}", "b")
    website.visitor.send({"text": "Hi"})
    frames = [listening.receive() for _ in range(4)]

    for name in ("a", "b"):
        heard = [json.loads(f.body)["type"] for f in frames if f.headers["subscription"] == name]
        assert heard == ["message.created", "metadata.updated"]


# What is told


def test_a_message_is_told_and_that_it_is_unread(listening: StompClient, website: Website) -> None:
    listening.subscribe("/events")
    sent = website.visitor.send({"text": "Hi again"})
    created = event_of(listening, "message.created", sent["id"])
    unread = event_of(listening, "metadata.updated", website.conversation["id"])

    assert created == {
        "type": "message.created",
        "timestamp": created["timestamp"],
        "payload": {
            "conversation_id": website.conversation["id"],
            "channel_id": website.channel["id"],
            "message": sent,
        },
    }
    assert isinstance(created["timestamp"], int)
    assert unread["payload"] == {
        "subject": "conversation",
        "identifier": website.conversation["id"],
        "metadata": {"unread_count": 2},
    }


def test_a_conversation_can_be_read_when_its_first_message_is_told(
    listening: StompClient, client: Client
) -> None:
    agent = Agent(client)
    listening.subscribe(f"/channels/{agent.channel['id']}")
    agent.receive("m1")
    told = listening.event()
    asked = {"conversation_id": told["payload"]["conversation_id"]}

    assert told["type"] == "message.created"
    assert client.post("/conversations.info", asked).status_code == 200


def test_an_answer_is_told_when_it_is_written_and_when_it_is_delivered(
    listening: StompClient, website: Website
) -> None:
    listening.subscribe(f"/conversations/{website.conversation['id']}")
    sent = website.answer("Hello")
    created, updated = listening.event(), listening.event()

    assert created["type"] == "message.created"
    assert created["payload"]["message"] == sent | {"metadata": None}
    assert (updated["type"], updated["payload"]["message"]["id"]) == ("message.updated", sent["id"])
    assert updated["payload"]["message"]["delivery_state"] == "delivered"


@pytest.mark.parametrize("subject", ["conversation", "channel", "message"])
def test_metadata_are_told_whole(listening: StompClient, website: Website, subject: str) -> None:
    identifier = {
        "conversation": website.conversation["id"],
        "channel": website.channel["id"],
        "message": website.first["id"],
    }[subject]
    listening.subscribe("/events")
    for data in ({"a": "1"}, {"b": "2"}):
        asked = {"subject": subject, "id": identifier, "data": data}
        website.client.call("/metadata.upsert", asked)
    first, second = (event_of(listening, "metadata.updated", identifier) for _ in range(2))

    assert first["payload"]["subject"] == subject
    assert first["payload"]["identifier"] == identifier
    assert first["payload"]["metadata"]["user_data"] == {"a": "1"}
    assert second["payload"]["metadata"]["user_data"]["b"] == "2"


def test_what_is_done_to_a_conversation_is_told(listening: StompClient, website: Website) -> None:
    about = {"conversation_id": website.conversation["id"]}
    listening.subscribe(f"/conversations/{about['conversation_id']}")
    tag = website.client.call("/tags.create", {"name": f"t-{uuid4()}", "color": "tag-red"})["id"]
    website.client.call("/conversations.tag", about | {"tag_id": tag})
    website.client.call("/conversations.set-state", about | {"state": "OPEN"})
    website.client.call("/conversations.mark-read", about)
    told = [listening.event()["payload"]["metadata"] for _ in range(3)]

    assert told[0]["tags"] == {tag: ""}
    assert told[1]["state"] == "OPEN"
    assert told[2]["unread_count"] == 0


def test_channels_that_are_connected_and_disconnected_are_told(
    listening: StompClient, client: Client
) -> None:
    listening.subscribe("/events")
    channel = client.connect_website()
    connected = event_of(listening, "channel.updated", channel["id"])
    client.call("/channels.chatplugin.disconnect", {"channel_id": channel["id"]})
    disconnected = event_of(listening, "channel.updated", channel["id"])

    assert connected == {
        "type": "channel.updated",
        "timestamp": None,
        "payload": channel | {"metadata": None},
    }
    assert disconnected["payload"]["connected"] is False


def test_tags_that_are_made_and_changed_are_told(listening: StompClient, client: Client) -> None:
    listening.subscribe("/events")
    made = client.call("/tags.create", {"name": "vip", "color": "tag-red"})["id"]
    created = event_of(listening, "tag.updated", made)
    client.call("/tags.update", {"id": made, "name": "VIP"})
    changed = event_of(listening, "tag.updated", made)

    assert created["payload"] == {"id": made, "name": "vip", "color": "tag-red"}
    assert changed["payload"] == {"id": made, "name": "VIP", "color": "tag-red"}
    assert isinstance(created["timestamp"], int)


def test_a_conversation_and_a_channel_tell_of_nothing_else(
    platform: Running, client: Client, website: Website
) -> None:
    other = Visitor(client, website.channel)
    with StompClient(platform.url) as of_one, StompClient(platform.url) as of_all:
        of_one.subscribe(f"/conversations/{website.conversation['id']}")
        of_all.subscribe(f"/channels/{website.channel['id']}")
        sent = other.send({"text": "somebody else"})
        Website(client).visitor.send({"text": "somewhere else"})

        assert of_all.event()["payload"]["message"] == sent
        assert of_all.event()["type"] == "metadata.updated"
        assert of_all.is_quiet()
        assert of_one.is_quiet()
