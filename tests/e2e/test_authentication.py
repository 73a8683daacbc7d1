"""Who may call the API when authentication is on (contract: platform API §2)."""

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from tests.e2e import platforms
from tests.e2e.client import Client
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.program import PROGRAM, Running, until


@pytest.mark.parametrize("authorization", [SYSTEM_TOKEN, f"Bearer {SYSTEM_TOKEN}"])
def test_who_has_the_system_token_may_call(authorization: str, guarded: Running) -> None:
    with Client(guarded.url) as client:
        assert client.post("/channels.list", authorization=authorization).status_code == 200


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer x", "Basic YTpi"])
@pytest.mark.parametrize("path", ["/channels.list", "/client.config", "/nothing"])
def test_who_has_no_token_may_not_call(
    path: str, authorization: str | None, guarded: Running
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    with Client(guarded.url) as client:
        response = client.post(path, **headers)

    assert (response.status_code, response.content) == (403, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/actuator/health", 200),
        ("/actuator/prometheus", 200),
        ("/openapi.json", 200),
        ("/facebook", 403),
    ],
)
def test_health_metrics_and_webhooks_need_no_token(
    path: str, status: int, guarded: Running
) -> None:
    assert httpx.get(guarded.url + path).status_code == status


def token(key: bytes = b64decode(platforms.JWT_SECRET), **claims: Any) -> str:
    principal = '{"id":"github:1","name":"Ada","avatarUrl":null}'
    return jwt.encode({"sub": "Ada", "principal": principal} | claims, key, "HS256")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        pytest.param(token(), 200, id="a user's"),
        pytest.param(token(principal='{"name":"source_app:crm"}'), 200, id="a program's"),
        pytest.param(token(exp=4_000_000_000), 200, id="good for a while"),
        pytest.param(token(exp=1), 403, id="expired"),
        pytest.param(token(b"another key, which is as long as it should"), 403, id="forged"),
        pytest.param(token(principal="no JSON"), 403, id="nobody's"),
    ],
)
def test_a_rightly_signed_token_of_somebody_lets_them_call(
    authorization: str, status: int, guarded: Running
) -> None:
    with Client(guarded.url) as client:
        response = client.post("/channels.list", authorization=f"Bearer {authorization}")

    assert response.status_code == status


def test_a_visitor_needs_no_token_of_the_api_and_has_none(guarded: Running) -> None:
    with Client(guarded.url) as client:
        website = client.call(
            "/channels.chatplugin.connect", {"name": "A website"}, authorization=SYSTEM_TOKEN
        )
        visit = client.call("/chatplugin.authenticate", {"channel_id": website["id"]})
        bearer = f"Bearer {visit['token']}"
        sent = client.post("/chatplugin.send", {"message": {}}, authorization=bearer)
        called = client.post("/channels.list", authorization=bearer)

    assert (sent.status_code, called.status_code) == (200, 403)


def test_the_system_token_makes_tokens_for_coming_back_but_sends_nothing(guarded: Running) -> None:
    asked = {"channel_id": "any", "conversation_id": "any"}
    with Client(guarded.url, {"authorization": f"Bearer {SYSTEM_TOKEN}"}) as client:
        resume = client.call("/chatplugin.resumeToken", asked)
        without = client.post("/chatplugin.resumeToken", {})
        sent = client.post("/chatplugin.send", {"message": {}})

    assert list(resume) == ["resume_token"]
    assert (without.status_code, sent.status_code) == (400, 403)


def test_a_preflight_needs_no_token(guarded: Running) -> None:
    asked = {"origin": "https://a.test", "access-control-request-method": "POST"}

    assert httpx.options(f"{guarded.url}/channels.list", headers=asked).status_code == 200


@pytest.fixture
def system(guarded: Running) -> Iterator[Client]:
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as client:
        yield client


def make(system: Client, **asked: Any) -> Any:
    return system.call("/tokens.create", {"name": f"t-{uuid4()}", "scope": "read"} | asked)


def status(client: Client, made: Any, path: str, asked: Any = None) -> int:
    return client.post(path, asked, authorization=f"Bearer {made['token']}").status_code


TAG = {"name": "urgent", "color": "tag-red"}
WEBSITE = {"name": "A website"}


