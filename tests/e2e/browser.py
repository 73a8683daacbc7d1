"""A page in headless Chromium: read, and used with the keyboard, over its DevTools protocol."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.e2e.javascript import chromium
from tests.e2e.program import until

_ANSWER_S = 30.0


class Tab:
    """One page that is open."""

    def __init__(self, devtools: ClientConnection) -> None:
        self._devtools = devtools
        self._numbers = count(1)

    def call(self, method: str, **parameters: Any) -> Any:
        """Return what a method of the protocol answers."""
        number = next(self._numbers)
        asked = {"id": number, "method": method, "params": parameters}
        self._devtools.send(json.dumps(asked))
        while True:
            told = json.loads(self._devtools.recv(timeout=_ANSWER_S))
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]

    def value(self, expression: str) -> Any:
        """Return what an expression of JavaScript comes to in the page."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def write(self, text: str) -> None:
        """Type a text where the focus is, and press Enter."""
        self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
            self.call("Input.dispatchKeyEvent", type=kind, **key)


@contextmanager
def opened(url: str, profile: Path) -> Iterator[Tab]:
    """Open a page; `profile` is a directory for the browser alone."""
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    own = ["--remote-debugging-port=0", f"--user-data-dir={profile}"]
    process = subprocess.Popen([chromium(), *arguments, *own, url], stderr=subprocess.DEVNULL)
    try:
        with connect(_address(profile, url), max_size=None) as devtools:
            yield Tab(devtools)
    finally:
        process.terminate()
        process.wait()


def _address(profile: Path, url: str) -> str:
    """Return where the page can be told what to do, once it is there."""
    ports = profile / "DevToolsActivePort"
    port = until(lambda: ports.exists() and ports.read_text().partition("\n")[0], _ANSWER_S)

    def pages() -> list[str]:
        listed = httpx.get(f"http://127.0.0.1:{port}/json").json()
        return [each["webSocketDebuggerUrl"] for each in listed if each["url"].startswith(url)]

    address: str = until(pages, _ANSWER_S)[0]
    return address
