"""What WhatsApp tells, beyond the recorded payloads."""

import json
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError
from airy_ray.sources.source import (
    Described,
    Failed,
    Key,
    Linked,
    Parsed,
    Reacted,
    Receipt,
    Received,
    Replaced,
    SourceEvent,
    Webhook,
)
from airy_ray.sources.whatsapp import Whatsapp, contact_of, parse, without
from tests.unit.sources.test_without import Everything

NUMBER, CONTACT, USER_ID = "106", "49157", "DE.1"
KEY = Key("whatsapp", NUMBER, CONTACT)
HIDDEN = Key("whatsapp", NUMBER, USER_ID)
MESSAGE = {"from": CONTACT, "id": "wamid.1", "timestamp": "5", "type": "text"}
STATUS = {"id": "wamid.2", "recipient_id": CONTACT, "status": "delivered", "timestamp": "5"}


def body(*, field: str = "messages", **value: Any) -> bytes:
    change = {"field": field, "value": {"metadata": {"phone_number_id": NUMBER}} | value}
    told = {"object": "whatsapp_business_account", "entry": [{"id": "w", "changes": [change]}]}
    return json.dumps(told).encode()


def told(**value: Any) -> Parsed:
    return parse(Webhook(body(**value), {}))


def events(**value: Any) -> list[SourceEvent]:
    return told(**value).events


def test_a_message_is_kept_as_it_came() -> None:
    text = body(messages=["<>"]).replace(b'"<>"', b'{"id":"m", "from":7,"x":"\\ud83d","n":1.50}')
    [received] = parse(Webhook(text, {})).events

    assert isinstance(received, Received)
    assert received.content == b'{"id":"m","from":7,"x":"\\ud83d","n":1.50}'
    assert (received.key.conversation, received.sender_id, received.sent_at) == ("7", "7", None)


@pytest.mark.parametrize("kind", ["edit", "revoke"])
def test_an_edited_or_deleted_message_is_replaced(kind: str) -> None:
    message = MESSAGE | {"type": kind, kind: {"original_message_id": "wamid.0"}}
    [replaced] = events(messages=[message])

    assert isinstance(replaced, Replaced)
    assert (replaced.received.identity, replaced.replaced_at) == ("wamid.0", Millis(5_000))
    assert json.loads(replaced.received.content) == message


@pytest.mark.parametrize("emoji", [None, ""])
def test_a_reaction_without_an_emoji_is_taken_back(emoji: str | None) -> None:
    reaction = {"message_id": "wamid.0", "emoji": emoji}
    message = MESSAGE | {"type": "reaction", "reaction": reaction}

    assert events(messages=[message]) == [Reacted(KEY, "wamid.0", None, Millis(5_000))]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param({"id": None}, "no message id", id="no id"),
        pytest.param({"from": ""}, "no contact id", id="nobody"),
        pytest.param({"group_id": "g"}, "group", id="group"),
        pytest.param({"type": "reaction"}, "reaction to nothing", id="reaction"),
        pytest.param({"type": "edit", "edit": {}}, "change of nothing", id="edit"),
    ],
)
def test_a_message_that_says_nothing_to_us_is_left_out_and_others_kept(
    message: dict[str, Any], reason: str
) -> None:
    parsed = told(messages=[MESSAGE | message, 7, MESSAGE])

    assert [event.key for event in parsed.events] == [KEY]
    assert parsed.ignored[0] == reason


@pytest.mark.parametrize(
    ("status", "is_seen"), [("delivered", False), ("read", True), ("played", True)]
)
def test_a_status_is_a_receipt(status: str, is_seen: bool) -> None:
    parsed = events(statuses=[STATUS | {"status": status}])

    assert parsed == [Receipt(KEY, is_seen, ("wamid.2",))]


@pytest.mark.parametrize("status", ["sent", "deleted", "warning", "another", None, []])
def test_other_statuses_have_no_consequence(status: Any) -> None:
    parsed = told(statuses=[STATUS | {"status": status}])

    assert parsed == Parsed([], ["status without consequence"])


def test_of_a_contact_with_two_names_a_status_may_be_of_either() -> None:
    *receipts, link = events(statuses=[STATUS | {"recipient_user_id": USER_ID}])

    assert receipts == [Receipt(each, False, ("wamid.2",)) for each in (KEY, HIDDEN)]
    assert link == Linked(HIDDEN, CONTACT)


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ([{"message": "No", "title": "T", "error_data": {"details": "why"}}], "No: why"),
        ([{"title": "T", "error_data": None}], "T"),
        ([{"code": 1}], "WhatsApp error"),
        ([], "WhatsApp error"),
        ("what", "WhatsApp error"),
    ],
)
def test_why_a_message_failed_is_told(errors: Any, reason: str) -> None:
    answer = json.dumps(errors, separators=(",", ":"))
    parsed = events(statuses=[STATUS | {"status": "failed", "errors": errors}])

    assert parsed == [Failed(KEY, "wamid.2", reason, answer)]


@pytest.mark.parametrize(
    ("contact", "key", "name"),
    [
        ({"wa_id": CONTACT, "profile": {"name": "Ada", "username": "ada"}}, KEY, b'"Ada"'),
        ({"user_id": USER_ID, "profile": {"name": "", "username": "ada"}}, HIDDEN, b'"ada"'),
        ({"wa_id": CONTACT, "user_id": USER_ID, "profile": {"name": "Ada"}}, KEY, b'"Ada"'),
    ],
)
def test_a_contact_has_a_name(contact: dict[str, Any], key: Key, name: bytes) -> None:
    described = [each for each in events(contacts=[contact]) if isinstance(each, Described)]

    assert described == [Described(key, {"contact.display_name": name})]