@pytest.mark.parametrize(
    ("scope", "reads", "writes", "manages"),
    [("read", 200, 403, 403), ("write", 200, 201, 403), ("manage", 200, 201, 200)],
)
def test_a_token_may_do_what_its_scope_says(
    scope: str, reads: int, writes: int, manages: int, system: Client
) -> None:
    made = make(system, scope=scope)

    assert status(system, made, "/conversations.list") == reads
    assert status(system, made, "/tags.create", TAG) == writes
    assert status(system, made, "/channels.chatplugin.connect", WEBSITE) == manages
    assert status(system, made, "/tokens.list") == manages


def test_a_token_is_shown_once_and_revoked_at_once(system: Client) -> None:
    made = make(system)
    shown = {key: value for key, value in made.items() if key != "token"}
    listed = system.call("/tokens.list")["data"]
    before = status(system, made, "/tags.list")
    revoked = system.post("/tokens.revoke", {"id": made["id"]})

    assert shown in listed
    assert made["token"] not in str(listed)
    assert (before, revoked.status_code) == (200, 204)
    assert status(system, made, "/tags.list") == 403
    assert shown not in system.call("/tokens.list")["data"]
    assert system.post("/tokens.revoke", {"id": made["id"]}).status_code == 404


def test_a_token_is_good_for_as_long_as_was_said(system: Client) -> None:
    made = make(system, expires_in_s=1)

    until(lambda: status(system, made, "/tags.list") == 403)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"name": "a"},
        {"name": "", "scope": "read"},
        {"name": "a", "scope": "all"},
        {"name": "a", "scope": "read", "expires_in_s": 0},
        {"name": "a", "scope": "read", "channel_ids": ["x"]},
        {"name": "a", "scope": "read", "requests_per_minute": 0},
    ],
)
def test_a_token_for_nothing_sensible_is_refused(asked: Any, system: Client) -> None:
    assert system.post("/tokens.create", asked).status_code == 400


def test_a_name_is_that_of_one_token(system: Client) -> None:
    made = make(system)

    assert system.post("/tokens.create", {"name": made["name"], "scope": "read"}).status_code == 409


def test_the_same_key_makes_the_same_token(system: Client) -> None:
    key, asked = str(uuid4()), {"name": f"t-{uuid4()}", "scope": "read"}
    first = system.call("/tokens.create", asked, idempotency_key=key)

    assert system.call("/tokens.create", asked, idempotency_key=key) == first
    assert status(system, first, "/tags.list") == 200


def written(system: Client, website: Any, text: str) -> str:
    """Have a visitor write; return the id of their conversation."""
    visit = system.call("/chatplugin.authenticate", {"channel_id": website["id"]})
    bearer = f"Bearer {visit['token']}"
    sent = system.call("/chatplugin.send", {"message": {"text": text}}, authorization=bearer)
    identifier: str = sent["sender"]["id"]
    return identifier


@pytest.fixture
def two(system: Client) -> tuple[Any, Any, str, str]:
    """Return two websites, and a conversation on each."""
    own, other = (system.call("/channels.chatplugin.connect", WEBSITE) for _ in range(2))
    return own, other, written(system, own, "own"), written(system, other, "other")


def test_a_limited_token_sees_and_touches_only_what_it_reaches(
    two: tuple[Any, Any, str, str], system: Client
) -> None:
    own, other, mine, theirs = two
    made = make(system, scope="manage", channel_ids=[own["id"]])
    unknown = str(uuid4())

    def statuses(path: str, **asked: Any) -> list[int]:
        subjects = (mine, theirs, unknown)
        return [status(system, made, path, asked | {"conversation_id": each}) for each in subjects]

    assert statuses("/conversations.info") == [200, 403, 403]
    assert statuses("/messages.list") == [200, 403, 403]
    assert statuses("/messages.send", message={"text": "Hi"}) == [200, 403, 403]
    assert statuses("/conversations.tag", tag_id=unknown) == [204, 403, 403]
    assert statuses("/conversations.mark-read") == [204, 403, 403]
    upserts = [
        status(system, made, "/metadata.upsert", {"subject": subject, "id": each, "data": {}})
        for subject, each in [
            ("conversation", mine),
            ("conversation", theirs),
            ("channel", own["id"]),
            ("channel", other["id"]),
            ("message", system.messages(mine)[0]["id"]),
            ("message", system.messages(theirs)[0]["id"]),
        ]
    ]
    assert upserts == [204, 403, 204, 403, 204, 403]
    sent = {"message": {}, "channel_id": other["id"], "source_recipient_id": "x"}
    assert status(system, made, "/messages.send", sent) == 403
    assert status(system, made, "/messages.send", {"message": {}}) == 403
    assert status(system, made, "/channels.update", {"channel_id": other["id"]}) == 403
    for path in ("/tokens.list", "/audit.list", "/users.list", "/channels.chatplugin.connect"):
        assert status(system, made, path, WEBSITE) == 403
    assert status(system, made, "/client.config") == 200


