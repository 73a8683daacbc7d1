import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from statistics import fmean
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.simulator import business_messages, messenger, website
from airy_ray.simulator.hooks import Secrets, custom_hook, hooks, telegram_hook
from airy_ray.simulator.story import Delivery, Planned, Visit
from airy_ray.simulator.traffic import Shape, Traffic, cast
from airy_ray.simulator.viber_api import ACCOUNT
from airy_ray.sources import custom, facebook, google, telegram, twilio, viber, whatsapp
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.google import Google
from airy_ray.sources.source import (
    Overwritten,
    Reacted,
    Received,
    Source,
    SourceEvent,
    Webhook,
)
from airy_ray.sources.telegram import Telegram
from airy_ray.sources.twilio import Twilio
from airy_ray.sources.viber import Viber
from airy_ray.sources.whatsapp import Whatsapp

BEGAN_AT = Millis(1_763_712_000_000)
OWN_APP = {facebook.APP_ID: "4711"}


OTHERS: dict[str, Callable[[bytes], list[SourceEvent]]] = {
    "instagram": lambda body: facebook.parse(Webhook(body, OWN_APP)).events,
    "whatsapp": lambda body: whatsapp.parse(Webhook(body, {})).events,
    "twilio.sms": lambda body: twilio.parse(Webhook(body, {})).events,
    "twilio.whatsapp": lambda body: twilio.parse(Webhook(body, {})).events,
    "viber": lambda body: viber.parse(Webhook(body, {viber.ACCOUNT: ACCOUNT})).events,
    "telegram": lambda body: telegram.parse(Webhook(body, {telegram.BOT: "7"})).events,
    "custom": lambda body: [
        each.received if isinstance(each, Overwritten) else each
        for each in custom.read("crm", body)
    ],
}
"""How the bodies of other sources are read."""


def planned(
    seed: int = 1, count: int = 2_000, others: Collection[str] = (), **shape: Any
) -> list[Planned]:
    named = cast(seed, BEGAN_AT, pages=2, app_id="4711", others=others)
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


@pytest.mark.parametrize("source", OTHERS)
def test_others_bodies_say_to_our_own_parser_what_was_written(source: str) -> None:
    kinds: Counter[str] = Counter()
    for delivery in deliveries(source, others=[source]):
        events = OTHERS[source](delivery.body)
        received = [each for each in events if isinstance(each, Received)]
        reacted = [each for each in events if isinstance(each, Reacted)]
        kinds.update(type(each).__name__ for each in events)

        assert [(each.identity, each.from_contact, each.sent_at) for each in received] == [
            (each.key, each.from_contact, each.sent_at) for each in delivery.written
        ]
        assert [json.loads(each.content) for each in received] == [
            json.loads(each.content) for each in delivery.written
        ]
        assert [each.key.conversation for each in received] == [
            each.thread.contact for each in delivery.written
        ]
        assert [(each.source_message_id, each.emoji, each.at) for each in reacted] == [
            (each.key, each.emoji, each.at) for each in delivery.reacted
        ]

    has_reactions = source in ("instagram", "whatsapp", "telegram")
    assert kinds["Received"] > 300
    assert (kinds["Reacted"] > 0) == has_reactions
    assert (kinds["Receipt"] > 0) == (source not in ("telegram", "custom"))


@pytest.mark.parametrize("source", OTHERS)
def test_others_repeat_no_name_and_no_time_of_reactions(source: str) -> None:
    sent = deliveries(source, others=[source])
    keys = [each.key for delivery in sent for each in delivery.written]
    reacted = [each for delivery in sent for each in delivery.reacted]

    assert len(set(keys)) == len(keys)
    assert len({(each.thread, each.at) for each in reacted}) == len(reacted)


def test_signatures_are_those_of_the_platforms() -> None:
    url = "https://chat.example.org"
    made = hooks(Secrets("s", "k", "w", "t", "v"), url)
    verifying: dict[str, Source] = {
        "facebook": Facebook("s"),
        "instagram": Facebook("s"),
        "google": Google("k"),
        "whatsapp": Whatsapp("w"),
        "twilio.sms": Twilio("t"),
        "twilio.whatsapp": Twilio("t"),
        "viber": Viber("v", lambda: None),
    }
    for source, verifier in verifying.items():
        [delivery, *_] = deliveries(source, others=OTHERS)
        path, headers = made[source](delivery.body)

        verifier.verify(Webhook(delivery.body, dict(headers), url + path))
    assert made.keys() == verifying.keys()


def test_a_bot_and_a_custom_source_bring_the_secrets_that_were_told() -> None:
    update = telegram_hook("/telegram/7", "secret")(b"{}")
    brought = custom_hook("token")(b"{}")

    assert update == ("/telegram/7", [("x-telegram-bot-api-secret-token", "secret")])
    assert brought == ("/sources.webhook", [("authorization", "Bearer token")])
    webhook = Webhook(b"{}", dict(update[1]), f"https://chat.example.org{update[0]}")
    Telegram({"7": "secret"}.get).verify(webhook)


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
