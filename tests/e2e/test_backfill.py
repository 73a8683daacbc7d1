"""What was written to a page before it was connected is here, and news to nobody."""

import json
from typing import Any
from uuid import uuid4

from tests.e2e import platforms
from tests.e2e.client import Client
from tests.e2e.platforms import Answer, GraphApi
from tests.e2e.program import until
from tests.e2e.receiver import Receiver
from tests.e2e.test_outbound_webhooks import subscribed


def told(page: str, person: str, *texts: str) -> dict[str, Any]:
    """Return a conversation as Meta tells it: the page wrote first, then the person."""
    writers = [page] + [person] * (len(texts) - 1)
    messages = [
        {
            "id": f"m_{person}_{number}",
            "created_time": f"2025-11-21T08:00:0{number}+0000",
            "from": {"id": writer},
            "message": text,
        }
        for number, (writer, text) in enumerate(zip(writers, texts, strict=True))
    ]
    both = [{"id": page, "name": "A page"}, {"id": person, "name": "Grace"}]
    return {
        "id": f"t_{person}",
        "updated_time": "2025-11-21T08:00:09+0000",
        "unread_count": 1,
        "participants": {"data": both},
        "messages": {"data": messages[::-1]},
    }


def test_the_past_of_a_page_is_here_and_news_to_nobody(client: Client, graph_api: GraphApi) -> None:
    page, person = (f"{uuid4().int % 10**15}" for _ in range(2))
    word = f"w{uuid4().hex}"
    listed = {"data": [told(page, person, "Can I help?", "No", f"Yes {word}")]}
    answer = Answer(200, json.dumps(listed).encode())
    graph_api.answers[f"/v25.0/{page}/conversations"].append(answer)
    receiver = Receiver()
    receiver.start()
    try:
        with subscribed(client, receiver) as hook:
            asked = {"page_id": page, "page_token": "EAAuser", "name": "A page"}
            channel = client.call("/channels.facebook.connect", asked)["id"]
            until(lambda: client.conversations(channel))
            past = client.messages(client.conversations(channel)[0]["id"])
            body = platforms.page_body(page, person, f"m_{person}_2", "told before")
            news = platforms.page_body(
                page, person, f"m_{page}", "Hello", platforms.SENT_AT + 10_000
            )
            for each in (body, news):
                client.send("/webhooks/facebook", each, platforms.signed_by_meta(each))
            until(lambda: len(client.messages(client.conversations(channel)[0]["id"])) == 4)
            heard = until(lambda: _messages_heard(receiver, hook))
    finally:
        receiver.stop()

    [conversation] = client.conversations(channel)
    assert conversation["metadata"]["unread_count"] == 2
    assert [each["content"]["message"]["text"] for each in past] == [
        f"Yes {word}",
        "No",
        "Can I help?",
    ]
    assert [each["from_contact"] for each in past] == [True, True, False]
    assert {each["delivery_state"] for each in past} == {"delivered"}
    assert heard == {client.messages(conversation["id"])[0]["id"]}
    assert not [each for each in graph_api.sent if each.body.get("recipient") == {"id": person}]
    until(lambda: client.call("/messages.search", {"query": word})["data"])
    shown = client.call("/channels.info", {"channel_id": channel})["metadata"]["backfill"]
    assert shown == {"state": "done", "conversations": 1.0, "messages": 3.0}


def _messages_heard(receiver: Receiver, hook: dict[str, Any]) -> set[str]:
    """Return the messages that a webhook has heard of."""
    calls = receiver.at(hook["url"].removeprefix(receiver.url))
    payloads = [each.body["payload"] for each in calls if each.kind.startswith("message.")]
    return {each["message"]["id"] for each in payloads}
