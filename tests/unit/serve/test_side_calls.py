"""Calls that nobody waits for: so many at once, and given up in the end."""

import asyncio
import json
from collections.abc import Callable, Iterator
from threading import Event

import pytest

from airy_ray.serve.ports import free_port
from airy_ray.serve.side_calls import SideCalls
from airy_ray.sources.sending import Call
from tests.e2e import platforms
from tests.e2e.platforms import Answer, GraphApi


@pytest.fixture
def api() -> Iterator[GraphApi]:
    with platforms.graph_api() as server:
        yield server


def call(url: str, text: str) -> Call:
    body = json.dumps({"message": {"text": text}}).encode()
    return Call("POST", f"{url}/me/messages", {"authorization": "Bearer t"}, body)


def made(calls: list[Call], is_done: Callable[[], bool]) -> None:
    """Begin calls, wait until something is done, and give up what is under way."""

    async def main() -> None:
        side_calls = SideCalls()
        for each in calls:
            side_calls.begin(each)
        async with asyncio.timeout(10):
            await until(is_done)
        await side_calls.close()

    asyncio.run(main())


async def until(is_done: Callable[[], bool]) -> None:
    while True:
        if is_done():
            return
        await asyncio.sleep(0.005)


def test_so_many_are_made_at_once_and_given_up_in_the_end(
    api: GraphApi, caplog: pytest.LogCaptureFixture
) -> None:
    let_go = Event()
    api.answers["Hello"].extend([Answer(200, b"{}", held_until=let_go)] * 101)
    made([call(api.url, "Hello")] * 101, lambda: len(api.sent) == 100)
    let_go.set()

    assert caplog.messages == ["100 calls are under way, another is not made"]


def test_a_call_that_comes_to_nothing_is_noted(
    api: GraphApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.answers["Hello"].append(Answer(400, b"{}"))
    nobody = f"http://127.0.0.1:{free_port()}"
    calls = [call(api.url, "Hello"), call(nobody, "Hello")]
    made(calls, lambda: len(caplog.messages) == 2)

    assert {text.partition(": ")[0] for text in caplog.messages} == {
        "a platform answered a call with 400",
        "a platform could not be called",
    }
