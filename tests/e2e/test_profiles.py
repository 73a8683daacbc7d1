"""A contact has the name and picture that Messenger tells, and the new one if somebody asks."""

from typing import Any
from uuid import uuid4

from tests.e2e import platforms
from tests.e2e.client import Client
from tests.e2e.platforms import GraphApi
from tests.e2e.program import until

GRACE = {"first_name": "Grace", "last_name": "Murray", "profile_pic": "https://p.example.org/1"}


def test_a_contact_is_called_as_messenger_tells(client: Client, graph_api: GraphApi) -> None:
    page, person = (f"{uuid4().int % 10**15}" for _ in range(2))
    graph_api.people[person] = GRACE
    asked = {"page_id": page, "page_token": "EAAuser", "name": "A page"}
    channel = client.call("/channels.facebook.connect", asked)

    def contact() -> Any:
        """Return what the conversation with the person says of them."""
        listed = client.conversations(channel["id"])
        return listed[0]["metadata"]["contact"] if listed else {}

    body = platforms.page_body(page, person, f"m_{page}", "Hi")
    sent = client.send("/webhooks/facebook", body, platforms.signed_by_meta(body))
    assert sent.status_code == 200
    until(lambda: contact().get("fetch_state") == "ok")
    assert contact()["display_name"] == "Grace Murray"
    assert contact()["avatar_url"] == "https://p.example.org/1"

    graph_api.people[person] = GRACE | {"last_name": "Hopper"}
    conversation = client.conversations(channel["id"])[0]["id"]
    client.call("/conversations.refetch", {"conversation_id": conversation})
    until(lambda: contact()["display_name"] == "Grace Hopper")
    assert [path for _, path, _ in graph_api.calls if path.endswith(person)] == [
        f"/v25.0/{person}"
    ] * 2
