"""Requests and answers as a server hands them over: ASGI, message by message."""

import asyncio
from collections.abc import AsyncIterator, Iterable, MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.errors import RequestError, StorageError
from airy_ray.serve.http import (
    TEXT,
    Request,
    Response,
    Streamed,
    path_below,
    read_request,
    respond,
    run_lifespan,
)

Message = MutableMapping[str, Any]

LEFT: Message = {"type": "http.disconnect"}


class Server:
    """The other side: what it says is given, what it hears is kept."""

    def __init__(self, *said: Message) -> None:
        self.said = list(said)
        self.heard: list[Message] = []

    async def receive(self) -> Message:
        return self.said.pop(0)

    async def send(self, message: Message) -> None:
        self.heard.append(message)


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def parts(bodies: Iterable[bytes]) -> list[Message]:
    *others, last = bodies
    return [*(part(body, more=True) for body in others), part(last)]


def scope(*headers: tuple[bytes, bytes], query: bytes = b"") -> Message:
    return {"method": "POST", "path": "/a", "query_string": query, "headers": list(headers)}


def read(server: Server, *headers: tuple[bytes, bytes], body_bytes_max: int = 10) -> Request:
    return asyncio.run(read_request(scope(*headers), server.receive, body_bytes_max=body_bytes_max))


@given(bodies=st.lists(st.binary(max_size=5), min_size=1, max_size=8))
def test_a_body_is_the_same_however_it_is_cut(bodies: list[bytes]) -> None:
    request = read(Server(*parts(bodies)), body_bytes_max=100)

    assert request.body == b"".join(bodies)


@pytest.mark.parametrize(
    "bodies",
    [[b"x" * 11], [b"x" * 10, b"x"], [b"x"] * 11, [b"x" * 9, b"", b"xx"]],
    ids=["whole", "in two", "byte by byte", "with nothing between"],
)
def test_a_body_over_the_bound_is_refused(bodies: list[bytes]) -> None:
    with pytest.raises(RequestError) as refused:
        read(Server(*parts(bodies)))

    assert refused.value.status == 413


def test_a_body_of_the_bound_is_taken() -> None:
    assert read(Server(*parts([b"x" * 4, b"x" * 6]))).body == b"x" * 10


def test_what_is_announced_too_large_is_not_waited_for() -> None:
    with pytest.raises(RequestError) as refused:
        read(Server(), (b"content-length", b"11"))

    assert refused.value.status == 413


@pytest.mark.parametrize("length", [b"-1", b"x", b"", "٣".encode(), b"1"])
def test_a_length_that_lies_does_not_matter(length: bytes) -> None:
    assert read(Server(part(b"{}")), (b"content-length", length)).body == b"{}"


@pytest.mark.parametrize("said", [[LEFT], [part(b"{", more=True), LEFT]])
def test_a_body_whose_sender_left_is_no_body(said: list[Message]) -> None:
    with pytest.raises(RequestError) as refused:
        read(Server(*said))

    assert refused.value.status == 400


def test_a_body_may_be_left_out_of_the_message() -> None:
    assert read(Server({"type": "http.request"})).body == b""


def test_of_repeated_headers_the_last_counts() -> None:
    headers = (b"x", b"1"), (b"x", b"\xe9")

    assert read(Server(part(b"")), *headers).headers == {"x": "é"}


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        (b"", {}),
        (b"a=1&b=", {"a": "1", "b": ""}),
        (b"a=1&a=2", {"a": "2"}),
        (b"hub.challenge=a%20b%C3%A9", {"hub.challenge": "a bé"}),
        (b"%ff=%zz&&=", {"\ufffd": "%zz", "": ""}),
    ],
)
def test_a_query_is_read_as_its_parameters(query: bytes, parameters: dict[str, str]) -> None:
    assert Request("GET", "/", query, {}, b"").query == parameters


def test_an_answer_tells_its_length_and_its_kind() -> None:
    server = Server()
    asyncio.run(respond(server.send, Response(201, b"abc", TEXT), [(b"vary", b"origin")]))
    start, body = server.heard

    assert start["status"] == 201
    assert dict(start["headers"]) == {
        b"content-length": b"3",
        b"vary": b"origin",
        b"content-type": TEXT,
    }
    assert body == {"type": "http.response.body", "body": b"abc"}


def test_an_answer_without_a_body_is_of_no_kind() -> None:
    server = Server()
    asyncio.run(respond(server.send, Response(204)))

    assert server.heard[0]["headers"] == [(b"content-length", b"0")]


def test_an_application_starts_before_it_says_so_and_stops_before_it_says_so() -> None:
    server = Server({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})

    async def note(what: str) -> None:
        server.heard.append({"type": what})

    asyncio.run(
        run_lifespan(
            server.receive,
            server.send,
            start=lambda: note("started"),
            stop=lambda: note("stopped"),
        )
    )

    assert [message["type"] for message in server.heard] == [
        "started",
        "lifespan.startup.complete",
        "stopped",
        "lifespan.shutdown.complete",
    ]


@pytest.mark.parametrize(
    ("path", "below"),
    [("/webhooks/google", "/google"), ("/webhooks", ""), ("/other", "/other")],
)
def test_a_path_is_read_below_the_prefix_of_its_application(path: str, below: str) -> None:
    assert path_below({"path": path}, "/webhooks") == below


def streamed(*pieces: bytes, length: int | None) -> list[Message]:
    async def main() -> list[Message]:
        async def given() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        server = Server()
        await respond(server.send, Streamed(206, [(b"a", b"b")], length, given()), [(b"c", b"d")])
        return server.heard

    return asyncio.run(main())


def test_a_stream_is_sent_piece_by_piece() -> None:
    start, *bodies = streamed(b"ab", b"c", length=3)

    assert start["status"] == 206
    assert start["headers"] == [(b"a", b"b"), (b"c", b"d"), (b"content-length", b"3")]
    assert [(each["body"], each.get("more_body", False)) for each in bodies] == [
        (b"ab", True),
        (b"c", True),
        (b"", False),
    ]


def test_a_stream_whose_length_is_not_said_goes_without() -> None:
    start, *_ = streamed(length=None)

    assert start["headers"] == [(b"a", b"b"), (b"c", b"d")]


def test_a_stream_that_breaks_is_never_ended_as_if_it_were_whole() -> None:
    async def main() -> list[Message]:
        async def broken() -> AsyncIterator[bytes]:
            yield b"ab"
            raise StorageError("gone")

        server = Server()
        with pytest.raises(StorageError):
            await respond(server.send, Streamed(200, [], 3, broken()))
        return server.heard

    assert [each.get("more_body") for each in asyncio.run(main())] == [None, True]
