import json
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from statistics import fmean
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.simulator import business_messages, messenger, website
from airy_ray.simulator.story import Delivery, Planned, Visit
from airy_ray.simulator.traffic import Shape, Traffic, cast
from airy_ray.sources import facebook, google
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.google import Google
from airy_ray.sources.source import Reacted, Received, Webhook

BEGAN_AT = Millis(1_763_712_000_000)
OWN_APP = {facebook.APP_ID: "4711"}


def planned(seed: int = 1, count: int = 2_000, **shape: Any) -> list[Planned]:
    named = cast(seed, BEGAN_AT, pages=2, app_id="4711")
    traffic = Traffic(Shape(100, None, **shape), named, seed=seed, began_at=BEGAN_AT)
    return list(islice(traffic.planned(), count))


def deliveries(source: str, **shape: Any) -> list[Delivery]:
    return [
        each for each in planned(**shape) if isinstance(each, Delivery) and each.source == source
    ]


def test_the_same_seed_and_start_give_the_same_requests() -> None:
    assert planned(seed=3) == planned(seed=3)
    assert planned(seed=3) != planned(seed=4)


def test_no_two_runs_share_a_name() -> None:
    runs = [
        cast(1, BEGAN_AT, pages=2, app_id="4711"),
        cast(1, Millis(BEGAN_AT + 1), pages=2, app_id="4711"),
    ]

    assert len({run.agent for run in runs} | {run.site for run in runs}) == 4
    assert set(runs[0].pages).isdisjoint(runs[1].pages)


def test_requests_come_at_the_rate_for_as_long_as_asked() -> None:
    named = cast(1, BEGAN_AT, pages=1, app_id="4711")
    traffic = Traffic(Shape(50, 4), named, seed=1, began_at=BEGAN_AT)

    dues = [each.due_s for each in traffic.planned()]

    assert len(dues) == 200
    assert dues == sorted(dues)
    assert dues[-1] < 4


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_shares_of_requests_are_repeated_late_and_batched(share: float) -> None:
    told = planned(duplicates=share, disorder=share, batches=share)

    webhooks = [each for each in told if isinstance(each, Delivery)]
    messengers = [each for each in webhooks if each.source == messenger.SOURCE]

    assert _share(each.repeat_after_s is not None for each in told) == pytest.approx(
        share, abs=0.05
    )
    assert _share(each.delay_s > 0 for each in webhooks) == pytest.approx(share, abs=0.05)
    assert _share(_item_count(each) > 1 for each in messengers) == pytest.approx(share, abs=0.05)


def test_messengers_bodies_say_to_our_own_parser_what_was_written() -> None:
    for delivery in deliveries(messenger.SOURCE):
        events = facebook.parse(Webhook(delivery.body, OWN_APP)).events

        told = {each.identity: each for each in events if isinstance(each, Received)}
        reacted = {
            (each.source_message_id, each.emoji) for each in events if isinstance(each, Reacted)
        }

        assert told.keys() == {each.key for each in delivery.written}
        assert reacted == {(each.key, each.emoji) for each in delivery.reacted}
        for written in delivery.written:
            parsed = told[written.key]
            assert parsed.sent_at == written.sent_at
            assert parsed.from_contact == written.from_contact
            assert json.loads(parsed.content) == json.loads(written.content)


def test_googles_bodies_say_to_our_own_parser_what_was_written() -> None:
    for delivery in deliveries(business_messages.SOURCE):
        events = google.parse(Webhook(delivery.body, {})).events

        told = [each for each in events if isinstance(each, Received)]

        assert [(each.identity, each.sent_at) for each in told] == [
            (written.key, written.sent_at) for written in delivery.written
        ]


def test_signatures_are_those_of_the_platforms() -> None:
    body = b'{"object":"page"}'
    meta, googles = messenger.signature("s", body), business_messages.signature("k", body)

    Facebook("s").verify(Webhook(body, dict([meta])))
    Google("k").verify(Webhook(body, dict([googles])))


def test_meta_escapes_slashes_and_what_is_not_ascii() -> None:
    bodies = [each.body for each in deliveries(messenger.SOURCE)]

    assert all(body.isascii() for body in bodies)
    assert not any(b"/" in body.replace(b"\\/", b"") for body in bodies)
    assert any(b"\\u" in body for body in bodies)


def test_every_kind_of_event_occurs() -> None:
    kinds: Counter[str] = Counter()
    for delivery in deliveries(messenger.SOURCE):
        for entry in json.loads(delivery.body)["entry"]:
            for item in entry["messaging"]:
                kinds.update(item.keys() | item.get("message", {}).keys())

    assert kinds.keys() >= {
        "postback",
        "reaction",
        "read",
        "delivery",
        "is_echo",
        "app_id",
        "attachments",
        "quick_reply",
    }


def test_reactions_of_one_conversation_never_have_the_same_time() -> None:
    reacted = [each for delivery in deliveries(messenger.SOURCE) for each in delivery.reacted]

    assert len({(each.thread, each.at) for each in reacted}) == len(reacted)


def test_keys_are_found_again_in_what_visitors_write() -> None:
    visits = [each for each in planned() if isinstance(each, Visit)]

    assert [website.key_of(json.loads(each.content)) for each in visits] == [
        each.key for each in visits
    ]
    assert website.key_of({"text": "of somebody else"}) is None


def test_messages_are_older_than_any_command_that_comes_after_them() -> None:
    for index, delivery in enumerate(deliveries(messenger.SOURCE, count=500)):
        due_at = BEGAN_AT + 1_000 * delivery.due_s

        assert all((each.sent_at or 0) < due_at - 50_000 for each in delivery.written), index


def _share(claims: Iterable[bool]) -> float:
    return fmean(list(claims))


def _item_count(delivery: Delivery) -> int:
    return sum(len(entry["messaging"]) for entry in json.loads(delivery.body)["entry"])
