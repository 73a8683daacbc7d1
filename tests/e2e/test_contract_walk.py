"""The contract's conformance walk, as far as it is about HTTP (appendix F)."""

from typing import Any
from uuid import UUID, uuid4

from tests.e2e.client import Client, Visitor
from tests.e2e.program import Running, until


def statuses(client: Client, conversation_id: str) -> list[int]:
    """Have done to a conversation all that can be, in the walk's order."""
    tag = {"tag_id": str(uuid4())}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("tag", tag),
        ("untag", tag),
        ("set-state", {"state": "OPEN"}),
        ("remove-state", {}),
        ("update-contact", {"display_name": "Ada"}),
        ("refetch", {}),
    ]
    asked = {"conversation_id": conversation_id}
    return [client.post(f"/conversations.{verb}", asked | more).status_code for verb, more in steps]


def test_the_walk(client: Client) -> None:
    health = client.http.get("/actuator/health")
    assert (health.status_code, health.json()) == (200, {"status": "UP"})
    config = client.call("/client.config")
    assert len(config["tag_config"]["colors"]) == 4
    assert all(service["component"] for service in config["services"].values())

    website = client.call("/channels.chatplugin.connect", {"name": "Walk"})
    assert website["metadata"]["name"] == "Walk"
    visitor = Visitor(client, website)
    assert visitor.shown == []
    said = visitor.send({"text": "Hi"})
    assert (said["delivery_state"], said["from_contact"]) == ("delivered", True)
    [conversation] = client.conversations(website["id"])
    identifier = conversation["id"]
    assert conversation["metadata"] == {
        "contact": {"display_name": f"Chatplugin {identifier[-5:]}"},
        "unread_count": 1,
    }

    def found(filters: str) -> int:
        within = f"channel_id:{website['id']} AND ({filters})"
        page = client.call("/conversations.list", {"filters": within})
        total: int = page["pagination_data"]["total"]
        return total

    until(lambda: found("unread_count:[1 TO *]") == 1)
    assert found("unread_count:0") == 0
    assert found("display_name:*chat*") == 1
    assert found("id:* AND NOT metadata.state:CLOSED") == 1
    nothing = client.call("/conversations.list", {"filters": "NOT metadata.state:CLOSED"})
    assert nothing["pagination_data"]["total"] == 0
    assert client.post("/conversations.list", {"filters": "("}).status_code == 400

    asked = {"conversation_id": identifier}
    assert client.post("/conversations.mark-read", asked).status_code == 204
    assert client.call("/conversations.info", asked)["metadata"]["unread_count"] == 0
    assert "user_read" in client.messages(identifier)[0]["metadata"]

    sent = client.post("/messages.send", asked | {"message": {"text": "Hello"}})
    assert (sent.status_code, sent.json()["delivery_state"]) == (200, "pending")
    answered, question = client.messages(identifier)
    assert (answered["id"], answered["delivery_state"]) == (sent.json()["id"], "delivered")
    assert question["id"] == said["id"]
    waiting = client.post("/messages.send", {"conversation_id": str(uuid4()), "message": "x"})
    assert (waiting.status_code, UUID(waiting.json()["id"]).version) == (202, 8)
    assert client.post("/messages.resend", {"message_id": answered["id"]}).status_code == 409

    assert statuses(client, identifier) == [204, 204, 204, 204, 204, 202]
    assert statuses(client, str(uuid4())) == [404] * 6
    for verb in ("tag", "untag", "set-state", "remove-state", "update-contact", "refetch"):
        assert client.post(f"/conversations.{verb}", {}).status_code == 400
    contact = client.call("/contacts.info", asked)
    assert contact["conversations"] == {identifier: "chatplugin"}

    back = Visitor(client, website, resume_token=visitor.resume_token())
    assert [each["content"]["text"] for each in back.shown] == ["Hi", "Hello"]

    left = {"channel_id": website["id"]}
    assert client.post("/channels.chatplugin.disconnect", left).status_code == 204
    assert website["id"] not in [each["id"] for each in client.call("/channels.list")["data"]]
    assert client.post("/messages.send", asked | {"message": "x"}).status_code == 403
    assert client.post("/chatplugin.authenticate", left).status_code == 404
    assert client.conversations(website["id"])[0]["channel"]["connected"] is False


def test_who_is_let_in(guarded: Running) -> None:
    with Client(guarded.url) as nobody:
        refused = nobody.post("/conversations.list")
        assert (refused.status_code, refused.content) == (403, b"")
    for value in ("a-system-token", "Bearer a-system-token"):
        with Client(guarded.url, {"authorization": value}) as known:
            assert known.post("/conversations.list").status_code == 200
