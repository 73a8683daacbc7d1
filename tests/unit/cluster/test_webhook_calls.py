"""Calls to webhooks: what came of them, and whom nobody can have called."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Event, Thread

import pytest

from airy_ray.cluster import webhook_calls
from airy_ray.cluster.webhook_calls import WebhookCalls
from airy_ray.publishing.schedule import Answer
from airy_ray.serve.ports import free_port
from tests.e2e.receiver import Receiver, Reply


class Closing:
    """A receiver that takes calls until it is closed."""

    def __init__(self) -> None:
        self.receiver = Receiver()
        self.receiver.start()

    def close(self) -> None:
        self.receiver.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Closing()) as opened:
        yield opened.receiver


def posted(url: str, *, is_private_allowed: bool = True) -> Answer:
    async def main() -> Answer:
        calls = WebhookCalls(allow_private_networks=is_private_allowed)
        try:
            return await calls.post(url, {"X-Team": "support"}, b"{}")
        finally:
            await calls.close()

    return asyncio.run(main())


def test_a_call_brings_headers_and_body(receiver: Receiver) -> None:
    assert posted(receiver.url) == Answer(200, body=b"ok")
    [called] = receiver.calls

    assert (called.raw, called.headers["x-team"]) == (b"{}", "support")
    assert called.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("length", [0, 1, 1_023, 1_024, 1_025, 100_000])
def test_the_first_kilobyte_of_an_answer_is_told(receiver: Receiver, length: int) -> None:
    told = bytes(number % 256 for number in range(length))
    receiver.answers["/"].append(Reply(500, body=told))

    assert posted(f"{receiver.url}/") == Answer(500, body=told[:1_024])


def test_an_answer_that_breaks_off_counts_as_far_as_it_came() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbeg")

        thread = Thread(target=answer)
        thread.start()
        told = posted(f"http://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()

    assert told == Answer(200, body=b"beg")


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"])
def test_clouds_metadata_is_not_asked_for_where_private_networks_are_allowed(host: str) -> None:
    answer = posted(f"http://{host}/latest/meta-data/", is_private_allowed=True)

    assert answer.status is None
    assert "no address of the internet" in answer.error


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("2130706433", id="decimal"),
        pytest.param("0x7f.1", id="hexadecimal, short"),
        pytest.param("017700000001", id="octal"),
        pytest.param("0", id="zero"),
        pytest.param("127.0.0.1.", id="a dot behind"),
        pytest.param("localhost.", id="a name with a dot behind"),
        pytest.param("\u2460\u2461\u2466.0.0.1", id="circled digits"),
        pytest.param("127\uff0e0\uff0e0\uff0e1", id="wide dots"),
        pytest.param("example.org@127.0.0.1", id="what looks like a host is a user"),
        pytest.param("[::ffff:7f00:1]", id="IPv4 mapped"),
        pytest.param("[::7f00:1]", id="IPv4 compatible"),
        pytest.param("[64:ff9b::7f00:1]", id="translated"),
        pytest.param("[64:ff9b:1::7f00:1]", id="translated locally"),
        pytest.param("[2002:7f00:1::]", id="6to4"),
        pytest.param("[2001:0:7f00:1::]", id="Teredo"),
        pytest.param("[0:0:0:0:0:0:0:1]", id="loopback in full"),
        pytest.param("[fe80::1%25lo]", id="a link's, with its name"),
    ],
)
def test_no_form_of_an_address_of_ours_is_called(receiver: Receiver, host: str) -> None:
    answer = posted(f"http://{host}:{receiver.port}/", is_private_allowed=False)

    assert answer.status is None
    assert answer.error
    assert receiver.calls == []


def test_a_name_that_leads_to_the_internet_first_and_to_us_then_is_not_called(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads = iter(["192.0.2.1", "127.0.0.1"])  # the first is nobody's, and refused as well

    def getaddrinfo(*_: object, **__: object) -> object:
        address = (next(leads), receiver.port)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    url = f"http://rebinding.example:{receiver.port}/"
    answers = [posted(url, is_private_allowed=False) for _ in range(2)]

    assert all("no address of the internet" in each.error for each in answers)
    assert receiver.calls == []


def test_a_name_that_leads_to_one_of_them_is_not_called_either(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(*_: object, **__: object) -> object:
        address = ("127.0.0.1", receiver.port)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    url = f"http://rebound.example:{receiver.port}/"
    answer = posted(url, is_private_allowed=False)

    assert "no address of the internet" in answer.error
    assert posted(url).status == 200
    assert len(receiver.calls) == 1


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.answers["/"].append(Reply(307, {"location": f"{receiver.url}/elsewhere"}))

    assert posted(f"{receiver.url}/").status == 307
    assert receiver.at("/elsewhere") == []


def test_nobody_there_is_no_answer() -> None:
    answer = posted(f"http://127.0.0.1:{free_port()}/")

    assert answer.status is None
    assert "Connect" in answer.error


def test_who_keeps_silent_is_not_waited_for(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = Event()
    receiver.answers["/"].append(Reply(held_until=let_go))
    monkeypatch.setattr(webhook_calls, "_READ_S", 0.2)
    answer = posted(f"{receiver.url}/")
    let_go.set()

    assert answer.status is None
    assert "Timeout" in answer.error


@pytest.mark.parametrize(
    ("told", "after_s"),
    [
        ("7", 7.0),
        ("soon", None),
        ("-1", None),
        ("9" * 30, None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ],
)
def test_how_long_to_wait_is_told_in_seconds(
    receiver: Receiver, told: str, after_s: float | None
) -> None:
    receiver.answers["/"].append(Reply(429, {"retry-after": told}))

    assert posted(f"{receiver.url}/") == Answer(429, after_s=after_s, body=b"ok")


def test_or_as_a_date(receiver: Receiver) -> None:
    at = datetime.now(UTC) + timedelta(minutes=10)
    receiver.answers["/"].append(Reply(503, {"retry-after": format_datetime(at, usegmt=True)}))
    answer = posted(f"{receiver.url}/")

    assert answer.after_s == pytest.approx(600, abs=30)
