"""JavaScript clients, in Node and in a browser: an unmodified stompjs, and ours, which resumes."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from airy_ray.partition import ownership
from tests.e2e.client import Client, Visitor
from tests.e2e.javascript import UI, npm
from tests.e2e.javascript import chromium as chromium_path
from tests.e2e.program import Running, until

BACK_S = 60.0

Start = Callable[["Listening", str, str], subprocess.Popen[bytes]]
"""Starts who listens: reporting there, to the platform at an address, to a channel."""


class Listening:
    """What the clients reported, in order, and the server that they report to."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self.reports))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.profile = Path()

    def heard(self, who: str) -> list[str]:
        return [what for name, what in list(self.reports) if name == who]


class _Handler(SimpleHTTPRequestHandler):
    """Serves the client and the pages of its tests, and takes their reports."""

    def __init__(self, reports: list[tuple[str, str]], *arguments: Any) -> None:
        self._reports = reports
        super().__init__(*arguments, directory=str(UI))

    def do_POST(self) -> None:
        who, what = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._reports.append((who, what))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """Have the client built."""
    npm("run", "build")


def node(
    listening: Listening, url: str, channel: str, *, script: str = "node.js", token: str = ""
) -> subprocess.Popen[bytes]:
    told = {
        "AIRY_URL": url,
        "AIRY_CHANNEL": channel,
        "AIRY_TOKEN": token,
        "AIRY_REPORT": f"{listening.url}/report",
    }
    path = UI / "packages/client/test/live" / script
    return subprocess.Popen(["node", path], env=os.environ | told)


def chromium(listening: Listening, url: str, channel: str) -> subprocess.Popen[bytes]:
    page = f"{listening.url}/packages/client/test/live/index.html?url={url}&channel={channel}"
    return subprocess.Popen(
        [
            chromium_path(),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-port=0",
            f"--user-data-dir={listening.profile}",
            page,
        ],
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def listening_with(start: Start, url: str, channel: str, profile: Path) -> Iterator[Listening]:
    listening = Listening()
    listening.profile = profile
    Thread(target=listening.server.serve_forever, daemon=True).start()
    with start(listening, url, channel) as process:
        try:
            yield listening
        finally:
            process.terminate()
            listening.server.shutdown()
            listening.server.server_close()


@pytest.mark.parametrize("start", [node, chromium])
def test_clients_hear_come_back_and_ours_misses_nothing(
    start: Start,
    client: Client,
    platform: Running,
    tmp_path: Path,
) -> None:
    channel = client.connect_website()
    visitor = Visitor(client, channel)
    with listening_with(start, platform.url, channel["id"], tmp_path) as listening:
        until(lambda: "ready" in listening.heard("ours"), BACK_S)
        until(lambda: "connected" in listening.heard("stompjs"), BACK_S)
        visitor.send({"text": "one"})
        until(lambda: "one" in listening.heard("stompjs"))

        kill_replica(platform)
        visitor.send({"text": "two"})
        kill_owners(platform)
        until(lambda: listening.heard("stompjs").count("connected") >= 2, BACK_S)
        until(lambda: _sent(visitor, "three"), BACK_S)
        until(lambda: "three" in listening.heard("ours"), BACK_S)
        until(lambda: "three" in listening.heard("stompjs"), BACK_S)
        until(lambda: "three" in listening.heard("channel"), BACK_S)

        assert listening.heard("ours") == ["ready", "one", "two", "three"]
        assert listening.heard("channel") == ["one", "two", "three"]
        assert listening.heard("status").count("connected") == 2
        assert listening.heard("page") == []


def test_a_visitor_whose_token_is_refused_comes_in_with_a_new_one_and_misses_nothing(
    client: Client, platform: Running, tmp_path: Path
) -> None:
    channel = client.connect_website()
    visitor = Visitor(client, channel)
    start = partial(node, script="visitor.js", token=visitor.token)
    with listening_with(start, platform.url, channel["id"], tmp_path) as listening:
        until(lambda: "ready" in listening.heard("visitor"), BACK_S)
        visitor.send({"text": "one"})
        until(lambda: "one" in listening.heard("visitor"), BACK_S)
        kill_replica(platform)
        visitor.send({"text": "two"})
        until(lambda: "two" in listening.heard("visitor"), BACK_S)

        (reason,) = listening.heard("refused")
        assert "401" in reason
        assert listening.heard("visitor") == ["ready", "one", "two"]


def test_who_cannot_go_on_reloads_and_who_asks_for_nonsense_is_told(
    client: Client, platform: Running, tmp_path: Path
) -> None:
    channel = client.connect_website()
    start = partial(node, script="reload.js")
    with listening_with(start, platform.url, channel["id"], tmp_path) as listening:
        until(lambda: "reload" in listening.heard("ours"), BACK_S)
        Visitor(client, channel).send({"text": "one"})
        until(lambda: "one" in listening.heard("ours"), BACK_S)
        until(lambda: listening.heard("error"), BACK_S)

        assert listening.heard("ours") == ["reload", "one"]
        assert set(listening.heard("error")) == {"that is no id"}


def _sent(visitor: Visitor, text: str) -> bool:
    """Send something unless its partition is still away; it is never there twice."""
    key = f"key-{text}"
    response = visitor.client.post(
        "/chatplugin.send",
        {"message": {"text": text}},
        authorization=f"Bearer {visitor.token}",
        idempotency_key=key,
    )
    return response.status_code == 200


def kill_replica(platform: Running) -> None:
    """Kill the process that serves WebSockets; it is started again."""
    (pid,) = [pid for pid, name in platform.processes().items() if ":realtime:Realtime" in name]
    os.kill(pid, signal.SIGKILL)


def kill_owners(platform: Running) -> None:
    """Kill the owners of all partitions; they are started again."""
    for directory in (platform.home.data / "partitions").iterdir():
        owner = ownership.owner_of(directory)
        assert owner is not None
        os.kill(owner, signal.SIGKILL)
