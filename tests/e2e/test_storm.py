"""WebSockets are let in at a bounded rate; who comes again gets in."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from websockets.exceptions import InvalidStatus

from tests.e2e.program import Running, home, started, until
from tests.e2e.stomp_client import StompClient


@pytest.fixture(scope="module")
def narrow() -> Iterator[Running]:
    """A platform that lets few in."""
    with (
        home({"partitions": 1, "realtime": {"connects_per_s": 5}}) as place,
        started(place) as running,
    ):
        yield running


def test_a_storm_is_let_in_bit_by_bit(narrow: Running) -> None:
    with ExitStack() as stack:
        answers = [_answer(narrow, stack) for _ in range(40)]

        assert set(answers) == {"CONNECTED", "503, after 1"}
        until(lambda: _answer(narrow, stack) == "CONNECTED")


def _answer(running: Running, stack: ExitStack) -> str:
    try:
        client = stack.enter_context(StompClient(running.url))
    except InvalidStatus as refused:
        response = refused.response
        return f"{response.status_code}, after {response.headers['retry-after']}"
    return client.connected.command
