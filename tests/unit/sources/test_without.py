"""Bodies without the events of somebody: theirs are gone, all others are as they came."""

import json
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError
from airy_ray.partition.interpret import PARSERS, WITHOUT
from airy_ray.sources import custom, facebook, google, twilio, viber, whatsapp
from airy_ray.sources.source import Key, Linked, SourceEvent
from airy_ray.sources.telegram import BOT
from airy_ray.sources.viber import ACCOUNT
from tests import builders, manifests
from tests.erasing import body, item
from tests.manifests import Case

WEBHOOKS = manifests.cases(*manifests.SOURCES)


class Everything:
    """Cuts the events of some conversations, or of all, and what names them."""

    def __init__(self, *conversations: str, until: int | None = None) -> None:
        self._conversations = conversations
        self._until = until

    @property
    def headers(self) -> dict[str, str]:
        return {ACCOUNT: manifests.VIBER_ACCOUNT.id, BOT: manifests.TELEGRAM_BOT}

    def takes(self, key: Key, at: Millis | None) -> bool:
        if self._until is not None and at is not None and at > self._until:
            return False
        return not self._conversations or key.conversation in self._conversations

    def names(self, part: bytes) -> bool:
        return any(f'"{each}"'.encode() in part for each in self._conversations)


def events(case: Case, text: bytes) -> list[SourceEvent]:
    try:
        return PARSERS[case.source](msgspec.structs.replace(case.stored(), body=text)).events
    except PayloadError:
        return []


def names(text: bytes, person: str) -> bool:
    """Whether a body, or the form that it is, names somebody."""
    in_form = person in dict(parse_qsl(text.decode("latin-1"))).values()
    return in_form or f'"{person}"'.encode() in text


def people(case: Case) -> list[set[str]]:
    """Return how those whom a body tells of are called; somebody may have two names."""
    told = events(case, case.body())
    linked = [{each.key.conversation, each.name} for each in told if isinstance(each, Linked)]
    alone = {each.key.conversation for each in told} - {name for both in linked for name in both}
    return [*linked, *({name} for name in sorted(alone))]


def test_every_source_that_is_read_can_be_cut() -> None:
    assert set(WITHOUT) == set(PARSERS)


@pytest.mark.parametrize("case", manifests.params(WEBHOOKS))
def test_nobodys_events_cut_is_the_body_itself(case: Case) -> None:
    assert WITHOUT[case.source](case.body(), Everything("nobody")) == case.body()


@pytest.mark.parametrize("case", manifests.params(WEBHOOKS))
def test_without_a_person_a_body_tells_of_all_others_as_before(case: Case) -> None:
    for person in people(case):
        left = WITHOUT[case.source](case.body(), Everything(*person))
        told = events(case, case.body())
        others = [each for each in told if each.key.conversation not in person]

        assert ([] if left is None else events(case, left)) == others
        assert left is None or not any(names(left, name) for name in person)


@pytest.mark.parametrize("case", manifests.params(WEBHOOKS))
def test_without_anybody_a_body_tells_of_nothing(case: Case) -> None:
    left = WITHOUT[case.source](case.body(), Everything())

    assert left is None or events(case, left) == []


def test_a_batch_keeps_the_bytes_of_who_stays() -> None:
    kept = (
        b'{"sender":{"id":"bob"} , "recipient":{"id":"page-1"},"x":"\\ud83d","message":{"mid":"1"}}'
    )
    gone = json.dumps(item("eva", "m2", "bye", at=1)).encode()
    text = b'{"object": "page", "entry": [{"id":"page-1", "messaging":[%b,%b]}]}' % (gone, kept)
    left = facebook.without(text, Everything("eva"))

    assert left == b'{"object":"page","entry":[{"id":"page-1","messaging":[%b]}]}' % kept


