"""`airy-ray simulate --page`: a customer is played in a browser, and sees what is answered."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airy_ray.serve.ports import free_port
from tests.e2e.browser import opened
from tests.e2e.client import Client
from tests.e2e.program import PROGRAM, Home, Running, home, started, until

QUESTION, ANSWER = "Is it <b>open</b>?", "It is <i>open</i> until six."
SCREEN = "document.getElementById('screen').innerText"


@pytest.fixture(scope="module")
def platform_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def played_against(platform_port: int) -> Iterator[Running]:
    """A platform that calls the simulator where it would call Meta."""
    facebook = {
        "app_id": "4711",
        "app_secret": "s3cret",
        "api_url": f"http://127.0.0.1:{platform_port}",
    }
    sources = {"facebook": facebook, "google": {"partner_key": "k"}}
    with home({"sources": sources, "partitions": 1}) as place, started(place) as running:
        yield running


@pytest.fixture
def page(played_against: Running, platform_port: int) -> Iterator[str]:
    """Where the page is served."""
    place = played_against.home
    output = place.root / "simulate"
    with output.open("wb") as told, _simulate(place, played_against.url, told.fileno()) as process:
        until(lambda: "Play the customers" in output.read_text() or process.poll() is not None)
        assert process.poll() is None, output.read_text()
        yield f"http://127.0.0.1:{platform_port}/"
        process.terminate()


def _simulate(place: Home, url: str, output: int) -> "subprocess.Popen[bytes]":
    told = ["--config", str(place.settings), "--url", url]
    return subprocess.Popen(
        [str(PROGRAM), "simulate", "--page", *told],
        cwd=place.root,
        env=place.environment(),
        stdout=output,
        stderr=output,
    )


def test_a_customer_writes_is_answered_and_has_seen_it(
    played_against: Running, page: str, tmp_path: Path
) -> None:
    with Client(played_against.url) as client, opened(page, tmp_path / "profile") as tab:
        until(lambda: tab.value("document.getElementById('customer')?.options.length"))
        tab.value("document.getElementById('words').focus()")
        tab.write(QUESTION)
        (conversation,) = until(lambda: client.call("/conversations.list")["data"])
        (question,) = client.messages(conversation["id"])
        asked = {"conversation_id": conversation["id"], "message": {"text": ANSWER}}
        sent = client.call("/messages.send", asked)
        until(lambda: ANSWER in tab.value(SCREEN))

        def told() -> Any:
            return client.messages(conversation["id"])[0]["metadata"]

        until(lambda: told().get("source", {}).get("delivery_state") == "seen")

        assert question["content"]["message"]["text"] == QUESTION
        assert tab.value(SCREEN).count(QUESTION) == 1
        assert tab.value("document.querySelectorAll('#screen li').length") == 2
        assert tab.value("document.querySelectorAll('#screen b, #screen i').length") == 0
        assert sent["delivery_state"] == "pending"
        assert tab.value("document.activeElement.id") == "words"
