"""What should not come in at the webhooks: refused, or kept with the reason, never half of each."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from airy_ray.clock import now_micros
from airy_ray.rawlog.record import Record, payload_id, prepare
from airy_ray.rawlog.tail import LogTail
from tests.e2e import platforms
from tests.e2e.client import Agent, Client
from tests.e2e.conftest import BODY_BYTES_MAX
from tests.e2e.program import PROGRAM, Running, until

TEXT = platforms.page_body("108800000000001", "somebody", "m", "Hi")
PATHS = {"facebook": ("/facebook", "/webhooks/facebook"), "google": ("/google", "/webhooks/google")}
SIGNED = {"facebook": platforms.signed_by_meta, "google": platforms.signed_by_google}
SIGNATURE = {"facebook": "x-hub-signature-256", "google": "x-goog-signature"}
DOORS = [(source, path) for source, paths in PATHS.items() for path in paths]


@pytest.mark.parametrize(("source", "path"), DOORS)
@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("sha256=", id="without digest"),
        pytest.param("sha256=" + "0" * 64, id="wrong"),
        pytest.param("sha1=" + "0" * 40, id="obsolete"),
        pytest.param("x" * 8_000, id="long"),
        pytest.param("sha256=é", id="not ASCII"),
    ],
)
def test_what_the_platform_did_not_sign_is_refused_and_leaves_nothing(
    source: str,
    path: str,
    signature: str | None,
    client: Client,
    received: Callable[[], list[Record]],
) -> None:
    claimed = [] if signature is None else [(SIGNATURE[source], signature)]
    headers = [(name.encode(), value.encode("latin-1")) for name, value in claimed]
    response = client.http.post(path, content=TEXT, headers=headers)

    assert (response.status_code, response.content) == (403, b"")
    assert received() == []


@pytest.mark.parametrize("source", PATHS)
def test_a_signature_of_another_body_is_refused(source: str, client: Client) -> None:
    headers = SIGNED[source](TEXT)
    response = client.send(f"/webhooks/{source}", TEXT + b" ", headers)

    assert response.status_code == 403


@pytest.mark.parametrize("source", PATHS)
def test_a_signature_of_another_platform_is_refused(source: str, client: Client) -> None:
    other = "google" if source == "facebook" else "facebook"
    response = client.send(f"/webhooks/{source}", TEXT, SIGNED[other](TEXT))

    assert response.status_code == 403


@pytest.mark.parametrize(("source", "path"), DOORS)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_webhooks_are_posted(source: str, path: str, method: str, client: Client) -> None:
    response = client.http.request(method, path, content=TEXT, headers=SIGNED[source](TEXT))

    assert response.status_code == 405


@dataclass(frozen=True)
class Useless:
    """A body with a right signature of which nothing can come."""

    source: str
    body: bytes
    reason: str

    def of_size(self, size: int) -> bytes:
        """Return it with white space behind it; its size is what tells it from others."""
        return self.body + b" " * (size - len(self.body))


USELESS = {
    "unparsable": Useless("facebook", b"{not json", "not JSON"),
    "cut off": Useless("facebook", TEXT[:-3], "not JSON"),
    "not UTF-8": Useless("facebook", TEXT.replace(b"Hi", b"\xff\xfe"), "not UTF-8"),
    "array": Useless("facebook", b"[]", "not what Meta sends"),
    "nothing": Useless("facebook", b"{}", "object"),
    "foreign": Useless("facebook", b'{"object":"user","entry":[]}', "object"),
    "no entries": Useless("facebook", b'{"object":"page","entry":[]}', "no entry"),
    "NUL": Useless("facebook", b"\x00", "not JSON"),
    "deep": Useless("facebook", b'{"object":' * 500, "nested too deep"),
    "unknown page": Useless("facebook", TEXT.replace(b"108800000000001", b"1"), "no such channel"),
    "Google's unparsable": Useless("google", b"{not json", "not JSON"),
    "Google's foreign": Useless("google", b'{"object":"page"}', "not a message event"),
    "Google's unknown agent": Useless(
        "google",
        platforms.agent_body("nobody's", "ada", "m", "Hi", "2025-11-21T08:00:00Z"),
        "no such channel",
    ),
}
SIZES = {name: 7_001 + index for index, name in enumerate(USELESS)}


@pytest.fixture(scope="module")
def records(platform: Running, client: Client) -> dict[int, Any]:
    """What the ledger says of the useless bodies, after each was sent once, by their sizes."""
    before = sum(client.heads().values())
    for name, useless in USELESS.items():
        body = useless.of_size(SIZES[name])
        response = client.send(f"/webhooks/{useless.source}", body, SIGNED[useless.source](body))
        assert (response.status_code, response.content) == (200, b""), name
    client.settle()
    assert sum(client.heads().values()) >= before + len(USELESS)
    arguments = ["--data", str(platform.home.data), "--limit", "10000", "--json"]
    told = platform.home.run(str(PROGRAM), "ledger", *arguments)
    assert told.code == 0, told.errors
    return {each["body_bytes"]: each for each in json.loads(told.output)["records"]}


@pytest.mark.parametrize("name", USELESS)
def test_a_body_of_which_nothing_can_come_is_kept_with_the_reason(
    name: str, records: dict[int, Any]
) -> None:
    record = records[SIZES[name]]

    assert record["verdict"] == "ignored"
    assert record["reasons"][0] == USELESS[name].reason
    assert record["source"] == USELESS[name].source
    assert record["message_ids"] == []


def test_what_came_before_its_channel_appears_when_that_is_connected(client: Client) -> None:
    agent = f"agent-{uuid4().hex[:12]}"
    for index in range(5):
        at = f"2025-11-21T08:00:0{index}.000Z"
        body = platforms.agent_body(agent, f"contact {index}", "m1", "Hi", at)
        assert client.send("/google", body, SIGNED["google"](body)).status_code == 200
    client.settle()
    channel = client.connect_agent(agent)
    found = until(lambda: all_of(client, channel["id"], count=5))

    assert [each["last_message"]["sender"]["id"] for each in found] == [
        f"contact {index}" for index in (4, 3, 2, 1, 0)
    ]


def ledger(client: Client, **asked: Any) -> list[Any]:
    """Return the newest records of the ledger that are asked for."""
    client.settle()
    entries: list[Any] = client.call("/ledger.list", asked)["data"]
    return entries


def command(platform: Running, *arguments: str) -> Any:
    """Return what a command tells programs about the platform's data."""
    own = ["--config", str(platform.home.settings), "--data", str(platform.home.data), "--json"]
    ended = platform.home.run(str(PROGRAM), *arguments, *own)
    assert ended.code == 0, ended.errors
    return json.loads(ended.output)


