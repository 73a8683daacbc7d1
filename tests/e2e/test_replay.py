"""History is processed again while the platform runs: nobody waits for it, and nothing is lost."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.e2e import platforms
from tests.e2e.client import Client
from tests.e2e.program import Running, home, started, until

AGENT = "agent of the past"
SETTINGS = {"partitions": 2, "sources": {"google": {"partner_key": platforms.PARTNER_KEY}}}
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with home(SETTINGS) as at, started(at) as program:
        yield program


def receive(client: Client, name: str, who: str) -> int:
    body = platforms.agent_body(AGENT, who, name, f"text {name}", "2025-11-21T08:00:00.000Z")
    return client.send("/webhooks/google", body, platforms.signed_by_google(body)).status_code


def phase(client: Client, wanted: str) -> bool:
    told = client.call("/replay.status")
    assert told["phase"] != "failed", told
    return bool(told["phase"] == wanted)


class Traffic:
    """Messages that come in, and lists that are read, until it ends."""

    def __init__(self, client: Client) -> None:
        self.acknowledged: list[str] = []
        self.failures: list[object] = []
        self.longest_s = 0.0
        self._client = client
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with Client(self._client.url) as client:
            number = 0
            while not self._over.is_set():
                name = f"meanwhile-{number}"
                number += 1
                began = time.monotonic()
                status = receive(client, name, f"contact-{number % 5}")
                listed = client.post("/conversations.list", {})
                self.longest_s = max(self.longest_s, time.monotonic() - began)
                if status == 200:
                    self.acknowledged.append(name)
                if status != 200 or not listed.is_success:
                    self.failures.append((status, listed.status_code))


def names(client: Client, channel: str) -> list[str]:
    return [
        message["metadata"]["source"]["id"]
        for conversation in client.conversations(channel)
        for message in client.messages(conversation["id"])
    ]


def test_history_is_processed_again_while_messages_come_in(running: Running) -> None:
    with Client(running.url) as client:
        channel = client.connect_agent(AGENT)["id"]
        sent = [f"before-{number}" for number in range(100)]
        assert {receive(client, name, f"contact-{name[-1]}") for name in sent} == {200}
        client.settle()
        with Traffic(client) as traffic:
            client.call("/replay.start")
            until(lambda: phase(client, "ready"), WITHIN_S)
            differing = client.call("/replay.status")["differences"]
            client.call("/replay.swap")
            until(lambda: phase(client, "swapped"), WITHIN_S)
            client.call("/replay.rollback")
            until(lambda: phase(client, "rolled back"), WITHIN_S)
        client.settle()

        assert differing == []
        assert traffic.failures == []
        assert sorted(names(client, channel)) == sorted(sent + traffic.acknowledged)


def test_a_part_of_history_is_processed_again(running: Running) -> None:
    with Client(running.url) as client:
        (channel,) = {each["channel"]["id"] for each in client.call("/conversations.list")["data"]}
        before = client.conversations(channel)
        client.call("/replay.start", {"conversations": [before[0]["id"]]})
        until(lambda: phase(client, "ready"), WITHIN_S)
        selected = client.call("/replay.status")["conversations"]
        client.call("/replay.swap")
        until(lambda: phase(client, "swapped"), WITHIN_S)
        too_late = client.post("/replay.cancel")
        nothing = client.post("/replay.start", {"sources": ["gogle"]})

        assert selected == 1
        assert too_late.status_code == 409
        assert nothing.status_code == 400
        assert "only of google" in nothing.json()["message"]
        (newest,) = client.call("/audit.list", {"page_size": 1})["data"]
        assert newest["action"] == "replay.swap"
        assert client.conversations(channel) == before