def _found(client: Client, filters: str, count: int) -> list[str]:
    """Return the ids of the conversations that filters find, once they are so many."""
    found = client.call("/conversations.list", {"filters": filters})["data"]
    return [each["id"] for each in found] if len(found) == count else []


def test_lists_show_a_limited_token_only_what_it_reaches(system: Client, guarded: Running) -> None:
    own, other = (system.call("/channels.chatplugin.connect", WEBSITE) for _ in range(2))
    mine: list[str] = []
    for number in range(5):
        mine.insert(0, written(system, own, str(number)))
        written(system, other, str(number))
    made = make(system, channel_ids=[own["id"]])
    with Client(guarded.url, {"authorization": made["token"]}) as client:
        channels = client.call("/channels.list")["data"]
        pages = [client.call("/conversations.list", {"page_size": 2})]
        while (cursor := pages[-1]["pagination_data"]["next_cursor"]) is not None:
            pages.append(client.call("/conversations.list", {"page_size": 2, "cursor": cursor}))
        beyond = client.call("/conversations.list", {"cursor": 99})
        found = until(lambda: _found(client, "source:chatplugin", 5))
        everywhere = client.post("/messages.search", {"query": "4"})
        within = client.post("/messages.search", {"query": "4", "conversation_id": mine[0]})

    assert found == mine
    assert (everywhere.status_code, within.status_code) == (403, 200)
    assert channels == [own]
    assert [each["id"] for page in pages for each in page["data"]] == mine
    assert [page["pagination_data"]["total"] for page in pages] == [5, 5, 5]
    assert beyond["data"] == []


def test_a_token_for_a_source_reaches_the_channels_of_that_source(
    two: tuple[Any, Any, str, str], system: Client
) -> None:
    agent = system.connect_agent(f"agent-{uuid4()}")
    made = make(system, sources=["google"])

    assert status(system, made, "/channels.info", {"channel_id": agent["id"]}) == 200
    assert status(system, made, "/channels.info", {"channel_id": two[0]["id"]}) == 403
    assert status(system, made, "/conversations.info", {"conversation_id": two[2]}) == 403


def test_who_asks_too_much_is_told_when_to_come_back(system: Client) -> None:
    made = make(system, requests_per_minute=2)
    answers = [system.post("/tags.list", authorization=made["token"]) for _ in range(3)]
    headers = answers[-1].headers

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert [each.headers["ratelimit-remaining"] for each in answers] == ["1", "0", "0"]
    assert headers["retry-after"] == headers["ratelimit-reset"]
    assert answers[-1].json() == {"message": "too many requests"}
    assert "ratelimit-limit" not in system.post("/tags.list").headers


def test_tokens_are_made_listed_and_revoked_on_the_command_line(guarded: Running) -> None:
    place = guarded.home
    where = ["--config", str(place.settings), "--url", guarded.url]
    name = f"cli-{uuid4()}"
    made = place.run(
        str(PROGRAM), "token", "create", "--name", name, "--scope", "write", "--source", "facebook",
        "--expires", "30d", "--json", *where
    )  # fmt: skip
    told = json.loads(made.output)
    listed = place.run(str(PROGRAM), "token", "list", *where)
    revoked = place.run(str(PROGRAM), "token", "revoke", told["id"], *where)
    again = place.run(str(PROGRAM), "token", "revoke", told["id"], *where)

    assert (made.code, told["scope"], told["sources"]) == (0, "write", ["facebook"])
    assert told["expires_at"] is not None
    assert name in listed.output
    assert told["token"] not in listed.output
    assert (revoked.code, again.code) == (0, 1)
    assert "there is no such token" in again.errors


def test_a_command_about_tokens_that_cannot_be_is_told_in_one_line(guarded: Running) -> None:
    place = guarded.home
    created = place.run(
        str(PROGRAM), "token", "create", "--name", "a", "--scope", "read", "--expires", "soon"
    )
    unreached = place.run(str(PROGRAM), "token", "list", "--url", "http://127.0.0.1:1")

    assert (created.code, unreached.code) == (2, 2)
    assert created.errors.count("\n") == unreached.errors.count("\n") == 1
