"""JavaScript clients, in Node and in a browser: an unmodified stompjs, and ours, which resumes."""

import json
import os
import shutil
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
from tests.e2e.program import Running, until
from tests.e2e.test_clients import NODE_MIN, UI, is_newer, node_version, run

BACK_S = 60.0
CHROMIUM = "chromium"


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
    npm = shutil.which("npm")
    if npm is None or node_version() < NODE_MIN:
        pytest.skip(f"needs npm and Node {NODE_MIN} or newer")
    if is_newer(UI / "package-lock.json", UI / "node_modules/.package-lock.json"):
        run(npm, "ci", "--no-audit", "--no-fund")
    run(npm, "run", "build")


def node(listening: Listening, url: str, channel: str) -> subprocess.Popen[bytes]:
    told = {"AIRY_URL": url, "AIRY_CHANNEL": channel, "AIRY_REPORT": f"{listening.url}/report"}
    script = UI / "packages/client/test/live/node.js"
    return subprocess.Popen(["node", script], env=os.environ | told)


def chromium(listening: Listening, url: str, channel: str) -> subprocess.Popen[bytes]:
    page = f"{listening.url}/packages/client/test/live/index.html?url={url}&channel={channel}"
    return subprocess.Popen(
        [
            browser(),
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


def browser() -> Path:
    """Return Chromium, which is installed first where that is possible and needed."""
    if shutil.which(CHROMIUM) is None and os.getuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "--yes", "--no-install-recommends", CHROMIUM]
        subprocess.run(["apt-get", "update"], check=False, capture_output=True)
        subprocess.run(install, check=False, capture_output=True)
    found = shutil.which(CHROMIUM)
    if found is None:
        pytest.skip("needs Chromium")
    return Path(found)


@contextmanager
def listening_with(
    start: Callable[[Listening, str, str], subprocess.Popen[bytes]],
    url: str,
    channel: str,
    profile: Path,
) -> Iterator[Listening]:
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
    start: Callable[[Listening, str, str], subprocess.Popen[bytes]],
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
