"""What custom sources bring in: what of it is read, what refused."""

import json
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError
from airy_ray.model import json_text
from airy_ray.sources import custom
from airy_ray.sources.source import Described, Key, MessageDescribed, Overwritten, SourceEvent
from tests import manifests
from tests.manifests import Case
from tests.unit.sources.test_hostile import spelled, spoiled

CASES = [case for case in manifests.cases("custom") if case.expected.get("ignored") != "forbidden"]
TAKEN = [case for case in CASES if case.inbound["expected_http_status"] == 200]
REFUSED = [case for case in CASES if case.inbound["expected_http_status"] == 400]


def message(**fields: Any) -> dict[str, Any]:
    return {
        "source_message_id": "m-1",
        "source_conversation_id": "c-1",
        "source_channel_id": "shop",
        "source_sender_id": "ada",
        "content": {"text": "Hi"},
        "sent_at": 5,
    } | fields


def read(*messages: Any, metadata: tuple[Any, ...] = ()) -> list[SourceEvent]:
    body = {"messages": list(messages), "metadata": list(metadata)}
    return custom.read("crm", json.dumps(body).encode())


def overwritten(**fields: Any) -> Overwritten:
    [told] = read(message(**fields))
    assert isinstance(told, Overwritten)
    return told


@pytest.mark.parametrize("case", manifests.params(TAKEN))
def test_a_recorded_body_says_what_its_manifest_says(case: Case) -> None:
    told = [
        each.received
        for each in custom.read("my-source", case.body())
        if isinstance(each, Overwritten)
    ]

    assert [
        {
            "source_channel_id": each.key.channel,
            "source_conversation_id": each.key.conversation,
            "source_message_id": each.source_message_id,
            "sent_at": each.sent_at,
            "is_from_contact": each.from_contact,
            "sender_id": each.sender_id,
            "content": json.loads(each.content),
        }
        for each in told
    ] == [{name: expected[name] for name in EXPECTED} for expected in case.expected["messages"]]


EXPECTED = (
    "source_channel_id",
    "source_conversation_id",
    "source_message_id",
    "sent_at",
    "is_from_contact",
    "sender_id",
    "content",
)


@pytest.mark.parametrize("case", manifests.params(TAKEN))
def test_a_recorded_body_tells_the_metadata_that_its_manifest_says(case: Case) -> None:
    told = [
        (key, json.loads(value))
        for each in custom.read("my-source", case.body())
        if isinstance(each, Described | MessageDescribed)
        for key, value in each.values.items()
    ]
    expected = [(item["key"], worth(item)) for item in case.expected.get("metadata", [])]

    assert told == expected


def worth(item: dict[str, Any]) -> Any:
    is_text = item["value_type"] == "text"
    return item["value"] if is_text else json.loads(item["value"])


@pytest.mark.parametrize("case", manifests.params(REFUSED))
def test_a_body_that_is_wrong_in_one_place_is_refused_as_a_whole(case: Case) -> None:
    with pytest.raises(PayloadError) as refused:
        custom.routes("my-source", case.body())

    told = case.inbound.get("expected_http_body", {}).get("message", refused.value.reason)
    assert refused.value.reason == told


def test_metadata_names_a_conversation_or_a_message_without_a_channel() -> None:
    of_conversation = {"namespace": "conversation", "source_id": "x", "metadata": {"a": {"b": 1}}}
    of_message = {"namespace": "message", "source_id": "x", "metadata": {"c": True}}
    one, other = read(metadata=(of_conversation, of_message))

    assert isinstance(one, Described)
    assert isinstance(other, MessageDescribed)
    assert (one.values, other.values) == ({"a.b": b"1.0"}, {"c": b"true"})
    assert (custom.named_message(one.key), custom.named_message(other.key)) == (None, "x")
    assert not custom.names_a_channel(one.key)
    assert not custom.names_a_channel(other.key)


def test_each_place_is_routed_once() -> None:
    body = json.dumps({"messages": [message(), message(source_message_id="m-2")]}).encode()

    assert custom.routes("crm", body) == [Key("crm", "shop", "c-1")]


def test_content_stays_as_it_came() -> None:
    text = rb'{"b": 1e999, "a": 12345678901234567890123, "c": "\ud83d", "d": "\u00e9"}'
    body = json.dumps({"messages": [message(content="@")]}).encode().replace(b'"@"', text)
    [told] = custom.read("crm", body)

    assert isinstance(told, Overwritten)
    assert told.received.content == json_text.compact(text)


@pytest.mark.parametrize(
    ("sent_at", "at"),
    [
        (0, 0),
        (-5, -5),
        (1763712000000.9, 1763712000000),
        ("2025-11-21T08:00:00Z", 1763712000000),
        ("2025-11-21T10:00:01.2509+02:00", 1763712001250),
        ("1969-12-31T23:59:59.250Z", -750),
    ],
)
def test_the_time_is_milliseconds_or_iso(sent_at: object, at: int) -> None:
    assert overwritten(sent_at=sent_at).received.sent_at == Millis(at)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sent_at": True},
        {"sent_at": None},
        {"sent_at": []},
        {"sent_at": "1763712000000"},
        {"sent_at": "2025-11-21T08:00:00"},
        {"sent_at": "2025-11-21"},
        {"sent_at": 10**17},
        {"sent_at": 1e300},
        {"content": None},
        {"source_message_id": ""},
        {"source_message_id": None},
        {"source_channel_id": ""},
        {"source_channel_id": "\0"},
        {"source_conversation_id": 1.5},
        {"source_sender_id": {}},
        {"from_contact": "yes"},
    ],
    ids=repr,
)
def test_a_message_that_is_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        read(message(), message(**wrong))


def test_a_body_holds_only_so_much() -> None:
    assert len(read(*[message()] * custom.ELEMENTS_MAX)) == custom.ELEMENTS_MAX
    with pytest.raises(PayloadError):
        read(*[message()] * (custom.ELEMENTS_MAX + 1))


@pytest.mark.parametrize("case", manifests.params(TAKEN))
def test_any_part_of_a_body_may_be_anything(case: Case) -> None:
    for value in spoiled(json.loads(case.body())):
        try:
            told = custom.read("crm", spelled(value))
        except PayloadError:
            continue
        for each in told:
            if isinstance(each, Overwritten):
                assert json_text.compact(each.received.content) == each.received.content
