"""Several processes serve WebSockets alike, and send their clients away in order when they end."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread

import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e.client import Client, Visitor
from tests.e2e.program import Running, home, started, until
from tests.e2e.stomp_client import StompClient

CLIENTS = 12


@pytest.fixture(scope="module")
def twofold() -> Iterator[Running]:
    """A platform with two processes that serve WebSockets."""
    settings = {"partitions": 1, "serve": {"realtime_replicas": 2}, "realtime": {"drain_s": 3}}
    with home(settings) as place, started(place) as running:
        yield running


def replicas(running: Running) -> list[int]:
    return [pid for pid, title in running.processes().items() if ":realtime:Realtime" in title]


def test_what_happens_is_heard_on_every_process_and_whoever_types(twofold: Running) -> None:
    with Client(twofold.url) as client, ExitStack() as stack:
        listening = [stack.enter_context(StompClient(twofold.url)) for _ in range(CLIENTS)]
        channel = client.connect_website()
        for each in listening:
            each.subscribe(f"/channels/{channel['id']}")
        assert len(replicas(twofold)) == 2
        visitor = Visitor(client, channel)
        visitor.send({"text": "Hi"})
        with StompClient(
            twofold.url, "/ws.chatplugin", Authorization=f"Bearer {visitor.token}"
        ) as tab:
            assert [each.event()["type"] for each in listening] == ["message.created"] * CLIENTS
            assert [each.event()["type"] for each in listening] == ["metadata.updated"] * CLIENTS
            tab.send("SEND", {"destination": "/typing"})
            assert [each.event()["type"] for each in listening] == ["typing.updated"] * CLIENTS


def test_who_was_connected_to_a_process_that_is_killed_resumes_on_another(
    twofold: Running,
) -> None:
    with Client(twofold.url) as client, ExitStack() as stack:
        listening = [stack.enter_context(StompClient(twofold.url)) for _ in range(CLIENTS)]
        positions = [each.subscribe("/events").headers["positions"] for each in listening]
        killed = replicas(twofold)[0]
        os.kill(killed, signal.SIGKILL)
        channel = client.connect_website()

        is_cut = [is_closed(each) for each in listening]
        assert 0 < sum(is_cut) < CLIENTS
        until(lambda: killed not in replicas(twofold) and len(replicas(twofold)) == 2, 60)
        for each, place in zip(listening, positions, strict=True):
            resumed = stack.enter_context(StompClient(twofold.url))
            told = resumed.subscribe("/events", resume_from=place)
            assert told.headers["recovered"] == "true"
            updated = [resumed.event(), resumed.event()]
            assert updated[0]["payload"]["id"] == channel["id"]
            each.socket.close()


def is_closed(client: StompClient) -> bool:
    """Whether a connection is cut, instead of telling what happened."""
    try:
        return client.receive().command != "MESSAGE"
    except ConnectionClosed:
        return True


def test_clients_are_sent_away_one_after_the_other_when_the_system_ends(twofold: Running) -> None:
    ended: list[tuple[float, int | None]] = []

    def listen(client: StompClient) -> None:
        try:
            while True:
                client.receive(60)
        except ConnectionClosed as closed:
            ended.append((time.monotonic(), closed.rcvd.code if closed.rcvd else None))

    with ExitStack() as stack:
        clients = [stack.enter_context(StompClient(twofold.url)) for _ in range(CLIENTS)]
        threads = [Thread(target=listen, args=[client]) for client in clients]
        for thread in threads:
            thread.start()
        code, left = twofold.stop()
        for thread in threads:
            thread.join()

    assert (code, left) == (0, {})
    assert [code for _, code in ended] == [1012] * CLIENTS
    times = [at for at, _ in ended]
    assert max(times) - min(times) > 1
