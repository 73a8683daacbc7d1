"""Messages really leave: to the platforms as they are played, with what they answer, and killed."""

import json
import os
import signal
import time
from threading import Event
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e import platforms, recorded
from tests.e2e.client import Agent, Client
from tests.e2e.platforms import Answer, GraphApi, Played, Sent
from tests.e2e.program import Running, descendants, until

COURIER = "airy_ray.cluster.delivering"
BACK_S = 60.0


class Page:
    """A page that is connected, and the contact who wrote to it."""

    def __init__(self, client: Client, graph_api: GraphApi) -> None:
        self.client = client
        self.api = graph_api
        self.id = f"{uuid4().int % 10**15}"
        asked = {"page_id": self.id, "page_token": "EAAuser", "name": "A page"}
        self.channel = client.call("/channels.facebook.connect", asked)
        self.tell(platforms.page_body(self.id, "ada", f"m_{self.id}", "Hi"))
        [conversation] = until(lambda: client.conversations(self.channel["id"]))
        self.conversation: str = conversation["id"]

    def tell(self, body: bytes) -> None:
        sent = self.client.send("/webhooks/facebook", body, platforms.signed_by_meta(body))
        assert sent.status_code == 200

    def send(self, text: str) -> Any:
        asked = {"conversation_id": self.conversation, "message": {"text": text}}
        return self.client.call("/messages.send", asked)

    def message(self, sent: Any) -> Any:
        """Return a message as it is now."""
        messages = self.client.messages(self.conversation)
        return next(each for each in messages if each["id"] == sent["id"])

    def settled(self, sent: Any) -> Any:
        """Return a message once it is not pending any more."""
        until(lambda: self.message(sent)["delivery_state"] != "pending", BACK_S)
        return self.message(sent)

    def taken(self) -> list[Sent]:
        """Return what reached the platform for it, oldest first."""
        return [each for each in self.api.sent if each.text.startswith(self.id)]

    def event(self, **told: Any) -> None:
        """Have Meta tell of something."""
        at = int(time.time() * 1_000) + 1_000
        item = {"sender": {"id": "ada"}, "recipient": {"id": self.id}, "timestamp": at, **told}
        entry = {"id": self.id, "time": at, "messaging": [item]}
        self.tell(json.dumps({"object": "page", "entry": [entry]}).encode())


class Chat:
    """A bot that is connected, and the chat with somebody who wrote to it."""

    def __init__(self, client: Client, played: Played) -> None:
        self.client = client
        self.api = played.telegram
        self.id = uuid4().int % 10**10
        self.channel = client.call("/channels.telegram.connect", {"bot_token": played.bot_token})
        self._place = {"chat": {"id": self.id, "type": "private"}, "from": {"id": self.id}}
        self.update("message", message_id=1, text="Hi", **self._place)
        until(lambda: self._conversations())
        self.conversation: str = self._conversations()[0]["id"]

    def update(self, kind: str, **told: Any) -> None:
        """Have Telegram tell of something, where it was told to and with the secret for it."""
        webhook = self.api.webhooks[self.channel["source_channel_id"]]
        body = json.dumps({"update_id": 1, kind: told}).encode()
        headers = {"content-type": "application/json", recorded.BOT_SECRET: webhook["secret_token"]}
        path = webhook["url"].removeprefix(self.client.url)
        assert self.client.send(path, body, headers).status_code == 200

    def press(self, button: str) -> None:
        message = self._place | {"message_id": 2}
        self.update("callback_query", id=button, message=message, **{"from": self._place["from"]})

    def settled(self, **content: Any) -> Any:
        """Return a message once it is not pending any more."""
        asked = {"conversation_id": self.conversation, "message": content}
        sent = self.client.call("/messages.send", asked)
        until(lambda: self._newest()["delivery_state"] != "pending", BACK_S)
        assert self._newest()["id"] == sent["id"]
        return self._newest()

    def taken(self) -> list[Any]:
        """Return what reached Telegram for it, oldest first."""
        return [each.content for each in self.api.intake.taken if each.to == str(self.id)]

    def _newest(self) -> Any:
        return self.client.messages(self.conversation)[0]

    def _conversations(self) -> list[Any]:
        listed = self.client.conversations(self.channel["id"])
        return [each for each in listed if each["last_message"]["sender"]["id"] == str(self.id)]


@pytest.fixture
def chat(client: Client, played: Played) -> Chat:
    return Chat(client, played)


@pytest.fixture
def page(client: Client, graph_api: GraphApi) -> Page:
    return Page(client, graph_api)


def courier(platform: Running) -> int | None:
    found = [pid for pid, name in descendants(platform.process.pid).items() if COURIER in name]
    return found[0] if len(found) == 1 else None


def test_a_message_is_delivered_and_then_seen(page: Page) -> None:
    text = f"{page.id} Hello"
    sent = page.send(text)
    delivered = page.settled(sent)
    [taken] = page.taken()

    assert (sent["delivery_state"], delivered["delivery_state"]) == ("pending", "delivered")
    assert delivered["metadata"]["source"]["id"] == taken.known_as
    assert taken.token == recorded.response("facebook", "api_page.json")["access_token"]
    assert taken.body == {
        "recipient": {"id": "ada"},
        "message": {"text": text},
        "messaging_type": "RESPONSE",
    }

    page.event(delivery={"mids": [taken.known_as]})
    until(lambda: page.message(sent)["metadata"]["source"].get("delivery_state") == "delivered")
    page.event(read={"watermark": int(time.time() * 1_000) + 1_000})
    until(lambda: page.message(sent)["metadata"]["source"]["delivery_state"] == "seen")


