"""Coming back without a gap, as the positions of what was heard allow (design: §6, "Resume")."""

from collections import defaultdict
from threading import Thread
from typing import Any

import pytest

from airy_ray.stomp.frame import Frame
from tests.e2e.client import Client, Visitor, Website
from tests.e2e.program import Running, home, started, until
from tests.e2e.stomp_client import StompClient

VISITORS = 8
MESSAGES = 5
EVENTS_EACH = 2  # the message, and that it is unread
RESUME_EVENTS = 6
EXPIRED_S = 30.0


@pytest.fixture
def website(client: Client) -> Website:
    return Website(client)


def write(visitors: list[Visitor], texts: range) -> None:
    for text in texts:
        for each in visitors:
            each.send({"text": str(text)})


def visitors_of(website: Website) -> list[Visitor]:
    """Return visitors whose conversations lie in several partitions."""
    return [Visitor(website.client, website.channel) for _ in range(VISITORS)]


def positions_of(frames: list[Frame]) -> list[str]:
    return [each.headers["position"] for each in frames if "position" in each.headers]


def by_partition(positions: list[str]) -> dict[str, list[int]]:
    found = defaultdict(list)
    for position in positions:
        _, partition, place = position.split(".")
        found[partition].append(int(place))
    return dict(found)


def advanced(told: str, heard: list[str]) -> str:
    """Return what a client knows that was told positions, and then heard some more."""
    known = {each.rpartition(".")[0]: each for each in told.split(",")}
    known |= {each.rpartition(".")[0]: each for each in heard}
    return ",".join(known.values())


def heard_until(listening: StompClient, text: str) -> list[Frame]:
    """Return the events that come, up to a message of a text and what is told of it."""
    frames = [listening.receive()]
    while f'"{text}"'.encode() not in frames[-1].body:
        frames.append(listening.receive())
    frames.append(listening.receive())
    return frames


def test_a_receipt_tells_the_position_in_every_partition(platform: Running, client: Client) -> None:
    with StompClient(platform.url) as listening:
        told = listening.subscribe("/events").headers
        history, partitions = zip(
            *(each.split(".")[:2] for each in told["positions"].split(",")), strict=True
        )

        assert len(set(history)) == 1
        assert set(partitions) == {"0", "1", "2", "3", "65535"}  # the last is the registry
        assert "recovered" not in told


def test_who_resumes_hears_all_that_was_missed_once_and_in_order(
    platform: Running, website: Website
) -> None:
    visitors = visitors_of(website)
    count = VISITORS * MESSAGES * EVENTS_EACH
    with StompClient(platform.url) as always:
        told = always.subscribe(f"/channels/{website.channel['id']}").headers["positions"]
        write(visitors, range(MESSAGES))
        wanted = by_partition(positions_of([always.receive() for _ in range(count)]))
        assert len(wanted) > 1
        with StompClient(platform.url) as back:
            receipt = back.subscribe(f"/channels/{website.channel['id']}", resume_from=told)
            heard = by_partition(positions_of([back.receive() for _ in range(count)]))

            assert receipt.headers["recovered"] == "true"
            assert heard == wanted
            assert all(places == sorted(set(places)) for places in heard.values())
            website.visitor.send({"text": "afterwards"})
            assert back.event()["payload"]["message"]["content"] == {"text": "afterwards"}


def test_who_comes_and_goes_while_much_happens_misses_nothing(
    platform: Running, website: Website
) -> None:
    destination = f"/channels/{website.channel['id']}"
    visitors = visitors_of(website)
    count = VISITORS * MESSAGES * EVENTS_EACH
    writing = Thread(target=write, args=(visitors, range(MESSAGES)))
    heard: list[str] = []
    resumed = []
    with StompClient(platform.url) as always:
        known = always.subscribe(destination).headers["positions"]
        writing.start()
        while len(heard) < count:
            with StompClient(platform.url) as now:
                receipt = now.subscribe(destination, resume_from=advanced(known, heard))
                resumed.append(receipt.headers["recovered"])
                some = min(7, count - len(heard))
                events: list[str] = []
                while len(events) < some:
                    events += positions_of([now.receive()])
                heard += events
        writing.join()
        wanted = positions_of([always.receive() for _ in range(count)])

    assert set(resumed) == {"true"}
    assert len(resumed) > 5
    assert by_partition(heard) == by_partition(wanted)


def other_history(told: str) -> str:
    return ",".join("x" + each for each in told.split(","))


def first_missing(told: str) -> str:
    return told.partition(",")[2]


