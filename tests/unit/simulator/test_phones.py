"""What people do on each platform is what the source that reads its webhooks understands by it."""

from collections.abc import Mapping
from random import Random

import pytest

from airy_ray.clock import Millis
from airy_ray.simulator.moments import Item, Moment
from airy_ray.simulator.phones import PHONES
from airy_ray.simulator.story import Thread
from airy_ray.simulator.traffic import Cast, thread_of
from airy_ray.sources import custom, facebook, telegram, viber
from airy_ray.sources.source import Overwritten, Reacted, Receipt, Received, SourceEvent, Webhook
from tests.unit.simulator.small_platform import PARSERS

CHANNELS = {source: f"+1{index}" for index, source in enumerate(PHONES)}
RUN = "1a2b3c4d"
NAMED = Cast(RUN, ("100",), "an-agent", "a-program", "4711", CHANNELS | {"telegram": "7012"})
AT = Millis(1_763_712_000_000)
OURS: Mapping[str, str] = {"viber": str((5 << 60) + 3), "telegram": "77:3"}
"""What our messages are called where not any text will do."""
PARSER_OF = {"instagram": "facebook", "twilio.sms": "twilio", "twilio.whatsapp": "twilio"}


def thread(source: str) -> Thread:
    return thread_of(NAMED, source, 3)


def moment(source: str) -> Moment:
    key = PHONES[source].key(thread(source), RUN, 1_000_001)
    return Moment(Random(1), thread(source), key, AT, NAMED.app_id, (), "Ada Lovelace")


def understood(source: str, item: Item) -> list[SourceEvent]:
    body = PHONES[source].body([item])
    if source == "custom":
        told = custom.read("a-program", body)
        return [each.received for each in told if isinstance(each, Overwritten)]
    headers = {facebook.APP_ID: "4711", viber.ACCOUNT: "pa:1", telegram.BOT: "7012"}
    return list(PARSERS[PARSER_OF.get(source, source)](Webhook(body, headers)).events)


def only(kind: type, events: list[SourceEvent]) -> SourceEvent:
    (found,) = [each for each in events if isinstance(each, kind)]
    return found


def having(act: str) -> list[str]:
    return [source for source, phone in PHONES.items() if getattr(phone, act) is not None]


@pytest.mark.parametrize("source", PHONES)
def test_words_are_a_message_of_the_contact(source: str) -> None:
    words = "Grüße & <b>1+1</b>"
    received = only(Received, understood(source, PHONES[source].said(moment(source), words)))

    assert isinstance(received, Received)
    assert received.from_contact
    assert received.source_message_id == moment(source).key
    assert received.key.conversation == thread(source).contact
    is_form = source.startswith("twilio")
    assert ("Gr%C3%BC%C3%9Fe+%26" if is_form else "1+1") in received.content.decode()


@pytest.mark.parametrize("source", having("pictured"))
def test_a_picture_is_a_message(source: str) -> None:
    act = PHONES[source].pictured
    assert act is not None
    received = only(Received, understood(source, act(moment(source), "http://here/a.png")))

    assert isinstance(received, Received)
    named_by = {"whatsapp": '"image"', "telegram": '"photo"', "google": "googleapis"}
    address = "http%3A%2F%2Fhere" if source.startswith("twilio") else "here"
    assert named_by.get(source, address) in received.content.decode()


@pytest.mark.parametrize("source", having("located"))
def test_a_place_is_a_message(source: str) -> None:
    act = PHONES[source].located
    assert act is not None
    received = only(Received, understood(source, act(moment(source), 52.5, 13.4)))

    assert isinstance(received, Received)
    assert b"52.5" in received.content
    assert b"13.4" in received.content


@pytest.mark.parametrize("emoji", ["👍", None])
@pytest.mark.parametrize("source", having("reacted"))
def test_a_reaction_names_our_message(source: str, emoji: str | None) -> None:
    act, ours = PHONES[source].reacted, OURS.get(source, "m-ours")
    if source == "telegram":
        ours = f"{thread(source).contact}:3"
    assert act is not None
    reacted = only(Reacted, understood(source, act(moment(source), ours, emoji)))

    assert isinstance(reacted, Reacted)
    assert (reacted.source_message_id, reacted.emoji) == (ours, emoji)


@pytest.mark.parametrize(
    ("source", "act"),
    [(source, act) for act in ("arrived", "seen") for source in having(act)],
)
def test_a_receipt_names_our_message_or_all_until_now(source: str, act: str) -> None:
    ours = OURS.get(source, "m-ours")
    receipt = only(Receipt, understood(source, getattr(PHONES[source], act)(moment(source), ours)))

    assert isinstance(receipt, Receipt)
    assert receipt.is_seen is (act == "seen")
    is_until_now = (source, act) == ("facebook", "seen")
    assert (receipt.source_message_ids, receipt.up_to) == (
        ((), AT) if is_until_now else ((ours,), None)
    )
