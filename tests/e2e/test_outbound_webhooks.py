"""Webhooks are called: managed over HTTP, signed, and called again (contract: §7.9, §10)."""

import hmac
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_connection
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from airy_ray.serve.ports import free_port
from tests.e2e.client import Client, Visitor
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.program import Running, until
from tests.e2e.receiver import Called, Receiver, Reply

REPOSITORY = Path(__file__).parents[2]
BOT = REPOSITORY / "deploy" / "examples" / "webhook_bot"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    started.start()
    yield started
    started.stop()


@pytest.fixture
def visitor(client: Client) -> Visitor:
    return Visitor(client, client.call("/channels.chatplugin.connect", {"name": str(uuid4())}))


@contextmanager
def subscribed(client: Client, receiver: Receiver, **fields: Any) -> Iterator[dict[str, Any]]:
    """Subscribe the receiver at a path of its own, until the end of a test."""
    asked = {"url": f"{receiver.url}/{uuid4()}", "signature_key": KEY} | fields
    made = client.call("/webhooks.subscribe", asked)
    try:
        yield made
    finally:
        client.call("/webhooks.unsubscribe", {"id": made["id"]})


def calls(receiver: Receiver, hook: dict[str, Any], message: dict[str, Any]) -> list[Called]:
    """Return the calls of a webhook that tell of a message."""
    found = receiver.at(hook["url"].removeprefix(receiver.url))
    return [each for each in found if message["id"] in each.raw.decode()]


def measured(metrics: str, name: str, hook: dict[str, Any]) -> float:
    """Return what a metric says of a webhook."""
    [figure] = re.findall(f'airy_publisher_{name}{{webhook="{hook["id"]}"}} (.+)', metrics)
    return float(figure)


def test_who_subscribes_is_called_signed_and_again_when_back(
    client: Client, receiver: Receiver, visitor: Visitor
) -> None:
    with subscribed(client, receiver, headers={"X-Team": "support"}) as hook:
        first = visitor.send({"text": "Hello"})
        until(lambda: len(calls(receiver, hook, first)) >= 3)
        created, updated, conversation = calls(receiver, hook, first)[:3]

        assert [each.kind for each in (created, updated, conversation)] == [
            "message.created",
            "message.updated",
            "conversation.updated",
        ]
        for each in (created, updated, conversation):
            Webhook(KEY).verify(each.raw, dict(each.headers))
            signature = hmac.new(KEY.encode(), each.raw, "sha256").hexdigest()
            assert each.headers["x-airy-content-signature"] == signature
        assert created.headers["x-team"] == "support"
        assert created.body["payload"]["message"] == first | {"metadata": None}

        one = {"id": hook["id"]}
        receiver.stop()
        second, third = visitor.send({"text": "Are you there?"}), visitor.send({"text": "Hello?"})
        until(lambda: client.call("/webhooks.status", one)["waiting"] >= 4)
        receiver.start()
        until(lambda: len(calls(receiver, hook, third)) >= 3)
        assert calls(receiver, hook, second)
        until(lambda: client.call("/webhooks.status", one)["waiting"] == 0)

        page = client.call("/webhooks.attempts", one | {"page_size": 100})
        outcomes = {each["event_id"]: each["outcome"] for each in reversed(page["data"])}
        assert set(outcomes.values()) == {"delivered"}
        assert {each["answer"] for each in page["data"]} == {"ok", None}
        assert any(each["outcome"] == "failed" and each["error"] for each in page["data"])
        until(lambda: measured(client.metrics(), "behind", hook) == 0)
        metrics = client.metrics()
        for name in ("waiting", "dead", "failing_seconds", "disabled"):
            assert measured(metrics, name, hook) == 0
        assert measured(metrics, "delivered", hook) >= 9
        assert measured(metrics, "failed_attempts", hook) >= 1
        told = "".join(str(page)) + str(client.call("/webhooks.list"))
        assert KEY not in told


@pytest.fixture
def bot(platform: Running) -> Iterator[str]:
    """Run the example of a bot; return where it is called."""
    port = free_port()
    command = ["-m", "uvicorn", "--app-dir", str(BOT), "--port", str(port), "bot:app"]
    environment = platform.home.environment() | {"AIRY_URL": platform.url, "WEBHOOK_KEY": KEY}
    process = subprocess.Popen([sys.executable, *command], cwd=REPOSITORY, env=environment)
    try:
        until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


def listens(port: int) -> bool:
    with suppress(OSError), create_connection(("127.0.0.1", port)):
        return True
    return False


