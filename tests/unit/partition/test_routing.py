"""Where bodies go: to the partitions of their conversations, or to the one their digest picks."""

import json
from pathlib import Path

import pytest

from airy_ray.clock import Micros
from airy_ray.model import ids
from airy_ray.model.channel import Channel
from airy_ray.model.events import Place
from airy_ray.model.ids import ChannelId, PartitionIndex, owner_of, slot_of
from airy_ray.partition.interpret import CHANNEL_DISCONNECTED, NO_SUCH_CHANNEL, home_of, interpret
from airy_ray.partition.routing import partitions_of, record_of, reroute
from airy_ray.rawlog.record import Record, payload_id
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.source import Webhook
from airy_ray.state.queries import reading
from tests import builders
from tests.log_builders import NOW, append, messenger_item, owned, settle, spec

SOURCE = Facebook("secret")
AT = Micros(NOW * 1_000)
COUNT = 8
CONTACTS = [f"contact-{n}" for n in range(12)]


def connected(_: ChannelId) -> Channel | None:
    return builders.channel()


def disconnected(_: ChannelId) -> Channel | None:
    return builders.channel(connected=False)


def unknown(_: ChannelId) -> Channel | None:
    return None


def nowhere(_: bytes) -> Place | None:
    return None


def body_of(contacts: list[str]) -> bytes:
    """Return one body with a message of each contact."""
    entries = [
        json.loads(messenger_item(f"m-{contact}", contact, at=NOW))["entry"][0]
        for contact in contacts
    ]
    return json.dumps({"object": "page", "entry": entries}).encode()


def home_of_contact(contact: str, count: int = COUNT) -> int:
    return owner_of(builders.conversation_id(contact), count)


def test_a_record_keeps_the_body_and_what_was_decided_of_it() -> None:
    body = body_of(["ada"])
    record = record_of(SOURCE, Webhook(body, {}), connected, AT)

    assert (record.body, record.received_at, record.payload_id) == (body, AT, payload_id(body))
    assert record.routes == (builders.route("ada"),)


@pytest.mark.parametrize(
    ("lookup", "refused"),
    [
        pytest.param(connected, None, id="connected"),
        pytest.param(disconnected, CHANNEL_DISCONNECTED, id="disconnected"),
        pytest.param(unknown, NO_SUCH_CHANNEL, id="unknown"),
    ],
)
def test_an_event_is_refused_when_its_channel_is_not_connected(
    lookup: "object", refused: str | None
) -> None:
    assert callable(lookup)
    record = record_of(SOURCE, Webhook(body_of(["ada"]), {}), lookup, AT)

    assert [route.refused for route in record.routes] == [refused]


def test_a_body_goes_whole_to_every_partition_that_takes_something_of_it() -> None:
    record = record_of(SOURCE, Webhook(body_of(CONTACTS), {}), connected, AT)

    targets = partitions_of(record, COUNT)

    assert targets == sorted({home_of_contact(contact) for contact in CONTACTS})
    assert len(targets) > 3


def test_each_partition_takes_only_its_own_events_and_together_they_take_all() -> None:
    record = record_of(SOURCE, Webhook(body_of(CONTACTS), {}), connected, AT)
    taken = {
        index: [
            event.place.source_conversation_id  # type: ignore[union-attr]
            for event in interpret(record, index, COUNT).events
        ]
        for index in partitions_of(record, COUNT)
    }

    assert all(
        home_of_contact(contact) == index for index, them in taken.items() for contact in them
    )
    assert sorted(contact for them in taken.values() for contact in them) == sorted(CONTACTS)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not JSON", id="not JSON"),
        pytest.param(b'{"object":"page"}', id="nothing in it"),
        pytest.param(b"\xff\x00", id="not text"),
        pytest.param(body_of(["ada"]), id="unknown channel"),
    ],
)
def test_what_nobody_takes_is_stored_in_the_partition_that_its_digest_picks(body: bytes) -> None:
    record = record_of(SOURCE, Webhook(body, {}), unknown, AT)

    picked = owner_of(payload_id(body), COUNT)
    assert partitions_of(record, COUNT) == [picked] == [home_of(record, COUNT)]
    assert record.body == body


def test_what_nobody_takes_is_explained_in_one_ledger_only() -> None:
    record = record_of(SOURCE, Webhook(body_of(["ada"]), {}), disconnected, AT)
    reasons = [interpret(record, PartitionIndex(index), COUNT).ignored for index in range(COUNT)]

    assert [reason for reason in reasons if reason] == [[CHANNEL_DISCONNECTED]]


def test_a_body_that_is_partly_refused_waits_for_the_unknown_channel() -> None:
    def known(identifier: ChannelId) -> Channel | None:
        return builders.channel() if identifier == builders.channel().id else None

    both = json.loads(body_of(["ada"]))
    both["entry"] += json.loads(messenger_item("x", "bob", at=NOW, page="other"))["entry"]
    record = record_of(SOURCE, Webhook(json.dumps(both).encode(), {}), known, AT)
    home = home_of(record, COUNT)

    events = interpret(record, home, COUNT).events

    assert sorted(type(event).__name__ for event in events) == ["MessageReceived", "WaitingFor"]
    assert home == home_of_contact("ada")


def test_routing_again_takes_only_what_was_refused_and_only_once_it_is_connected() -> None:
    record = record_of(SOURCE, Webhook(body_of(CONTACTS), {}), unknown, AT)

    assert reroute(record, unknown, nowhere, AT) is None
    assert reroute(record, disconnected, nowhere, AT) is None
    again = reroute(record, connected, nowhere, Micros(AT + 5))

    assert again is not None
    repeated, slots = again
    assert (repeated.body, repeated.received_at) == (record.body, AT + 5)
    assert {route.refused for route in repeated.routes} == {None}
    assert slots == {slot_of(builders.conversation_id(contact)) for contact in CONTACTS}


def test_what_was_taken_the_first_time_is_not_routed_again() -> None:
    record = record_of(SOURCE, Webhook(body_of(CONTACTS), {}), connected, AT)

    assert reroute(record, connected, nowhere, AT) is None


def test_a_body_over_several_partitions_comes_to_one_message_each(tmp_path: Path) -> None:
    record = record_of(SOURCE, Webhook(body_of(CONTACTS), {}), connected, AT)
    count = 2
    stored = {}
    for index in partitions_of(record, count):
        own = spec(tmp_path, index=index, count=count)
        append(own.directory, [record])
        with owned(own) as partition:
            settle(partition)
            with reading(partition.state.environment) as view:
                stored[index] = view.conversation_count()

    assert stored == {
        index: sum(home_of_contact(contact, count) == index for contact in CONTACTS)
        for index in (0, 1)
    }


def test_an_unheard_of_source_is_kept_and_named() -> None:
    record: Record = builders.record(source="carrier pigeon")

    assert interpret(record, home_of(record, COUNT), COUNT).ignored == ["unknown source"]
    assert ids.REGISTRY not in partitions_of(record, COUNT)
