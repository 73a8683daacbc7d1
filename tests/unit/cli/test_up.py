"""`airy-ray up` waits until all is ready, as long as something moves on."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from threading import Thread

import orjson
import pytest

from airy_ray.cli import up
from airy_ray.config import Http, Settings

WAIT_S = 1.0


@contextmanager
def platform(done: Iterator[int]) -> Iterator[Settings]:
    """A platform whose state is rebuilt: so many records are done each time that it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            count = next(done) if self.path == "/actuator/health" else 9
            told = {"01": f"{count} of 9 records done"}
            self.send_response(200 if count == 9 else 503)
            self.end_headers()
            self.wfile.write(orjson.dumps({"partitions": told}))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        yield Settings(http=Http(port=server.server_port))
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "_READY_S", WAIT_S)


def test_a_state_that_is_rebuilt_is_waited_for_however_long_it_takes() -> None:
    told: list[str] = []
    steps = [count for count in range(9) for _ in range(5)]  # longer in all than nothing may move
    with platform(chain(steps, repeat(9))) as settings:
        up.wait_until_ready(settings, told.append)

    assert len(steps) * up._POLL_S > WAIT_S
    assert told == [f"partition 01: {count} of 9 records done" for count in range(9)]


def test_what_does_not_move_on_is_not_waited_for() -> None:
    with (
        platform(repeat(3)) as settings,
        pytest.raises(TimeoutError, match="partition 01: 3 of 9 records done"),
    ):
        up.wait_until_ready(settings, lambda _: None)


def test_who_does_not_answer_is_not_waited_for() -> None:
    with platform(repeat(9)) as settings:
        pass
    with pytest.raises(TimeoutError, match="the applications do not answer"):
        up.wait_until_ready(settings, lambda _: None)
