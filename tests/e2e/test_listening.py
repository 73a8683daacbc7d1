"""Who subscribes to part of what happens: by filter, by conversation, by channel, by token."""

from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.e2e.client import Client, Visitor
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.program import Running
from tests.e2e.stomp_client import StompClient


def begun(client: Client, website: Any, text: str = "Hi") -> tuple[Visitor, str]:
    """Have a new visitor write; return them and their conversation."""
    visitor = Visitor(client, website)
    visitor.send({"text": text})
    (newest,) = client.call("/conversations.list", {"page_size": 1})["data"]
    return visitor, newest["id"]


def test_a_filter_lets_through_what_concerns_conversations_that_it_finds(
    client: Client, platform: Running
) -> None:
    website = client.connect_website()
    visitor, closed = begun(client, website)
    other, _ = begun(client, website)
    filters = f"channel_id:{website['id']} AND metadata.state:CLOSED"
    with StompClient(platform.url) as listening:
        receipt = listening.subscribe("/events", filter=filters)
        other.send({"text": "unheard"})
        client.call("/conversations.set-state", {"conversation_id": closed, "state": "CLOSED"})
        visitor.send({"text": "heard"})

        changed, message = listening.event(), listening.event()
        assert changed["payload"]["metadata"]["state"] == "CLOSED"
        assert message["payload"]["message"]["content"] == {"text": "heard"}
        assert listening.event()["type"] == "metadata.updated"

        missed = StompClient(platform.url)
        with missed:
            told = missed.subscribe(
                "/events", filter=filters, resume_from=receipt.headers["positions"]
            )
            assert told.headers["recovered"] == "true"
            assert [missed.event()["type"] for _ in range(3)] == [
                "metadata.updated",
                "message.created",
                "metadata.updated",
            ]


def test_who_listens_to_part_of_it_is_told_how_far_all_is(
    client: Client, platform: Running
) -> None:
    with StompClient(platform.url) as listening:
        listening.subscribe("/events", "a", filter="metadata.nothing:at-all")
        begun(client, client.connect_website())

        told = listening.receive(30)
        assert told.headers["destination"] == "/positions"
        assert told.headers["subscription"] == "a"
        assert told.body == b""
        again = StompClient(platform.url)
        with again:
            receipt = again.subscribe("/events", resume_from=told.headers["positions"])
            assert receipt.headers["recovered"] == "true"


@pytest.mark.parametrize("filters", ["(", "display_name:/a+/", "unread_count:x"])
def test_a_filter_that_is_none_is_refused(filters: str, platform: Running) -> None:
    with StompClient(platform.url) as listening:
        listening.send(
            "SUBSCRIBE", {"id": "a", "destination": "/events", "filter": filters, "receipt": "r"}
        )

        told = listening.receive()
        assert told.command == "ERROR"
        assert "Failed to parse" in told.headers["message"]


def test_a_limited_token_hears_of_its_channels_alone(guarded: Running) -> None:
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as client:
        ours, theirs = client.connect_website("ours"), client.connect_website("theirs")
        made = client.call(
            "/tokens.create", {"name": "few", "scope": "read", "channel_ids": [ours["id"]]}
        )
        upgrade = {"authorization": f"Bearer {made['token']}"}
        with StompClient(guarded.url, upgrade=upgrade) as listening:
            listening.subscribe("/events", "all")
            listening.subscribe(f"/channels/{theirs['id']}", "theirs")
            begun(client, theirs)
            begun(client, ours)
            client.call("/tags.create", {"name": "vip", "color": "tag-red"})

            heard = [listening.event() for _ in range(3)]
            assert {each["type"] for each in heard} == {
                "message.created",
                "metadata.updated",
                "tag.updated",
            }
            (message,) = [each for each in heard if each["type"] == "message.created"]
            assert message["payload"]["channel_id"] == ours["id"]
            assert listening.is_quiet()


def test_the_token_of_a_source_that_was_deleted_lets_nobody_in(guarded: Running) -> None:
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as client:
        made = client.call("/sources.create", {"source_id": "brief"})
        upgrade = {"authorization": f"Bearer {made['token']}"}
        with StompClient(guarded.url, upgrade=upgrade) as listening:
            assert listening.connected.command == "CONNECTED"
        client.call("/sources.delete", {"source_id": "brief"})

    with pytest.raises(InvalidStatus):
        StompClient(guarded.url, upgrade=upgrade)
