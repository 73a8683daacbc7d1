"""A full disk: nothing is acknowledged that is not stored, and it goes on when there is space."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e import platforms
from tests.e2e.client import Client
from tests.e2e.conftest import SYSTEM_TOKEN
from tests.e2e.program import Running, until

LATER = {"message": "not available now, try again"}


@pytest.fixture
def disk(guarded: Running) -> Path:
    """Return the directory of a platform whose disk is small."""
    if not guarded.home.data.is_mount():
        pytest.skip("mounting a small disk is not permitted here")
    return guarded.home.data


@pytest.fixture
def caller(guarded: Running) -> Iterator[Client]:
    """Who may call the platform whose disk is small."""
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as client:
        yield client


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no space on a disk for a while."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):  # no space
                while True:
                    os.write(file.fileno(), bytes(size))
    try:
        yield
    finally:
        filler.unlink()


def receive(client: Client, agent: str, name: str) -> int:
    """Return how a webhook was answered, with a body that does not fit into what may be left."""
    text = name + "x" * 200_000
    body = platforms.agent_body(agent, "ada", name, text, "2025-11-21T08:00:00.000Z")
    return client.send("/webhooks/google", body, platforms.signed_by_google(body)).status_code


def test_a_full_disk_acknowledges_nothing_and_goes_on_when_there_is_space(
    disk: Path, caller: Client
) -> None:
    channel = caller.connect_agent("agent of the full disk")
    answers = {"before": receive(caller, "agent of the full disk", "before")}
    caller.settle()
    head = caller.heads()["00"]
    with filled(disk):
        for index in range(20):
            answers[f"{index}"] = receive(caller, "agent of the full disk", f"{index}")
        refused = caller.post("/channels.chatplugin.connect", {"name": "x" * 500_000})
        health = caller.http.get("/actuator/health")
        stored = caller.heads()["00"]
    until(lambda: receive(caller, "agent of the full disk", "after") == 200)
    acknowledged = {name for name, status in answers.items() if status == 200} | {"after"}
    until(lambda: caller.post("/conversations.list", {}).is_success)  # owners are ready again
    conversation = until(lambda: caller.conversations(channel["id"]))[0]
    caller.settle()
    messages = caller.messages(conversation["id"])

    assert set(answers.values()) == {200, 503}
    assert (refused.status_code, refused.json()) == (503, LATER)
    assert health.status_code == 200
    assert stored == head + len(acknowledged) - 2
    assert {each["metadata"]["source"]["id"] for each in messages} == acknowledged