def test_the_platforms_own_echo_of_it_is_not_another_message(page: Page) -> None:
    sent = page.send(f"{page.id} Hello")
    page.settled(sent)
    [taken] = page.taken()
    page.event(
        sender={"id": page.id},
        recipient={"id": "ada"},
        message={"mid": taken.known_as, "is_echo": True, "text": taken.text},
    )
    page.client.settle()

    assert len(page.client.messages(page.conversation)) == 2


def test_a_refusal_is_told_and_a_resend_is_delivered(page: Page) -> None:
    text = f"{page.id} Hello"
    refusal = (recorded.FIXTURES / "facebook" / "out_error_window.json").read_bytes()
    page.api.answers[text].append(Answer(400, refusal))
    failed = page.settled(page.send(text))

    assert failed["delivery_state"] == "failed"
    assert failed["metadata"]["error"] == json.loads(refusal)["error"]["message"]
    assert failed["metadata"]["source"]["error"] == refusal.decode()

    page.client.call("/messages.resend", {"message_id": failed["id"]})
    until(lambda: page.message(failed)["delivery_state"] == "delivered")
    assert "error" not in page.message(failed)["metadata"]
    assert len(page.taken()) == 2


def test_messages_of_a_conversation_go_in_order_past_a_limit_that_is_met(page: Page) -> None:
    texts = [f"{page.id} {number}" for number in range(10)]
    page.api.answers[texts[3]].append(Answer(429, b"slow down", {"retry-after": "1"}))
    sent = [page.send(text) for text in texts]

    assert {page.settled(each)["delivery_state"] for each in sent} == {"delivered"}
    assert [each.text for each in page.taken()] == [*texts[:4], *texts[3:]]


def test_google_takes_a_message_under_our_id(
    client: Client, agent: Agent, graph_api: GraphApi
) -> None:
    agent.receive("m1", contact="ada")
    [conversation] = agent.conversations(1)
    asked = {"conversation_id": conversation["id"], "message": {"text": f"{agent.name} Hello"}}
    sent = client.call("/messages.send", asked)
    until(lambda: client.messages(conversation["id"])[0]["delivery_state"] == "delivered")
    [taken] = [each for each in graph_api.sent if each.text == f"{agent.name} Hello"]

    assert (taken.path, taken.token) == ("/v1/conversations/ada/messages", platforms.GOOGLE_TOKEN)
    assert taken.known_as == sent["id"]


def test_a_message_to_telegram_is_delivered_in_parts_if_it_is_too_long(chat: Chat) -> None:
    short = chat.settled(text="Hello")
    long = chat.settled(text="a" * 4_000 + " " + "b" * 1_000)

    assert chat.taken() == [
        {"text": text, "chat_id": str(chat.id)} for text in ("Hello", "a" * 4_000, "b" * 1_000)
    ]
    assert {each["delivery_state"] for each in (short, long)} == {"delivered"}
    assert short["metadata"]["source"]["id"].startswith(f"{chat.id}:")


def test_who_began_with_a_bot_before_it_was_connected_can_be_written_to(chat: Chat) -> None:
    recipient = str(uuid4().int % 10**10)
    asked = {
        "channel_id": chat.channel["id"],
        "source_recipient_id": recipient,
        "message": {"text": "Hello"},
    }
    chat.client.call("/messages.send", asked)

    until(lambda: recipient in [each.to for each in chat.api.intake.taken], BACK_S)


def test_who_has_blocked_a_bot_gets_nothing_of_it(chat: Chat) -> None:
    chat.api.blocked_by.add(str(chat.id))
    failed = chat.settled(text="Hello")

    assert failed["delivery_state"] == "failed"
    assert failed["metadata"]["error"] == "Forbidden: bot was blocked by the user"
    assert json.loads(failed["metadata"]["source"]["error"])["error_code"] == 403


def test_who_presses_a_button_is_not_left_waiting(chat: Chat) -> None:
    button = uuid4().hex
    chat.press(button)

    until(lambda: button in chat.api.answered)
    until(lambda: len(chat.client.messages(chat.conversation)) == 2)


def test_a_courier_that_is_killed_during_a_call_sends_nothing_twice(
    page: Page, platform: Running
) -> None:
    first, second = f"{page.id} first", f"{page.id} second"
    let_go = Event()
    page.api.answers[first].append(Answer(200, b'{"message_id":"m"}', held_until=let_go))
    sent, following = page.send(first), page.send(second)
    until(lambda: [each.text for each in page.taken()] == [first])
    killed = until(lambda: courier(platform))
    os.kill(killed, signal.SIGKILL)
    let_go.set()
    until(lambda: courier(platform) not in (None, killed), BACK_S)

    failed = page.settled(sent)
    assert failed["delivery_state"] == "failed"
    assert failed["metadata"]["error"].startswith("delivery uncertain")
    assert page.settled(following)["delivery_state"] == "delivered"
    assert [each.text for each in page.taken()] == [first, second]