def test_what_is_sent_again_is_there_once_and_the_ledger_says_what_became_of_it(
    client: Client, platform: Running
) -> None:
    agent = f"agent-{uuid4().hex[:12]}"
    body = platforms.agent_body(agent, "ada", "m1", "Hi", "2025-11-21T08:00:00.000Z")
    assert client.send("/google", body, SIGNED["google"](body)).status_code == 200
    [entry] = [each for each in ledger(client, source="google") if each["body_bytes"] == len(body)]
    assert entry["reasons"][0] == "no such channel"
    assert client.call("/ledger.info", {"id": entry["id"]})["body_text"] == body.decode()
    channel = client.connect_agent(agent)
    client.call("/ledger.resend", {"id": entry["id"]})
    told = command(platform, "ledger", "resend", entry["id"])
    same = {"payload_id": told["payload_id"]}
    repetitions = until(lambda: enough(ledger(client, **same), 4))  # one when it was connected

    assert sorted(each["verdict"] for each in repetitions) == ["applied", *["ignored"] * 3]
    [conversation] = client.conversations(channel["id"])
    assert len(client.messages(conversation["id"])) == 1


def test_a_record_in_quarantine_is_tried_again_or_given_up(
    client: Client, platform: Running
) -> None:
    body = uuid4().bytes  # what no version of ours has written
    broken = Record(now_micros(), "outcome", "", body, payload_id(body))
    with closing(LogTail(platform.home.data / "partitions" / "01")) as tail:
        record = f"01:{tail.append([prepare(broken)])}"
    until(lambda: record in quarantined(client))
    assert command(platform, "quarantine", "retry", record) == {"retried": [record]}
    again = until(lambda: [each["id"] for each in ledger(client, **of(body))][:-1])
    assert command(platform, "quarantine", "list")["count"] == len(again) == 1
    assert quarantined(client) == again
    assert command(platform, "quarantine", "drop", *again) == {"dropped": again}

    assert quarantined(client) == []
    assert client.call("/ledger.info", {"id": record})["verdict"] == "quarantined"
    entries = client.call("/audit.list", {"page_size": 2})["data"]
    assert [(each["action"], each["subject"]) for each in entries] == [
        ("quarantine.drop", *again),
        ("quarantine.retry", record),
    ]


