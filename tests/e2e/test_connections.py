"""Clients that do not speak HTTP as it is meant: they are told, or cut off; nobody else notices."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from airy_ray.rawlog.record import Record
from tests.e2e import platforms
from tests.e2e.client import Client
from tests.e2e.conftest import BODY_BYTES_MAX
from tests.e2e.program import Running

ANSWER_S = 20.0
PATHS = ("/webhooks/google", "/google", "/channels.list")


def spoken(platform: Running, *parts: bytes, then_close: bool = False) -> bytes:
    """Return what is answered first to what is said on a connection of its own."""
    address = ("127.0.0.1", platform.home.port)
    with socket.create_connection(address, timeout=ANSWER_S) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            if then_close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has heard enough and closed
        answer = b""
        for part in heard(connection):
            answer += part
            if is_whole(answer):
                break
        return answer


def heard(connection: socket.socket) -> Iterator[bytes]:
    """Yield what comes until the other side closes."""
    try:
        while part := connection.recv(65_536):
            yield part
    except ConnectionResetError:
        return


def is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return bool(end) and length is not None and len(body) >= int(length[1])


def status_of(answer: bytes) -> int:
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.") else 0


def head(path: str, *lines: str) -> bytes:
    body = b"{}"
    signature = platforms.signed_by_google(body)["x-goog-signature"]
    told = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        "Content-Type: application/json",
        f"X-Goog-Signature: {signature}",
        *lines,
    ]
    return "\r\n".join(told).encode() + b"\r\n\r\n"


@pytest.mark.parametrize("path", PATHS)
def test_a_body_may_come_in_chunks(path: str, platform: Running) -> None:
    answer = spoken(
        platform, head(path, "Transfer-Encoding: chunked"), b"1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n"
    )

    assert status_of(answer) == 200


@pytest.mark.parametrize("path", PATHS)
def test_chunks_over_the_bound_are_too_large(
    path: str, client: Client, received: Callable[[], list[Record]]
) -> None:
    chunks = (b" " * 65_536 for _ in range(BODY_BYTES_MAX // 65_536 + 1))
    response = client.http.post(path, content=chunks, headers=platforms.signed_by_google(b"{}"))

    assert response.status_code == 413
    assert received() == []


@pytest.mark.parametrize("path", PATHS)
def test_who_announces_too_much_is_refused_before_it_comes(path: str, platform: Running) -> None:
    announced = head(path, f"Content-Length: {BODY_BYTES_MAX + 1}")

    assert status_of(spoken(platform, announced)) == 413


@pytest.mark.parametrize("path", PATHS)
def test_who_announces_more_than_comes_gets_nothing_stored(
    path: str, platform: Running, received: Callable[[], list[Record]]
) -> None:
    answer = spoken(platform, head(path, "Content-Length: 10"), b"{}", then_close=True)

    assert status_of(answer) in (0, 400)
    assert received() == []


@pytest.mark.parametrize("path", PATHS)
def test_what_comes_after_the_announced_is_no_part_of_the_body(
    path: str, platform: Running
) -> None:
    answer = spoken(platform, head(path, "Content-Length: 2"), b"{}" + b"x" * 100)

    assert status_of(answer) == 200


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"\x00\xff\xfe junk\r\n\r\n", id="junk"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"GET\r\n\r\n", id="no path"),
        pytest.param(b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", id="no such version"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", id="no colon"),
        pytest.param(b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", id="long path"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", id="long header"
        ),
        pytest.param(
            b"POST /google HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", id="length no number"
        ),
        pytest.param(
            b"POST /google HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", id="negative length"
        ),
        pytest.param(
            b"POST /google HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            id="two lengths",
        ),
        pytest.param(
            b"POST /google HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            id="broken chunk",
        ),
    ],
)
def test_what_is_no_http_is_answered_with_400_or_nothing(
    said: bytes, platform: Running, client: Client
) -> None:
    answer = spoken(platform, said, then_close=True)

    assert 400 <= status_of(answer) < 500 or answer == b""
    assert client.http.get("/actuator/health").status_code == 200


def test_who_sends_slowly_holds_nobody_up(platform: Running, client: Client) -> None:
    slow = [socket.create_connection(("127.0.0.1", platform.home.port)) for _ in range(50)]
    for connection in slow:
        connection.sendall(head("/google", "Content-Length: 100") + b"{")
    statuses = {client.post("/channels.list").status_code for _ in range(20)}
    for connection in slow:
        connection.close()

    assert statuses == {200}


def test_who_leaves_before_the_answer_hurts_nobody(platform: Running, client: Client) -> None:
    for _ in range(50):
        with closing(socket.create_connection(("127.0.0.1", platform.home.port))) as connection:
            connection.sendall(head("/channels.list", "Content-Length: 2") + b"{}")

    assert client.post("/channels.list").status_code == 200


def test_a_connection_serves_many_requests(platform: Running) -> None:
    with httpx.Client(base_url=platform.url, limits=httpx.Limits(max_connections=1)) as one:
        answers: list[Any] = [one.post("/channels.list").status_code for _ in range(50)]

    assert set(answers) == {200}
