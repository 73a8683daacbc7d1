import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from airy_ray.simulator.http import HttpClient, NoReplyError, Reply

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def answered(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes
) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
    writer.write(answer)
    return head + body


async def posted(handler: Handler, times: int = 1, timeout_s: float = 5) -> list[Reply]:
    async with serving(handler) as url, HttpClient(url, connections=2) as http:
        return [
            await http.post("/x?y=1", b"{}", [("a", "b")], timeout_s=timeout_s)
            for _ in range(times)
        ]


def test_a_request_arrives_whole_and_its_answer_comes_back() -> None:
    requests = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await answered(reader, writer, OK))

    assert asyncio.run(posted(handler)) == [Reply(200, b"hi")]
    assert requests[0].startswith(b"POST /x?y=1 HTTP/1.1\r\n")
    assert b"\r\na: b\r\n" in requests[0].lower()
    assert requests[0].endswith(b"\r\n\r\n{}")


def test_connections_are_used_again() -> None:
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(3):
            await answered(reader, writer, OK)

    asyncio.run(posted(handler, times=3))

    assert connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="hung up"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", id="cut off"),
        pytest.param(b"nonsense\r\n\r\n", id="not HTTP"),
    ],
)
def test_what_is_no_answer_is_told_apart_from_one(answer: bytes) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answered(reader, writer, answer)

    with pytest.raises(NoReplyError):
        asyncio.run(posted(handler))


def test_an_answer_that_does_not_come_in_time_is_none() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    with pytest.raises(NoReplyError, match="Timeout"):
        asyncio.run(posted(handler, timeout_s=0.05))


def test_nobody_there_is_no_answer() -> None:
    async def call() -> None:
        async with serving(lambda *_: asyncio.sleep(0)) as url:
            pass
        async with HttpClient(url, connections=1) as http:
            await http.post("/", b"", timeout_s=1)

    with pytest.raises(NoReplyError, match="Refused"):
        asyncio.run(call())


def test_no_more_connections_are_open_than_allowed() -> None:
    open_now = most = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await answered(
            reader, writer, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        open_now -= 1

    async def call() -> None:
        async with serving(handler) as url, HttpClient(url, connections=3) as http:
            await asyncio.gather(*(http.post("/", b"", timeout_s=5) for _ in range(20)))

    asyncio.run(call())

    assert 1 <= most <= 3
