"""Who had what done (`audit.list`), on a platform with authentication."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.client import Client
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.program import Running

NOBODY = "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a0001"


@pytest.fixture
def system(guarded: Running) -> Iterator[Client]:
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as client:
        yield client


@pytest.fixture
def program(guarded: Running, system: Client) -> Iterator[Client]:
    """Return a program of its own, whose traces are only its own."""
    asked = {"name": f"program-{uuid4().hex[:8]}", "scope": "manage"}
    made = system.call("/tokens.create", asked)
    with Client(guarded.url, {"authorization": made["token"]}) as client:
        client.http.headers["x-name"] = f"token:{asked['name']}"
        yield client


def name_of(program: Client) -> str:
    return program.http.headers["x-name"]


def audited(system: Client, **asked: Any) -> list[Any]:
    entries: list[Any] = system.call("/audit.list", asked)["data"]
    return entries


def test_what_a_program_has_done_is_told_newest_first(system: Client, program: Client) -> None:
    tag = program.call("/tags.create", {"name": "urgent", "color": "tag-red"})
    secret = "what only the two should read"
    program.call("/messages.send", {"conversation_id": NOBODY, "message": {"text": secret}})
    program.post("/tags.delete", {"id": NOBODY})
    program.call("/tags.list")
    entries = audited(system, principal=name_of(program))
    told = [(each["action"], each["subject"], each["status"]) for each in entries]

    assert told == [
        ("tags.delete", NOBODY, 404),
        ("messages.send", NOBODY, 202),
        ("tags.create", tag["id"], 201),
    ]
    assert secret not in str(entries)
    assert all(each["principal"] == name_of(program) for each in entries)


def test_pages_go_on_where_they_ended_whatever_comes_meanwhile(
    system: Client, program: Client
) -> None:
    for _ in range(5):
        program.call("/conversations.mark-read", {"conversation_id": str(uuid4())})
        program.post("/tags.delete", {"id": NOBODY})
    everything = audited(system, principal=name_of(program))
    asked: dict[str, Any] = {"principal": name_of(program), "page_size": 3}
    paged = []
    while True:
        page = system.call("/audit.list", asked)
        paged += page["data"]
        asked["cursor"] = page["pagination_data"]["next_cursor"]
        if asked["cursor"] is None:
            break
        program.post("/tags.delete", {"id": NOBODY})

    assert len(everything) == 10
    assert paged == everything


def test_entries_are_found_by_action_and_time(system: Client, program: Client) -> None:
    for _ in range(2):
        program.post("/tags.delete", {"id": NOBODY})
    program.call("/conversations.mark-read", {"conversation_id": NOBODY})
    [read, newer, older] = audited(system, principal=name_of(program))
    own = {"principal": name_of(program)}

    assert audited(system, **own, action="tags.delete") == [newer, older]
    assert older not in audited(system, **own, since=newer["at"])[:1]
    assert read in audited(system, **own, since=read["at"])
    assert read not in audited(system, **own, until=read["at"])
    assert audited(system, **own, since="2100-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "asked",
    [{"cursor": "x"}, {"cursor": "1"}, {"cursor": "1.2.3.4.5.6"}, {"since": "2025-01-01T00:00"}],
)
def test_what_is_no_cursor_or_time_is_refused(asked: dict[str, Any], system: Client) -> None:
    assert system.post("/audit.list", asked).status_code == 400


@pytest.mark.parametrize("scope", ["read", "write"])
def test_it_takes_the_scope_manage(scope: str, system: Client) -> None:
    made = system.call("/tokens.create", {"name": f"audit-{uuid4()}", "scope": scope})
    refused = system.post("/audit.list", {}, authorization=made["token"])

    assert (refused.status_code, refused.content) == (403, b"")


def test_what_visitors_write_is_not_audited(system: Client) -> None:
    website = system.call("/channels.chatplugin.connect", {"name": "A website"})
    visit = system.call("/chatplugin.authenticate", {"channel_id": website["id"]})
    bearer = f"Bearer {visit['token']}"
    system.call("/chatplugin.send", {"message": {"text": "Hi"}}, authorization=bearer)
    newest = audited(system, page_size=1)

    assert [(each["action"], each["subject"]) for each in newest] == [
        ("channels.connect", website["id"])
    ]
