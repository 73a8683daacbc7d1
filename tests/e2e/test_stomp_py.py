"""An unmodified stomp.py: it hears, is kept alive, comes back and resumes."""

import json
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest
import stomp

from tests.e2e.client import Client, Website
from tests.e2e.program import Running, until

BEATS_MS = 30_000  # as the server offers
BEAT_S = 45.0
WAIT_S = 20.0


class Heard(stomp.ConnectionListener):  # type: ignore[misc]  # stomp.py has no types
    """What stomp.py tells its caller."""

    def __init__(self) -> None:
        self.messages: SimpleQueue[Any] = SimpleQueue()
        self.receipts: SimpleQueue[Any] = SimpleQueue()
        self.errors: list[Any] = []
        self.beats = 0

    def on_message(self, frame: Any) -> None:
        """Note an event."""
        self.messages.put(frame)

    def on_receipt(self, frame: Any) -> None:
        """Note a receipt."""
        self.receipts.put(frame)

    def on_error(self, frame: Any) -> None:
        """Note what is wrong."""
        self.errors.append(frame)

    def on_heartbeat(self) -> None:
        """Count a sign of life."""
        self.beats += 1


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def connection(platform: Running, heard: Heard) -> Iterator[stomp.WSConnection]:
    """A connection of stomp.py, which is connected."""
    connection = stomp.WSConnection(
        [("127.0.0.1", platform.home.port)],
        ws_path="/ws.communication",
        heartbeats=(BEATS_MS, BEATS_MS),
    )
    connection.set_listener("heard", heard)
    connection.connect(wait=True)
    yield connection
    if connection.is_connected():
        connection.disconnect()


def subscribe(connection: stomp.WSConnection, heard: Heard, **headers: str) -> dict[str, str]:
    """Subscribe to everything; return the headers of the receipt."""
    told = {key.replace("_", "-"): value for key, value in headers.items()}
    connection.subscribe("/events", id="sub-0", headers={"receipt": "subscribed"} | told)
    receipt = heard.receipts.get(timeout=WAIT_S)
    assert receipt.headers["receipt-id"] == "subscribed"
    receipt_headers: dict[str, str] = receipt.headers
    return receipt_headers


def message(heard: Heard, text: str) -> Any:
    """Return the frame that tells of a message."""
    while True:
        frame = heard.messages.get(timeout=WAIT_S)
        told: Any = json.loads(frame.body) if frame.body else {"type": "positions"}
        is_message = told["type"] == "message.created"
        if is_message and told["payload"]["message"]["content"] == {"text": text}:
            return frame


def test_it_hears_and_is_kept_alive(
    connection: stomp.WSConnection, heard: Heard, client: Client
) -> None:
    website = Website(client)
    subscribe(connection, heard)
    website.visitor.send({"text": "before"})
    assert message(heard, "before").headers["destination"] == "/events"
    until(lambda: heard.beats > 0, BEAT_S)
    website.visitor.send({"text": "after 👋"})

    assert message(heard, "after 👋").headers["subscription"] == "sub-0"
    assert connection.is_connected()
    assert heard.errors == []


def test_it_resumes_after_it_was_away(
    connection: stomp.WSConnection, heard: Heard, client: Client
) -> None:
    website = Website(client)
    positions = subscribe(connection, heard)["positions"]
    connection.disconnect(receipt="bye")
    assert heard.receipts.get(timeout=WAIT_S).headers["receipt-id"] == "bye"
    until(lambda: not connection.is_connected())
    for text in ("missed", "missed too"):
        website.visitor.send({"text": text})
    connection.connect(wait=True)
    told = subscribe(connection, heard, resume_from=positions)
    website.visitor.send({"text": "new"})

    assert told["recovered"] == "true"
    frames = [message(heard, text) for text in ("missed", "missed too", "new")]
    assert len({each.headers["position"] for each in frames}) == 3
    assert heard.errors == []
