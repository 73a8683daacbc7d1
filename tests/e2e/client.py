"""The platform over HTTP: its API, the webhooks of its sources, and when it has come to rest."""

import json
import re
from collections.abc import Mapping
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.e2e import platforms
from tests.e2e.program import until

_LAG = re.compile(r"^airy_log_lag\{.*\} (\S+)$", re.MULTILINE)
_HEAD = re.compile(r"^airy_log_head\{partition=\"(\w+)\"\} (\S+)$", re.MULTILINE)


class Client:
    """Somebody who calls the platform."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=30, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, path: str, asked: Any = None, **headers: str) -> httpx.Response:
        """Call an endpoint; without anything to ask, with an empty body, as the clients do."""
        content = b"" if asked is None else json.dumps(asked).encode()
        return self.post_bytes(path, content, **headers)

    def post_bytes(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        """Call an endpoint with a body as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(
            path, content=content, headers={"content-type": "application/json"} | named
        )

    def call(self, path: str, asked: Any = None, **headers: str) -> Any:
        """Return what an endpoint answers; nothing, if that has no body."""
        response = self.post(path, asked, **headers)
        assert response.is_success, f"{response.status_code} {response.text}"
        return response.json() if response.content else None

    def conversations(self, *channel_ids: str) -> list[Any]:
        """Return the conversations on some channels, as they are listed."""
        listed = self.call("/conversations.list", {"page_size": 10_000})["data"]
        return [each for each in listed if each["channel"]["id"] in channel_ids]

    def messages(self, conversation_id: str) -> list[Any]:
        """Return the messages of a conversation, newest first."""
        asked = {"conversation_id": conversation_id, "page_size": 10_000}
        messages: list[Any] = self.call("/messages.list", asked)["data"]
        return messages

    def metrics(self) -> str:
        """Return what Prometheus reads."""
        return self.http.get("/actuator/prometheus").text

    def heads(self) -> dict[str, int]:
        """Return how many records each partition's log has taken."""
        return {name: int(float(head)) for name, head in _HEAD.findall(self.metrics())}

    def settle(self) -> None:
        """Wait until all that was taken has been folded."""
        until(lambda: all(float(lag) == 0 for lag in _LAG.findall(self.metrics())))

    def connect_agent(self, agent: str, name: str = "An agent") -> Any:
        """Connect an agent of Google."""
        return self.call("/channels.google.connect", {"gbm_id": agent, "name": name})

    def connect_website(self, name: str = "A website") -> Any:
        """Connect a website."""
        return self.call("/channels.chatplugin.connect", {"name": name})

    def send(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Send a webhook."""
        return self.http.post(path, content=body, headers=dict(headers))


class Agent:
    """An agent of Google's that is connected, whose contacts write to it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.name = f"agent-{uuid4().hex[:12]}"
        self.channel = client.connect_agent(self.name)

    def receive(
        self,
        name: str,
        *,
        contact: str = "ada",
        text: str = "Hi",
        sent_at: str = "2025-11-21T08:00:00.000Z",
    ) -> None:
        """Have a contact write to it."""
        body = platforms.agent_body(self.name, contact, name, text, sent_at)
        sent = self.client.send("/webhooks/google", body, platforms.signed_by_google(body))
        assert sent.status_code == 200

    def conversations(self, count: int) -> list[Any]:
        """Return its conversations, once it has so many."""
        found: list[Any] = until(
            lambda: _enough(self.client.conversations(self.channel["id"]), count)
        )
        return found

    def messages(self, count: int, conversation_id: str | None = None) -> list[Any]:
        """Return the messages of its conversation, newest first, once it has so many."""
        identifier = conversation_id or self.conversations(1)[0]["id"]
        found: list[Any] = until(lambda: _enough(self.client.messages(identifier), count))
        return found


class Visitor:
    """Somebody on a website, as the chat plugin acts for them."""

    def __init__(self, client: Client, website: Any, **asked: str) -> None:
        self.client = client
        told = client.call("/chatplugin.authenticate", {"channel_id": website["id"]} | asked)
        self.token: str = told["token"]
        self.shown: list[Any] = told["messages"]

    def send(self, message: Any) -> Any:
        """Write something."""
        bearer = f"Bearer {self.token}"
        return self.client.call("/chatplugin.send", {"message": message}, authorization=bearer)

    def resume_token(self) -> str:
        """Return a token to come back with."""
        bearer = f"Bearer {self.token}"
        token: str = self.client.call("/chatplugin.resumeToken", {}, authorization=bearer)[
            "resume_token"
        ]
        return token


class Website:
    """A website, a visitor who has written, and their conversation."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.channel = client.connect_website()
        self.visitor = Visitor(client, self.channel)
        self.first = self.visitor.send({"text": "Hi"})
        (self.conversation,) = client.conversations(self.channel["id"])

    def answer(self, text: str) -> Any:
        """Have an agent write to the visitor."""
        asked = {"conversation_id": self.conversation["id"], "message": {"text": text}}
        return self.client.call("/messages.send", asked)


def _enough(found: list[Any], count: int) -> list[Any]:
    assert len(found) <= count
    return found if len(found) == count else []
