"""What it means that a platform answers, or does not."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from airy_ray.cluster.media.store_spec import StoreSpec
from airy_ray.cluster.our_files import OurFiles
from airy_ray.cluster.platform_calls import PlatformCalls
from airy_ray.serve.ports import free_port
from airy_ray.sources.attached import OurFile
from airy_ray.sources.sending import Call, Form, Later, Refused, Reply, with_files

SOON_S = 0.05
LONG_S = 20.0
BODY = b"hello"
TAKEN = b"HTTP/1.1 200 OK\r\nX-Told: Yes\r\ncontent-length: 2\r\n\r\n{}"
MOVED = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
MANY = 300
"""More than all built-in sources together have under way."""

Came = Reply | Refused | Later
Answering = Callable[[StreamReader, StreamWriter], Awaitable[None]]


def answering(answer: bytes) -> Answering:
    async def answer_each(reader: StreamReader, writer: StreamWriter) -> None:
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(BODY))
            writer.write(answer)

    return answer_each


async def saying_nothing(reader: StreamReader, writer: StreamWriter) -> None:
    while await reader.read(1 << 16):
        pass


async def hanging_up(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.readline()


@asynccontextmanager
async def platform(answer: Answering) -> AsyncIterator[str]:
    """Play a platform, until nobody is connected any more; yield where it is."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        with closing(writer):
            await answer(reader, writer)

    def begin(reader: StreamReader, writer: StreamWriter) -> None:
        serving.add(asyncio.create_task(serve(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0, backlog=2 * MANY) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*serving)


@asynccontextmanager
async def calling() -> AsyncIterator[PlatformCalls]:
    calls = PlatformCalls()
    try:
        yield calls
    finally:
        await calls.close()


def called(
    answer: Answering,
    *,
    path: str = "/",
    headers: dict[str, str] | None = None,
    wait_s: float = LONG_S,
    is_deduplicating: bool = False,
) -> Came:
    """Call a platform once."""

    async def main() -> Came:
        async with platform(answer) as url, calling() as calls:
            call = Call("POST", url + path, headers or {}, BODY, wait_s)
            return await calls.made(call, is_deduplicating=is_deduplicating)

    return asyncio.run(main())


def called_at(url: str) -> Came:
    """Call an address once."""

    async def main() -> Came:
        async with calling() as calls:
            return await calls.made(Call("POST", url, {}, BODY), is_deduplicating=False)

    return asyncio.run(main())


@pytest.mark.parametrize(("is_deduplicating", "kind"), [(True, Later), (False, Refused)])
def test_a_form_whose_file_is_gone_breaks_off(
    is_deduplicating: bool, kind: type[Came], tmp_path: Path
) -> None:
    gone = OurFile("5d41402a-bc4b-8a76-b971-9d911017c592.png", 10, "image/png")
    form = Form({"a": "b"}, {"file": gone})

    async def main() -> Came:
        files = OurFiles(StoreSpec(str(tmp_path), None, {}, None, str(tmp_path / "unlinked")))
        async with platform(saying_nothing) as url:
            calls = PlatformCalls(files)
            came = await calls.made(with_files(url, form), is_deduplicating=is_deduplicating)
            await calls.close()
            return came

    assert isinstance(asyncio.run(main()), kind)


def test_an_answer_is_returned_with_its_headers_in_lower_case() -> None:
    came = called(answering(TAKEN))

    assert came == Reply(200, b"{}", {"x-told": "Yes", "content-length": "2"})


def test_nobody_is_followed_to_another_address() -> None:
    came = called(answering(MOVED))

    assert isinstance(came, Reply)
    assert came.status == 302


def test_who_cannot_be_reached_is_tried_again() -> None:
    came = called_at(f"http://127.0.0.1:{free_port()}/")

    assert isinstance(came, Later)


@pytest.mark.parametrize(
    "answer", [pytest.param(saying_nothing, id="silent"), pytest.param(hanging_up, id="hung up")]
)
def test_who_got_it_and_does_not_answer_may_have_taken_it(answer: Answering) -> None:
    came = called(answer, wait_s=SOON_S)

    assert isinstance(came, Refused)
    assert came.reason.startswith("delivery uncertain: ")


@pytest.mark.parametrize(
    "answer", [pytest.param(saying_nothing, id="silent"), pytest.param(hanging_up, id="hung up")]
)
def test_who_takes_a_message_once_is_called_again(answer: Answering) -> None:
    came = called(answer, wait_s=SOON_S, is_deduplicating=True)

    assert isinstance(came, Later)


@pytest.mark.parametrize("url", ["nowhere/secret", "ftp://127.0.0.1/secret", "http:///secret"])
def test_what_is_no_address_is_refused_and_not_shown(url: str) -> None:
    came = called_at(url)

    assert isinstance(came, Refused)
    assert not came.reason.startswith("delivery uncertain")
    assert "secret" not in came.reason


def test_what_is_no_header_is_refused() -> None:
    headers = {"authorization": "Bearer a\r\nb"}

    came = called(answering(TAKEN), headers=headers)

    assert isinstance(came, Refused)


def test_an_answer_that_is_no_http_shows_no_address() -> None:
    came = called(answering(b"nonsense\r\n\r\n"), path="/secret")

    assert isinstance(came, Refused)
    assert came.reason.startswith("delivery uncertain: ")
    assert "secret" not in came.reason


def test_many_that_wait_for_an_answer_hold_up_nobody() -> None:
    async def main() -> Came:
        waiting = 0
        all_wait = asyncio.Event()

        async def counting(reader: StreamReader, writer: StreamWriter) -> None:
            nonlocal waiting
            await reader.readline()
            waiting += 1
            if waiting == MANY:
                all_wait.set()
            await saying_nothing(reader, writer)

        async with (
            platform(counting) as slow,
            platform(answering(TAKEN)) as other,
            calling() as calls,
        ):
            to_slow, to_other = (Call("POST", url, {}, BODY) for url in (slow, other))
            held = [
                asyncio.create_task(calls.made(to_slow, is_deduplicating=False))
                for _ in range(MANY)
            ]
            async with asyncio.timeout(LONG_S):
                await all_wait.wait()
                came = await calls.made(to_other, is_deduplicating=False)
            for each in held:
                each.cancel()
            await asyncio.wait(held)
            return came

    assert isinstance(asyncio.run(main()), Reply)
