"""The page's routes over HTTP, beside the APIs of the platforms, and a small platform behind."""

import asyncio
import json
import queue
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx
import pytest

from airy_ray.clock import Millis
from airy_ray.simulator.graph_api import USER_TOKEN, application
from airy_ray.simulator.hooks import Secrets
from airy_ray.simulator.inbox import ApiError
from airy_ray.simulator.interactive import play
from airy_ray.simulator.page import Page
from airy_ray.simulator.platforms import Platforms
from airy_ray.simulator.playing import Playing
from airy_ray.simulator.simulation import Target
from airy_ray.simulator.traffic import Cast, cast
from tests.unit.simulator.small_platform import Faults, SmallPlatform, serving

OTHERS = ("instagram", "whatsapp", "twilio.sms", "twilio.whatsapp", "viber", "telegram", "custom")
SECRETS = Secrets("s", "k", "w", "t", "v")
ADA, GRACE = "facebook-0", "facebook-1"
WAIT_S = 20.0


class Opened:
    """A page that is served, who calls it, and the platform that it plays against."""

    def __init__(self, http: httpx.Client, system: SmallPlatform, named: Cast) -> None:
        self.http = http
        self.system = system
        self.named = named

    def act(self, act: str, **asked: Any) -> httpx.Response:
        return self.http.post("/page/act", json={"act": act, **asked})

    def cast(self) -> Any:
        return self.http.get("/page/cast").json()

    @contextmanager
    def following(self, position: str | None = None) -> Iterator["Following"]:
        headers = {} if position is None else {"last-event-id": position}
        with self.http.stream("GET", "/page/screens", headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            yield Following(response.iter_lines())

    def answer(self, contact: str, text: str) -> str:
        """Have the page of Messenger that the contact writes to say something, as systems do."""
        page = self.named.pages[0]
        asked = {"access_token": USER_TOKEN}
        token = self.http.get(f"/v25.0/{page}", params=asked).json()["access_token"]
        told = self.http.post(
            "/v25.0/me/messages",
            json={"recipient": {"id": contact}, "message": {"text": text}},
            headers={"authorization": f"Bearer {token}"},
        )
        name: str = told.json()["message_id"]
        return name


class Following:
    """The events of a stream, read one by one."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.position = ""

    def next(self) -> Any:
        """Return a bubble as it has become, or None where everything begins anew."""
        kind = ""
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.position = value
            elif name == "event":
                kind = value
            elif name == "data":
                told = json.loads(value)
                assert (kind, told is None) in (("anew", True), ("bubble", False))
                return told
        raise AssertionError("the stream has ended")

    def until(self, **wanted: Any) -> Any:
        """Return the first bubble of which all this is true."""
        while True:
            told = self.next()
            if told is not None and wanted.items() <= told.items():
                return told


@pytest.fixture
def opened() -> Iterator[Opened]:
    """A page for all sources."""
    system = SmallPlatform(Faults())
    named = cast(1, Millis(1_763_712_000_000), pages=1, app_id="4711", others=OTHERS)
    platforms = Platforms(named, SECRETS, account_sid="AC1")
    system.telegram = platforms.telegram
    ports: queue.Queue[int] = queue.Queue()
    with serving(system) as url:
        target = Target(url, SECRETS, played_at="http://127.0.0.1:1", has_twilio=True)
        silent = {"google": "it is told why"}
        playing = play(target, named, platforms, 0, give_up_s=5, silent=silent, when_open=ports.put)
        loop = asyncio.new_event_loop()
        task = loop.create_task(playing)
        thread = Thread(target=loop.run_until_complete, args=[_ended(task)])
        thread.start()
        port = ports.get(timeout=WAIT_S)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as http:
                yield Opened(http, system, named)
        finally:
            loop.call_soon_threadsafe(task.cancel)
            thread.join()
            loop.close()


async def _ended(task: "asyncio.Task[None]") -> None:
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_page_needs_nothing_from_elsewhere(opened: Opened) -> None:
    page = opened.http.get("/")
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert {"/page/page.css", "/page/page.js"} <= set(linked)
    for each in linked:
        assert opened.http.get(each).status_code == 200
    assert "innerHTML" not in opened.http.get("/page/page.js").text


def test_who_can_be_played_and_what_they_can_do_is_told(opened: Opened) -> None:
    sources = {each["id"]: each for each in opened.cast()["sources"]}

    assert set(sources) == {"facebook", "google", *OTHERS}
    assert len({person["id"] for each in sources.values() for person in each["customers"]}) == 27
    assert sources["google"]["note"] == "it is told why"
    assert sources["facebook"]["note"] == ""
    assert not sources["facebook"]["has_locations"]
    assert sources["whatsapp"]["has_locations"]
    assert not sources["telegram"]["tells_seen"]


@pytest.mark.parametrize("source", ["facebook", "google", *OTHERS])
def test_what_a_customer_writes_comes_to_the_system_as_a_webhook(
    opened: Opened, source: str
) -> None:
    told = opened.act("say", customer=f"{source}-1", text="Is it <b>open</b>?")
    with opened.following() as following:
        following.until(number=told.json()["number"], state="sent")

    assert told.status_code == 202
    (message,) = opened.system.messages()
    assert "Is it" in json.dumps(message["content"]).replace("+", " ")


def test_pictures_places_and_reactions_are_told_where_they_are(opened: Opened) -> None:
    contact = "whatsapp-0"
    with opened.following() as following:
        opened.act("picture", customer=contact)
        picture = following.until(customer=contact, state="sent")
        opened.act("location", customer=contact)
        place = following.until(customer=contact, state="sent")
        name = opened.answer(_contact(opened), "Hello")
        answer = following.until(key=name)
        opened.act("react", number=answer["number"], emoji="👍")
        reacted = following.until(key=name, reaction="👍")

    assert picture["parts"] == [{"kind": "picture", "text": "A picture"}]
    assert place["parts"][0]["text"].startswith("Place: 52.5")
    assert reacted["number"] == answer["number"]
    assert opened.system.posts["whatsapp"] == 2


def _contact(opened: Opened) -> str:
    """Return what Messenger calls Ada."""
    return f"{int(opened.named.pages[0]) * 10}"


def test_an_answer_is_shown_and_its_receipts_are_told_once(opened: Opened) -> None:
    with opened.following() as following:
        name = opened.answer(_contact(opened), "We are <i>open</i>")
        answer = following.until(customer=ADA, state="arrived")
        for _ in range(2):
            assert opened.act("see", number=answer["number"]).status_code == 204
        following.until(key=name, state="seen")
        opened.act("say", customer=ADA, text="Thanks")
        following.until(customer=ADA, state="sent")

    assert answer["parts"] == [{"kind": "text", "text": "We are <i>open</i>"}]
    assert not answer["is_theirs"]
    assert [each.is_seen for each in opened.system.receipts] == [False, True]
    assert opened.system.receipts[0].source_message_ids == (name,)


def test_messages_for_others_are_on_no_screen(opened: Opened) -> None:
    with opened.following() as following:
        opened.answer("4383398935030571", "Who are you?")
        name = opened.answer(_contact(opened), "Hello")

        assert following.next() is None
        assert following.next()["key"] == name


def test_who_comes_back_goes_on_where_they_were(opened: Opened) -> None:
    with opened.following() as following:
        opened.act("say", customer=ADA, text="one")
        following.until(customer=ADA, state="sent")
        position = following.position
    opened.act("say", customer=GRACE, text="two")
    with opened.following(position) as following:
        again = following.next()
    with opened.following("another.3") as following:
        anew = following.next()

    assert (again["customer"], again["parts"][0]["text"]) == (GRACE, "two")
    assert anew is None


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"act": "say", "customer": ADA, "text": " \n"}, 400),
        ({"act": "say", "customer": ADA, "text": "x" * 4_001}, 400),
        ({"act": "say", "customer": ADA, "text": "\ud83d"}, 400),
        ({"act": "say", "customer": ADA}, 400),
        ({"act": "say", "customer": "nobody", "text": "Hi"}, 404),
        ({"act": "location", "customer": ADA}, 400),
        ({"act": "picture", "customer": "custom-0"}, 400),
        ({"act": "react", "number": 99, "emoji": "👍"}, 404),
        ({"act": "see", "number": 99}, 404),
        ({"act": "dance", "customer": ADA}, 400),
        ([], 400),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(
    opened: Opened, asked: Any, status: int
) -> None:
    told = {"content-type": "application/json"}
    refused = opened.http.post("/page/act", content=json.dumps(asked), headers=told)

    assert refused.status_code == status
    assert refused.json()["problem"]
    assert opened.system.posts.total() == 0


def test_reactions_are_some_emoji_to_messages_for_the_customer(opened: Opened) -> None:
    with opened.following() as following:
        opened.answer(_contact(opened), "Hello")
        answer = following.until(customer=ADA)
    own = opened.act("say", customer=ADA, text="Hi").json()["number"]

    assert opened.act("react", number=answer["number"], emoji="<b>").status_code == 400
    assert opened.act("react", number=own, emoji="👍").status_code == 404
    assert opened.act("react", number=answer["number"], emoji="👍").status_code == 202


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"host": "rebound.example"}, 400, id="by the name of another host"),
        pytest.param({"origin": "https://evil.example"}, 403, id="from another origin"),
        pytest.param({"origin": "null"}, 403, id="from a page without one"),
        pytest.param({"content-type": "text/plain"}, 415, id="as a form might"),
    ],
)
def test_only_the_page_itself_plays(opened: Opened, headers: dict[str, str], status: int) -> None:
    asked = json.dumps({"act": "say", "customer": ADA, "text": "Hi"})
    sent = {"content-type": "application/json"} | headers
    refused = opened.http.post("/page/act", content=asked, headers=sent)

    assert refused.status_code == status
    assert opened.system.posts.total() == 0


@pytest.mark.parametrize("path", ["/", "/page/cast", "/page/screens"])
def test_a_name_that_is_made_to_lead_here_shows_nothing(opened: Opened, path: str) -> None:
    assert opened.http.get(path, headers={"host": "rebound.example"}).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"no JSON", 400), (b"[" * 50_000, 400), (b'"' + b"x" * 64_000 + b'"', 413)],
)
def test_a_body_that_is_none_is_refused(opened: Opened, body: bytes, status: int) -> None:
    told = {"content-type": "application/json", "origin": str(opened.http.base_url).rstrip("/")}

    assert opened.http.post("/page/act", content=body, headers=told).status_code == status


def test_a_page_plays_once_its_channels_are_connected() -> None:
    async def asked() -> int:
        named = Cast("00000001", ("1",), "an-agent", "", "4711")
        platforms = Platforms(named, SECRETS)
        playing = Playing(named, platforms, postman=None, picture_url="")  # type: ignore[arg-type]
        routes = Page(playing, {}).routes()
        transport = httpx.ASGITransport(application(platforms.graph, routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return (await http.get("/page/cast")).status_code

    assert asyncio.run(asked()) == 503


def test_channels_that_cannot_be_connected_end_it() -> None:
    named = Cast("00000001", ("1",), "an-agent", "", "4711")
    target = Target("http://127.0.0.1:9", SECRETS)
    playing = play(
        target,
        named,
        Platforms(named, SECRETS),
        0,
        give_up_s=0,
        silent={},
        when_open=lambda port: None,
    )

    with pytest.raises(ApiError, match="does not answer"):
        asyncio.run(playing)
