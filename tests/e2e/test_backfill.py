"""What was written to a page before it was connected is here, and news to nobody."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from airy_ray.clock import Millis, now_millis
from tests.e2e import platforms
from tests.e2e.client import Client
from tests.e2e.platforms import Answer, GraphApi
from tests.e2e.program import until
from tests.e2e.receiver import Receiver
from tests.e2e.test_outbound_webhooks import subscribed


def told(page: str, person: str, at: Millis, *texts: str) -> dict[str, Any]:
    """Return a conversation as Meta tells it: the page wrote first, then the person."""
    writers = [page] + [person] * (len(texts) - 1)
    messages = [
        {
            "id": f"m_{person}_{number}",
            "created_time": _time(at + 1_000 * number),
            "from": {"id": writer},
            "message": text,
        }
        for number, (writer, text) in enumerate(zip(writers, texts, strict=True))
    ]
    both = [{"id": page, "name": "A page"}, {"id": person, "name": "Grace"}]
    return {
        "id": f"t_{person}",
        "updated_time": _time(at + 1_000 * len(texts)),
        "unread_count": 1,
        "participants": {"data": both},
        "messages": {"data": messages[::-1]},
    }


def test_the_past_of_a_page_is_here_and_news_to_nobody(client: Client, graph_api: GraphApi) -> None:
    page, person = (f"{uuid4().int % 10**15}" for _ in range(2))
    word = f"w{uuid4().hex}"
    at = Millis(now_millis() + 1_000)  # what a webhook hears of is not older than it
    answered = {"data": [told(page, person, at, "Can I help?", "No", f"Yes {word}")]}
    answer = Answer(200, json.dumps(answered).encode())
    graph_api.answers[f"/v25.0/{page}/conversations"].append(answer)
    receiver = Receiver()
    receiver.start()
    try:
        with subscribed(client, receiver) as hook:
            asked = {"page_id": page, "page_token": "EAAuser", "name": "A page"}
            channel = client.call("/channels.facebook.connect", asked)["id"]
            until(lambda: client.conversations(channel))
            conversation = client.conversations(channel)[0]["id"]
            past = until(lambda: _all(client.messages(conversation), 3))
            body = platforms.page_body(page, person, f"m_{person}_2", "told before")
            news = platforms.page_body(page, person, f"m_{page}", "Hello", at + 10_000)
            for each in (body, news):
                client.send("/webhooks/facebook", each, platforms.signed_by_meta(each))
            newest, *_ = until(lambda: _all(client.messages(conversation), 4))
            heard = until(lambda: _messages_heard(receiver, hook))
    finally:
        receiver.stop()

    [listed] = client.conversations(channel)
    assert listed["metadata"]["unread_count"] == 2
    assert [each["content"]["message"]["text"] for each in past] == [
        f"Yes {word}",
        "No",
        "Can I help?",
    ]
    assert [each["from_contact"] for each in past] == [True, True, False]
    assert {each["delivery_state"] for each in past} == {"delivered"}
    assert heard == {newest["id"]}
    assert not [each for each in graph_api.sent if each.body.get("recipient") == {"id": person}]
    until(lambda: client.call("/messages.search", {"query": word})["data"])
    shown = client.call("/channels.info", {"channel_id": channel})["metadata"]["backfill"]
    assert shown == {"state": "done", "conversations": 1.0, "messages": 3.0}


def _all(found: list[Any], count: int) -> list[Any]:
    return found if len(found) == count else []


def _time(at: int) -> str:
    return datetime.fromtimestamp(at // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _messages_heard(receiver: Receiver, hook: dict[str, Any]) -> set[str]:
    """Return the messages that a webhook has heard of."""
    calls = receiver.at(hook["url"].removeprefix(receiver.url))
    payloads = [each.body["payload"] for each in calls if each.kind.startswith("message.")]
    return {each["message"]["id"] for each in payloads}
