"""A backup of a busy platform, restored elsewhere: what was acknowledged before is there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from threading import Event, Thread

from tests.e2e import platforms
from tests.e2e.client import Agent, Client
from tests.e2e.program import PROGRAM, Home, home, started, until

SETTINGS = {
    "partitions": 2,
    "sources": {"google": {"partner_key": platforms.PARTNER_KEY}},
    "archive": {"segment_age_s": 0.5, "tail_records": 5},
}


@contextmanager
def writing(agent: Agent) -> Iterator[list[str]]:
    """Have contacts write all the time; yield the names of messages that were acknowledged."""
    taken: list[str] = []
    is_over = Event()

    def write() -> None:
        for number in count():
            if is_over.is_set():
                return
            agent.receive(f"m{number}", contact=f"contact-{number % 5}", text=f"text {number}")
            taken.append(f"text {number}")

    writer = Thread(target=write)
    writer.start()
    try:
        yield taken
    finally:
        is_over.set()
        writer.join()


def run(place: Home, *command: str) -> str:
    ended = place.run(str(PROGRAM), *command)
    assert ended.code == 0, ended.errors
    return ended.output


def texts(client: Client, channel_id: str) -> set[str]:
    """Return what was written on a channel, as the API tells it."""
    found = set()
    for conversation in client.conversations(channel_id):
        for message in client.messages(conversation["id"]):
            found.add(message["content"]["message"]["text"])
    return found


def test_what_was_acknowledged_before_a_backup_is_there_after_a_restore_elsewhere() -> None:
    with home(SETTINGS) as first, home(SETTINGS) as second:
        target = str(second.root / "target")
        with started(first) as running, Client(running.url) as client:
            agent = Agent(client)
            with writing(agent) as taken:
                until(lambda: len(taken) > 100)
                before = list(taken)
                backup = ("backup", "--data", str(first.data), "--to", target, "--json")
                told = json.loads(run(first, *backup))
                until(lambda: len(taken) > len(before) + 20)
            running.process.kill()

        restored = run(second, "restore", "--from", target, "--data", str(second.data))
        with started(second) as again, Client(again.url) as client:
            client.settle()
            found = texts(client, agent.channel["id"])

        assert f"backup {told['backup']} is restored" in restored
        assert set(before) <= found <= set(taken)
        run(second, "verify", "--data", str(second.data), "--deep")