def quarantined(client: Client) -> list[str]:
    return [each["id"] for each in client.call("/quarantine.list")["data"]]


def of(body: bytes) -> dict[str, str]:
    return {"payload_id": payload_id(body).hex()}


def enough(found: list[Any], count: int) -> list[Any]:
    return found if len(found) == count else []


def all_of(client: Client, channel_id: str, *, count: int) -> list[Any]:
    return enough(client.conversations(channel_id), count)


def test_a_body_for_two_pages_shows_the_other_half_when_that_is_connected(client: Client) -> None:
    pages = [f"page-{uuid4().hex[:12]}" for _ in range(2)]
    bodies = [json.loads(platforms.page_body(page, "ada", "m", "Hi")) for page in pages]
    both = {"object": "page", "entry": [entry for each in bodies for entry in each["entry"]]}
    body = json.dumps(both).encode()
    channels = [connect_page(client, pages[0])]
    assert client.send("/facebook", body, SIGNED["facebook"](body)).status_code == 200
    until(lambda: all_of(client, channels[0], count=1))
    channels.append(connect_page(client, pages[1]))
    until(lambda: all_of(client, channels[1], count=1))

    assert [len(client.conversations(channel)) for channel in channels] == [1, 1]


def connect_page(client: Client, page: str) -> str:
    asked = {"page_id": page, "page_token": "EAAshort"}
    return str(client.call("/channels.facebook.connect", asked)["id"])


def test_what_comes_for_a_disconnected_channel_is_dropped(agent: Agent) -> None:
    agent.receive("before")
    agent.messages(1)
    agent.client.call("/channels.google.disconnect", {"channel_id": agent.channel["id"]})
    agent.receive("between")
    agent.client.settle()
    agent.client.connect_agent(agent.name)
    agent.receive("after", sent_at="2025-11-21T08:00:01.000Z")
    messages = agent.messages(2)

    assert [each["metadata"]["source"]["id"] for each in messages] == ["after", "before"]


@pytest.mark.parametrize(("source", "path"), DOORS)
def test_a_body_over_the_bound_is_too_large_and_leaves_nothing(
    source: str, path: str, client: Client, received: Callable[[], list[Record]]
) -> None:
    body = b" " * (BODY_BYTES_MAX + 1)
    response = client.send(path, body, SIGNED[source](body))

    assert response.status_code == 413
    assert received() == []


@pytest.mark.parametrize(("source", "path"), DOORS)
def test_a_body_of_the_bound_is_taken(source: str, path: str, client: Client) -> None:
    body = b" " * BODY_BYTES_MAX

    assert client.send(path, body, SIGNED[source](body)).status_code == 200