@pytest.mark.parametrize(
    "contact",
    [7, {}, {"wa_id": CONTACT}, {"wa_id": CONTACT, "profile": 7}, {"profile": {"name": "Ada"}}],
)
def test_a_contact_may_have_none(contact: Any) -> None:
    assert [event.key for event in events(contacts=[contact], messages=[MESSAGE])] == [KEY]


def test_whose_number_stands_in_the_same_body_is_known_by_it() -> None:
    message = {name: value for name, value in MESSAGE.items() if name != "from"}
    hidden = message | {"from_user_id": USER_ID}
    contact = {"wa_id": CONTACT, "user_id": USER_ID}

    assert [event.key for event in events(messages=[hidden])] == [HIDDEN]
    received, link = events(messages=[hidden], contacts=[contact])
    assert (received.key, link) == (KEY, Linked(HIDDEN, CONTACT))


def test_a_message_with_number_and_id_links_them() -> None:
    received, link = events(messages=[MESSAGE | {"from_user_id": USER_ID}])

    assert (received.key, link) == (KEY, Linked(HIDDEN, CONTACT))


def in_entries(*values: dict[str, Any], number: str = NUMBER) -> bytes:
    """Return a body with an entry for each value, all of one of our numbers."""
    entries = [json.loads(body(**value))["entry"][0] for value in values]
    for entry in entries:
        entry["changes"][0]["value"]["metadata"] = {"phone_number_id": number}
    return json.dumps({"object": "whatsapp_business_account", "entry": entries}).encode()


BY_ID = {"messages": [{**MESSAGE, "from": None, "from_user_id": USER_ID}]}
BOTH = {"contacts": [{"wa_id": CONTACT, "user_id": USER_ID}]}


@pytest.mark.parametrize("values", [(BY_ID, BOTH), (BOTH, BY_ID)])
def test_whose_number_stands_in_another_entry_is_known_by_it(values: tuple[Any, Any]) -> None:
    text = in_entries(*values)
    found = parse(Webhook(text, {})).events

    assert {type(event): event.key for event in found} == {Received: KEY, Linked: HIDDEN}
    assert Whatsapp("secret").routes(Webhook(text, {})) == [KEY, HIDDEN]
    assert without(text, Everything(CONTACT)) is None


def test_an_id_of_another_number_of_ours_is_another_contact() -> None:
    told = json.loads(in_entries(BY_ID))
    told["entry"] += json.loads(in_entries(BOTH, number="107"))["entry"]
    [received] = [
        event
        for event in parse(Webhook(json.dumps(told).encode(), {})).events
        if isinstance(event, Received)
    ]

    assert received.key == HIDDEN


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "not JSON"),
        (b"7", "not an object"),
        (b'{"x":"\xff"}', "not UTF-8"),
        (b"[" * 300 + b"]" * 300, "nested too deep"),
    ],
)
def test_a_body_that_is_none_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(PayloadError) as refused:
        parse(Webhook(text, {}))

    assert refused.value.reason == reason


def test_a_body_is_routed_to_all_whom_it_names() -> None:
    """What is forgotten of somebody is found by that, also where it says nothing to us."""
    text = body(
        messages=[MESSAGE],
        statuses=[STATUS | {"status": "sent", "recipient_id": "bob"}],
        contacts=[{"wa_id": "eva"}],
    )
    keys = Whatsapp("secret").routes(Webhook(text, {}))

    assert [key.conversation for key in keys] == [CONTACT, "bob", "eva"]


WRAPPED = "whatsapp_business_api_data"


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_what_goes_is_cut_out_of_a_change(is_wrapped: bool) -> None:
    def of(*contacts: str) -> bytes:
        value = {
            "messages": [MESSAGE | {"from": each} for each in contacts],
            "statuses": [STATUS | {"recipient_id": each} for each in contacts],
            "contacts": [{"wa_id": each, "profile": {"name": each}} for each in contacts],
        }
        metadata = {"phone_number_id": NUMBER}
        wrapped = {WRAPPED: value | {"metadata": metadata}}
        return body(**(wrapped if is_wrapped else value))

    left = without(of("eva", "bob"), Everything("eva"))

    assert left is not None
    assert json.loads(left) == json.loads(of("bob"))
    assert without(of("eva"), Everything("eva")) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(body(field="account_update", about={"wa_id": "eva"}), id="another field"),
        pytest.param(body(messages=[{"id": "m", "who": "eva"}]), id="no contact"),
        pytest.param(body(errors=[{"details": "eva"}]), id="errors"),
    ],
)
def test_what_belongs_nowhere_goes_if_it_names_the_person(text: bytes) -> None:
    assert without(text, Everything("eva")) is None
    assert without(text, Everything("bob")) == text


def test_what_was_sent_later_stays() -> None:
    later = MESSAGE | {"id": "wamid.9", "timestamp": "6"}
    left = without(body(messages=[MESSAGE, later]), Everything(CONTACT, until=5_000))

    assert left is not None
    assert json.loads(left) == json.loads(body(messages=[later]))


@pytest.mark.parametrize(
    ("recipient", "contact"),
    [
        ("4915712345", "4915712345"),
        ("+49 (157) 123-45", "4915712345"),
        ("US.13491208655302741918", "US.13491208655302741918"),
        ("+", "+"),
        ("ada", "ada"),
    ],
)
def test_a_number_is_known_by_its_digits(recipient: str, contact: str) -> None:
    assert contact_of(recipient) == contact
