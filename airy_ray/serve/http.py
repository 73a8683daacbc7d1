"""HTTP for hot routes: plain ASGI, with what our routes need and nothing else.

A framework's routing and validation would cost more than the work that most of our requests do.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from airy_ray.errors import RequestError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Headers = Iterable[tuple[bytes, bytes]]

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


class Request(msgspec.Struct):
    """A request.

    Attributes:
        path: as it was called, without the prefix of its application.
        headers: names in lower case; of repeated ones the last.
        body: empty while it has not been read.
    """

    method: str
    path: str
    query_string: bytes
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of repeated ones the last."""
        return dict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))


class Response(msgspec.Struct, gc=False):
    """What a route answers.

    Attributes:
        headers: beside those that say what the body is.
    """

    status: int = 200
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Streamed(msgspec.Struct):
    """An answer whose body is sent piece by piece, never whole in memory.

    Attributes:
        length: how many bytes a GET gets; None where that is not to be said.
        headers: those beside the length, the content type among them.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    length: int | None = None
    pieces: AsyncIterator[bytes] | None = None


def read_head(scope: Scope) -> Request:
    """Return a request whose body is still to be read."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path: str = scope["path"]
    return Request(scope["method"], path, scope["query_string"], headers, b"")


async def read_request(scope: Scope, receive: Receive, *, body_bytes_max: int) -> Request:
    """Return a request with its body.

    Raises:
        RequestError: 413, the body is too large; 400, the client went away in the middle of it.
    """
    request = read_head(scope)
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > body_bytes_max:
        raise RequestError(413, f"the body is larger than {body_bytes_max} bytes")
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _rest(body, receive, body_bytes_max)
    elif message["type"] == "http.disconnect":
        raise RequestError(400, "the body is incomplete")
    if len(body) > body_bytes_max:
        raise RequestError(413, f"the body is larger than {body_bytes_max} bytes")
    request.body = body
    return request


async def respond(send: Send, response: Response | Streamed, headers: Headers = ()) -> None:
    """Send a response.

    A stream that breaks is raised, and the server closes the connection: what was announced cannot
    be kept.
    """
    if isinstance(response, Streamed):
        await _stream(send, response, headers)
        return
    body = response.body
    sent = [(b"content-length", str(len(body)).encode()), *response.headers, *headers]
    if body:
        sent.append((b"content-type", response.content_type))
    await send({"type": "http.response.start", "status": response.status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


async def _stream(send: Send, response: Streamed, headers: Headers) -> None:
    sent = [*response.headers, *headers]
    if response.length is not None:
        sent.append((b"content-length", str(response.length).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": sent})
    if response.pieces is not None:
        async for piece in response.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def run_lifespan(
    receive: Receive,
    send: Send,
    *,
    start: Callable[[], Awaitable[None]],
    stop: Callable[[], Awaitable[None]],
) -> None:
    """Serve ASGI's lifespan: `start` before the first request, `stop` after the last."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await start()
            await send({"type": "lifespan.startup.complete"})
        else:
            await stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


def path_below(scope: Scope, prefix: str) -> str:
    """Return the path of a request below the prefix that its application is mounted at."""
    path: str = scope["path"]
    return path.removeprefix(prefix)


async def _rest(body: bytes, receive: Receive, body_bytes_max: int) -> bytes:
    parts = [body]
    size = len(body)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(400, "the body is incomplete")
        part = message.get("body", b"")
        size += len(part)
        if size > body_bytes_max:
            raise RequestError(413, f"the body is larger than {body_bytes_max} bytes")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
