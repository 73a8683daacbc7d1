"""Contacts who write while something happens."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.e2e import platforms
from tests.e2e.client import Agent, Client
from tests.e2e.program import until

CONTACTS = ("ada", "bob", "eve")
PACE_S = 0.02


class Traffic:
    """Contacts who write to an agent one message after the other, and repeat what was not taken."""

    def __init__(self, client: Client) -> None:
        self.agent = Agent(client)
        self.taken: dict[str, list[str]] = defaultdict(list)
        self.answers: set[int] = set()
        self._client = client
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=[name]) for name in CONTACTS]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, contact: str) -> None:
        while not self._stop.wait(PACE_S):
            name = f"{contact}-{len(self.taken[contact])}"
            while not self._is_taken(contact, name):
                if self._stop.wait(PACE_S):
                    return
            self.taken[contact].append(name)

    def _is_taken(self, contact: str, name: str) -> bool:
        at = "2025-11-21T08:00:00.000Z"
        body = platforms.agent_body(self.agent.name, contact, name, name, at)
        try:
            sent = self._client.send("/webhooks/google", body, platforms.signed_by_google(body))
        except httpx.TransportError:
            self.answers.add(0)
            return False
        self.answers.add(sent.status_code)
        return sent.status_code == 200


@contextmanager
def traffic(client: Client) -> Iterator[Traffic]:
    """Have contacts write for a while."""
    writing = Traffic(client)
    writing.start()
    try:
        until(lambda: all(writing.taken[contact] for contact in CONTACTS))
        yield writing
    finally:
        writing.stop()
