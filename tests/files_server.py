"""A platform's files, served on this machine, well and badly."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


@dataclass
class FilesServer:
    """What it is called with, and how it answers.

    Attributes:
        failures: how often a path still answers with 503.
        asked: each path that was asked for, with the credentials that came.
        leads_to: where a path redirects to.
        told: what a path answers as JSON.
        gone: what is answered with 404.
        lines: how it was asked for, letter by letter.
    """

    port: int = 0
    let_go: Event = field(default_factory=Event)
    failures: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    leads_to: dict[str, str] = field(default_factory=dict)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=lambda: {"/gone"})

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"


@contextmanager
def files_server() -> Iterator[FilesServer]:
    """Serve: `/slow` stops halfway, `/cut` ends there, `/long` does not say how long it is."""
    told = FilesServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            told.asked.append((path, self.headers["authorization"]))
            told.lines.append(self.requestline)
            if path in told.leads_to:
                self._answer(302, {"location": told.leads_to[path]})
            elif told.failures[path] > 0:
                told.failures[path] -= 1
                self._answer(503, {})
            elif path in told.told:
                self._answer(200, {"content-type": "application/json"})
                self.wfile.write(json.dumps(told.told[path]).encode())
            elif path in told.gone:
                self._answer(404, {})
            elif path == "/login":
                self._answer(200, {"content-type": "text/html; charset=utf-8"})
            else:
                length = {} if path == "/long" else {"content-length": str(len(PICTURE))}
                self._answer(200, length)
                self._give(path)

        def _give(self, path: str) -> None:
            half = len(PICTURE) // 2
            self.wfile.write(PICTURE[:half])
            self.wfile.flush()
            if path == "/slow":
                told.let_go.wait(30)
            if path != "/cut":
                self.wfile.write(PICTURE[half:])

        def _answer(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield told
        told.let_go.set()
        server.shutdown()
        thread.join()