def ahead(told: str) -> str:
    first, _, rest = told.partition(",")
    return f"{first}0,{rest}"


def of_no_partition(told: str) -> str:
    history = told.partition(".")[0]
    return f"{told},{history}.77.1"


@pytest.mark.parametrize("changed", [other_history, first_missing, ahead, of_no_partition])
def test_who_cannot_have_everything_gets_nothing_old(
    platform: Running, website: Website, changed: Any
) -> None:
    destination = f"/channels/{website.channel['id']}"
    with StompClient(platform.url) as listening, StompClient(platform.url) as back:
        told = listening.subscribe(destination).headers["positions"]
        website.visitor.send({"text": "old"})
        heard_until(listening, "old")
        receipt = back.subscribe(destination, resume_from=changed(told))
        website.visitor.send({"text": "new"})

        assert receipt.headers["recovered"] == "false"
        assert back.event()["payload"]["message"]["content"] == {"text": "new"}
        with StompClient(platform.url) as again:
            seeded = again.subscribe(destination, resume_from=receipt.headers["positions"])
            assert seeded.headers["recovered"] == "true"
            assert again.event()["payload"]["message"]["content"] == {"text": "new"}


def test_a_conversation_is_resumed_by_itself(platform: Running, website: Website) -> None:
    other = Visitor(website.client, website.channel)
    with StompClient(platform.url) as listening:
        told = listening.subscribe("/events").headers["positions"]
    other.send({"text": "somebody else"})
    website.visitor.send({"text": "ours"})
    with StompClient(platform.url) as back:
        back.subscribe(f"/conversations/{website.conversation['id']}", resume_from=told)

        assert back.event()["payload"]["message"]["content"] == {"text": "ours"}
        assert back.event()["type"] == "metadata.updated"
        assert back.is_quiet()


def test_who_has_resumed_is_told_again_and_again_how_far_it_is(
    platform: Running, website: Website
) -> None:
    with StompClient(platform.url) as listening, StompClient(platform.url) as back:
        told = listening.subscribe("/events").headers["positions"]
        back.subscribe(f"/conversations/{website.conversation['id']}", resume_from=told)
        Visitor(website.client, website.channel).send({"text": "somewhere else"})
        newest = advanced(told, positions_of(heard_until(listening, "somewhere else")))
        moved = back.receive(15)
        while moved.headers["positions"] != newest:  # told before, or as something else happened
            newest = advanced(moved.headers["positions"], [])
            moved = back.receive(15)

        assert moved.headers["destination"] == "/positions"
        assert moved.body == b""
        assert newest != told


def test_positions_outlive_a_restart_and_too_much_is_not_recovered() -> None:
    settings = {"partitions": 1, "realtime": {"resume_events": RESUME_EVENTS}}
    with home(settings) as place:
        with started(place) as running, Client(running.url) as client:
            website = Website(client)
            with StompClient(running.url) as listening:
                told = listening.subscribe("/events").headers["positions"]
            for _ in range(RESUME_EVENTS // EVENTS_EACH):
                website.visitor.send({"text": "missed"})
        with started(place) as running, Client(running.url) as client:
            with StompClient(running.url) as back:
                assert back.subscribe("/events", resume_from=told).headers["recovered"] == "true"
                heard = [back.event() for _ in range(RESUME_EVENTS)]
                assert [each["type"] for each in heard].count("message.created") == 3
                assert back.is_quiet()
            client.call("/tags.create", {"name": "one more", "color": "tag-red"})
            with StompClient(running.url) as late:
                assert late.subscribe("/events", resume_from=told).headers["recovered"] == "false"
                assert late.is_quiet()


def test_who_was_away_for_longer_than_changes_are_kept_gets_nothing_old() -> None:
    settings = {"partitions": 1, "changes": {"keep_hours": 1 / 3_600}}
    with home(settings) as place, started(place) as running, Client(running.url) as client:
        website = Website(client)
        with StompClient(running.url) as listening:
            told = listening.subscribe("/events").headers["positions"]
        website.visitor.send({"text": "missed"})

        def recovered() -> str:
            with StompClient(running.url) as back:
                return back.subscribe("/events", resume_from=told).headers["recovered"]

        assert recovered() == "true"
        until(lambda: recovered() == "false", EXPIRED_S, every_s=1)
        with StompClient(running.url) as late:
            receipt = late.subscribe("/events", resume_from=told)
            assert late.is_quiet()
            website.visitor.send({"text": "new"})
            assert receipt.headers["recovered"] == "false"
            assert late.event()["payload"]["message"]["content"] == {"text": "new"}