def test_the_bot_of_the_example_answers_once_however_often_it_is_called(
    client: Client, receiver: Receiver, bot: str
) -> None:
    website = client.connect_website()
    visitor = Visitor(client, website)
    with subscribed(client, receiver, url=bot, events=["message.created"]) as hook:
        one = {"id": hook["id"]}

        def delivered() -> list[str]:
            """Return which events were delivered to it, oldest first."""
            page = client.call("/webhooks.attempts", one | {"page_size": 100})["data"]
            return [each["event_id"] for each in page[::-1] if each["outcome"] == "delivered"]

        visitor.send({"text": "Hello"})
        first, answered = until(lambda: (ids := delivered())[1:] and ids)
        client.call("/webhooks.replay", one | {"event_id": first})
        until(lambda: delivered() == [first, answered, first])
        visitor.send({"text": "Bye"})
        until(lambda: len(delivered()) == 5)
        forged = client.http.post(bot, json={}, headers={"webhook-id": first})

    again = Visitor(client, website, resume_token=visitor.resume_token())
    texts = [each["content"]["text"] for each in again.shown]
    assert texts == ["Hello", "You said: Hello", "Bye", "You said: Bye"]
    assert forged.status_code == 401


def test_who_is_gone_is_called_no_more_and_a_metric_says_so(
    client: Client, receiver: Receiver
) -> None:
    path = f"/{uuid4()}"
    receiver.answers[path].append(Reply(410, body=b"moved away"))
    with subscribed(client, receiver, url=f"{receiver.url}{path}") as hook:
        one = {"id": hook["id"]}
        client.call("/webhooks.test", one)
        gone = until(
            lambda: (
                (told := client.call("/webhooks.info", one))["status"] == "Unsubscribed" and told
            )
        )
        [attempt] = until(lambda: client.call("/webhooks.attempts", one)["data"])

        assert gone["reason"] == "it answered 410: gone"
        assert (attempt["status"], attempt["answer"]) == (410, "moved away")
        assert measured(client.metrics(), "disabled", hook) == 1


def test_webhooks_are_managed(client: Client, receiver: Receiver) -> None:
    one = {"id": str(uuid4())}
    url = f"{receiver.url}/managed"
    for verb in ("info", "unsubscribe", "pause", "resume", "test", "status", "attempts"):
        assert client.post(f"/webhooks.{verb}", one).status_code == 404
    assert client.post("/webhooks.update", one).status_code == 404
    assert client.post("/webhooks.subscribe", {"url": "nowhere"}).status_code == 400

    made = client.call("/webhooks.subscribe", one | {"url": url, "name": "A", "signatureKey": ""})
    assert made == {
        **one,
        "name": "A",
        "url": url,
        "status": "Subscribed",
        "headers": {},
        "events": [],
        "filter": None,
        "paused": False,
        "reason": None,
    }
    events = {"events": ["message.created", "tag.updated"]}
    assert client.call("/webhooks.update", one | events)["events"] == events["events"]
    assert client.call("/webhooks.info", one) == made | events
    assert client.call("/webhooks.pause", one)["paused"] is True
    assert client.call("/webhooks.resume", one)["paused"] is False
    assert client.post("/webhooks.test", one).status_code == 202
    until(lambda: [each.kind for each in receiver.at("/managed")] == ["webhook.test"])
    gone = client.call("/webhooks.unsubscribe", one)
    assert gone["status"] == "Unsubscribed"
    assert client.call("/webhooks.unsubscribe", one) == gone
    assert gone in client.call("/webhooks.list")["data"]
    assert client.post("/webhooks.test", one).status_code == 409
    services = client.call("/client.config")["services"]
    assert services["webhook-publisher"]["enabled"] is True


def test_private_addresses_are_not_called_unless_the_settings_say_so(guarded: Running) -> None:
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as client:
        for host in ("127.0.0.1", "localhost", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]"):
            refused = client.post("/webhooks.subscribe", {"url": f"http://{host}/"})
            assert refused.status_code == 400
            assert "private network" in refused.json()["message"]

        for host in ("0x7f000001", "2130706433"):  # what they lead to is looked at when called
            one = {"id": client.call("/webhooks.subscribe", {"url": f"http://{host}/"})["id"]}
            client.call("/webhooks.test", one)
            [attempt] = until(lambda one=one: client.call("/webhooks.attempts", one)["data"])  # type: ignore[misc]
            client.call("/webhooks.unsubscribe", one)
            assert (attempt["status"], attempt["outcome"]) == (None, "failed")
            assert re.search("no address of the internet|not a canonical", attempt["error"])