def test_an_entry_of_which_nothing_is_left_goes_with_its_items() -> None:
    first = json.loads(body(item("eva", "m1", "bye", at=1)))
    second = json.loads(body(item("bob", "m2", "hi", at=1)))
    both = first | {"entry": first["entry"] + second["entry"]}
    left = facebook.without(json.dumps(both).encode(), Everything("eva"))

    assert left is not None
    assert json.loads(left) == second


def test_what_was_sent_later_stays() -> None:
    both = body(item("eva", "m1", "old", at=10), item("eva", "m2", "new", at=20))
    left = facebook.without(both, Everything("eva", until=10))

    assert left is not None
    assert b"old" not in left
    assert b"new" in left


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(
            {"changes": [{"field": "feed", "value": {"from": {"id": "eva"}}}]}, id="change"
        ),
        pytest.param({"messaging": [{"optin": {"ref": "eva"}}]}, id="item without a sender"),
        pytest.param({"messaging": [{"message": 7, "sender": "eva"}]}, id="malformed item"),
        pytest.param({"unknown": {"who": "eva"}}, id="unknown member"),
    ],
)
def test_what_belongs_nowhere_goes_if_it_names_the_person(part: dict[str, Any]) -> None:
    entry = {"id": builders.PAGE, "time": 1} | part
    text = json.dumps({"object": "page", "entry": [entry]}).encode()

    assert facebook.without(text, Everything("eva")) is None
    assert facebook.without(text, Everything("bob")) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"object":"page","entry":[{"id":"1","messaging":["eva"', id="cut"),
        pytest.param(b'["eva"]', id="no object"),
        pytest.param(b'{"object":"page","entry":"eva","x":"eva"}', id="no entries"),
        pytest.param(b'\xff"eva"', id="not UTF-8"),
        pytest.param(b'{"object":"page","entry":["eva"]}', id="broken entry"),
    ],
)
@pytest.mark.parametrize(
    "without",
    [facebook.without, google.without, twilio.without, viber.without, whatsapp.without],
)
def test_what_nobody_can_read_goes_whole_if_it_names_the_person(text: bytes, without: Any) -> None:
    assert without(text, Everything("eva")) is None
    assert without(text, Everything("bob")) == text


def test_a_change_of_instagram_is_dated_in_seconds() -> None:
    value = {"sender": {"id": "eva"}, "recipient": {"id": "1"}, "timestamp": 2, "message": {}}
    entry = {"id": "1", "time": 0, "changes": [{"field": "messages", "value": value}]}
    text = json.dumps({"object": "instagram", "entry": [entry]}).encode()

    assert facebook.without(text, Everything("eva", until=1_999)) == text
    assert facebook.without(text, Everything("eva", until=2_000)) is None


CUSTOM = json.dumps(
    {
        "messages": [
            {
                "source_message_id": f"{person}-1",
                "source_conversation_id": person,
                "source_channel_id": "shop",
                "source_sender_id": person,
                "content": {"text": f"text of {person}"},
                "sent_at": 5,
            }
            for person in ("ada", "bob")
        ],
        "metadata": [
            {"namespace": "conversation", "source_id": "ada", "metadata": {"a": 1}},
            {"namespace": "message", "source_id": "ada", "metadata": {"a": 2}},
            {"namespace": "conversation", "source_id": "bob", "metadata": {"a": 3}},
        ],
    }
).encode()


def test_a_body_of_a_custom_source_is_cut() -> None:
    left = custom.without("crm", CUSTOM, Everything("ada"))
    assert left is not None
    told = json.loads(left)

    assert b'"ada' not in left
    assert [each["source_conversation_id"] for each in told["messages"]] == ["bob"]
    assert [each["source_id"] for each in told["metadata"]] == ["bob"]
    assert custom.without("crm", CUSTOM, Everything("nobody")) == CUSTOM
    assert custom.without("crm", CUSTOM, Everything()) is None
    assert custom.without("crm", b"no JSON of ada", Everything("ada")) == b"no JSON of ada"
    assert custom.without("crm", b'["ada"]', Everything("ada")) is None
