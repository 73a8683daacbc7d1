"""`/ws.chatplugin`: what visitors of a website hear (contract: platform API §12.3)."""

import json
from contextlib import ExitStack

import pytest

from tests.e2e.client import Client, Visitor, Website
from tests.e2e.program import Running
from tests.e2e.stomp_client import StompClient

CHATPLUGIN = "/ws.chatplugin"


@pytest.fixture
def website(client: Client) -> Website:
    return Website(client)


def tab(platform: Running, visitor: Visitor) -> StompClient:
    """Return one of a visitor's tabs, connected."""
    return StompClient(platform.url, CHATPLUGIN, Authorization=f"Bearer {visitor.token}")


@pytest.mark.parametrize("kind", ["none", "undefined", "forged", "to come back with"])
def test_a_visitor_without_a_good_token_is_told_401(
    platform: Running, website: Website, kind: str
) -> None:
    token = {
        "undefined": "undefined",
        "forged": website.visitor.token[:-4] + "AAAA",
        "to come back with": website.visitor.resume_token(),
    }.get(kind)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with StompClient(platform.url, CHATPLUGIN, upgrade=None, **headers) as refused:
        assert refused.connected.command == "ERROR"
        assert "401" in refused.connected.headers["message"]
        assert refused.is_closed()


def test_a_visitors_messages_come_to_all_their_tabs_and_to_nobody_else(
    platform: Running, website: Website
) -> None:
    stranger = Visitor(website.client, website.channel)
    stranger.send({"text": "Hi"})
    with ExitStack() as open_tabs:
        tabs = [open_tabs.enter_context(tab(platform, website.visitor)) for _ in range(3)]
        elsewhere = open_tabs.enter_context(tab(platform, stranger))
        for each in [*tabs, elsewhere]:
            each.subscribe("/user/queue/message")
        sent = website.visitor.send({"text": "mine"})

        for each in tabs:
            frame = each.receive()
            assert frame.headers["destination"] == "/user/queue/message"
            assert json.loads(frame.body) == {
                "conversation_id": website.conversation["id"],
                "channel_id": website.channel["id"],
                "message": sent,
            }
            assert each.is_quiet()
        assert elsewhere.is_quiet()


def test_an_answer_comes_to_the_visitor_once_and_as_delivered(
    platform: Running, website: Website
) -> None:
    with tab(platform, website.visitor) as visitor:
        visitor.subscribe("/user/queue/message")
        sent = website.answer("Hello")
        told = visitor.event()

        assert told["message"]["id"] == sent["id"]
        assert told["message"]["content"] == {"text": "Hello"}
        assert told["message"]["delivery_state"] == "delivered"
        assert visitor.is_quiet()


def test_a_visitor_hears_nothing_of_what_agents_hear(platform: Running, website: Website) -> None:
    with tab(platform, website.visitor) as visitor:
        visitor.subscribe("/events", "a")
        visitor.subscribe(f"/conversations/{website.conversation['id']}", "b")
        website.visitor.send({"text": "Hi"})

        assert visitor.connected.headers["user-name"] == website.conversation["id"]
        assert visitor.is_quiet()
