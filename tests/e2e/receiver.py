"""A program that webhooks are called at: a real server, which can be stopped and come back."""

import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from threading import Event, Thread
from typing import Any

from airy_ray.serve.ports import free_port

HELD_S_MAX = 60.0


@dataclass(frozen=True)
class Called:
    """One call, whatever it was answered."""

    path: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.raw)
        return told

    @property
    def kind(self) -> str:
        return str(self.body["type"])

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Reply:
    """What it answers to a call, once it does."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    held_until: Event | None = None
    body: bytes = b"ok"


Decide = Callable[[Called], Reply]


class Receiver:
    """Takes calls on one port; by default it answers 200 to all.

    Attributes:
        calls: all, oldest first.
        answers: what is answered next, by path; then what `decide` says.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.calls: list[Called] = []
        self.answers: dict[str, deque[Reply]] = defaultdict(deque)
        self.decide: Decide = lambda _: Reply()
        self._server: ThreadingHTTPServer | None = None
        self._connections: set[socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def at(self, path: str) -> list[Called]:
        """Return the calls at a path."""
        return [each for each in self.calls if each.path == path]

    def start(self) -> None:
        """Take calls, again if it was stopped."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver._take(self, Called(self.path, headers, raw))

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128
            allow_reuse_address = True

            def finish_request(self, request: Any, address: Any) -> None:
                receiver._connections.add(request)
                super().finish_request(request, address)

            def shutdown_request(self, request: Any) -> None:
                receiver._connections.discard(request)
                super().shutdown_request(request)

            def handle_error(self, *_: object) -> None:
                """Say nothing of connections that the other end has closed."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Take no more calls: connections are refused, and those that are open end."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            for connection in list(self._connections):
                with suppress(OSError):
                    connection.shutdown(SHUT_RDWR)

    def _take(self, handler: BaseHTTPRequestHandler, called: Called) -> None:
        self.calls.append(called)
        waiting = self.answers[called.path]
        reply = waiting.popleft() if waiting else self.decide(called)
        if reply.held_until is not None:
            reply.held_until.wait(HELD_S_MAX)
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(reply.body)))
        handler.end_headers()
        handler.wfile.write(reply.body)
