import json
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError
from airy_ray.sources.facebook import APP_ID, Facebook, parse
from airy_ray.sources.source import (
    Key,
    Parsed,
    Reacted,
    Receipt,
    Received,
    Replaced,
    SourceEvent,
    Webhook,
)

ADA = Key("facebook", "page", "ada")
TIME = Millis(1_763_712_000_000)


def item(**fields: Any) -> dict[str, Any]:
    """Return what Ada wrote to the page; `fields` are over that."""
    return {
        "sender": {"id": "ada"},
        "recipient": {"id": "page"},
        "timestamp": TIME,
        "message": {"mid": "m1", "text": "Hi"},
    } | fields


def echo(**fields: Any) -> dict[str, Any]:
    """Return what the page wrote to Ada."""
    message = {"mid": "m1", "is_echo": True} | fields
    return item(sender={"id": "page"}, recipient={"id": "ada"}, message=message)


def webhook(*items: Any, own_app: str = "42", **entry: Any) -> Webhook:
    told = {"id": "page", "time": TIME + 5, "messaging": list(items)} | entry
    body = json.dumps({"object": entry.pop("object", "page"), "entry": [told]}).encode()
    return Webhook(body, {APP_ID: own_app})


def parsed(*items: Any, **entry: Any) -> Parsed:
    return parse(webhook(*items, **entry))


def only(*items: Any, **entry: Any) -> SourceEvent:
    """Return the one event in a body."""
    [event] = parsed(*items, **entry).events
    return event


def received(*items: Any, **entry: Any) -> Received:
    event = only(*items, **entry)
    assert isinstance(event, Received)
    return event


def test_a_message_is_read_with_its_item_as_content() -> None:
    told = received(item())

    assert told == Received(
        key=ADA,
        identity="m1",
        source_message_id="m1",
        sent_at=TIME,
        from_contact=True,
        sender_id="ada",
        content=json.dumps(item(), separators=(",", ":")).encode(),
    )


@pytest.mark.parametrize("number", [4383398935030571, 2**63 - 1, 2**70])
def test_ids_that_are_numbers_are_kept_to_the_last_digit(number: int) -> None:
    told = received(item(sender={"id": number}, message={"mid": number}), id=number - 1)

    assert told.key == Key("facebook", str(number - 1), str(number))
    assert told.source_message_id == str(number)


@pytest.mark.parametrize(
    ("fields", "entry", "sent_at"),
    [
        pytest.param({"timestamp": 5}, {}, 5, id="its own"),
        pytest.param({"timestamp": None}, {}, TIME + 5, id="none: the entry's"),
        pytest.param({"timestamp": "5"}, {}, 5, id="as text"),
        pytest.param({"timestamp": "--5"}, {}, TIME + 5, id="no number: the entry's"),
        pytest.param({"timestamp": []}, {}, TIME + 5, id="of another type: the entry's"),
        pytest.param({"timestamp": 2**63}, {}, TIME + 5, id="out of time: the entry's"),
        pytest.param({"timestamp": None}, {"time": None}, None, id="none at all"),
        pytest.param({"timestamp": 0}, {}, 0, id="the epoch is a time"),
    ],
)
def test_a_message_without_a_time_takes_that_of_its_entry(
    fields: dict[str, Any], entry: dict[str, Any], sent_at: int | None
) -> None:
    assert received(item(**fields), **entry).sent_at == sent_at


@pytest.mark.parametrize("time", ["1763712000000", "now", [], {}, True])
def test_an_entrys_odd_time_costs_no_message(time: Any) -> None:
    assert received(item(), time=time).source_message_id == "m1"


def test_a_message_without_an_id_is_recognised_by_what_it_says() -> None:
    one, same = received(item(message={"text": "Hi"})), received(item(message={"text": "Hi"}))
    other = received(item(message={"text": "Ho"}))

    assert one.source_message_id is None
    assert one.identity == same.identity != other.identity


@pytest.mark.parametrize(
    ("message", "ignored", "sender"),
    [
        pytest.param({"app_id": 42}, True, None, id="our own"),
        pytest.param({"app_id": "42"}, True, None, id="our own, as text"),
        pytest.param({"app_id": 263902037430900}, False, "263902037430900", id="another app's"),
        pytest.param({"app_id": None}, False, "ada", id="a person's in the page's inbox"),
        pytest.param({}, False, "ada", id="without an app"),
    ],
)
def test_an_echo_is_from_our_side(message: dict[str, Any], ignored: bool, sender: str) -> None:
    told = parsed(echo(**message))
    events = [event for event in told.events if isinstance(event, Received)]

    assert told.ignored == (["own echo"] if ignored else [])
    assert [(event.from_contact, event.sender_id, event.key) for event in events] == (
        [] if ignored else [(False, sender, ADA)]
    )


@pytest.mark.parametrize(("app", "is_echo"), [("7", False), (None, True)])
def test_only_an_echo_of_no_app_may_be_of_our_own_send(app: str | None, is_echo: bool) -> None:
    assert received(echo(app_id=app)).is_echo is is_echo


@pytest.mark.parametrize(
    ("postback", "headers"),
    [
        ({"payload": "GO"}, {"postback.payload": "GO"}),
        ({"payload": ""}, {"postback.payload": ""}),
        ({"payload": None}, {"postback.payload": "__empty__"}),
        ({}, {"postback.payload": "__empty__"}),
        (
            {"payload": "GO", "referral": {"ref": "a", "n": 1.50}},
            {"postback.payload": "GO", "postback.referral": '{"ref":"a","n":1.5}'},
        ),
        ({"payload": "GO", "referral": None}, {"postback.payload": "GO"}),
    ],
    ids=["payload", "empty", "null", "none", "referral", "null referral"],
)
def test_a_postback_becomes_headers(postback: dict[str, Any], headers: dict[str, str]) -> None:
    assert received(item(message=None, postback=postback)).headers == headers


def test_a_message_with_a_postback_is_one_message() -> None:
    told = received(item(postback={"mid": "m2", "payload": "GO"}))

    assert told.source_message_id == "m1"
    assert told.headers == {"postback.payload": "GO"}


@pytest.mark.parametrize(
    ("reaction", "emoji"),
    [
        pytest.param({"emoji": "❤️"}, "❤️", id="as it is"),
        pytest.param({"emoji": r"\u{2764}\u{FE0F}"}, "❤️", id="code points in braces"),
        pytest.param({"emoji": r"\u2764"}, "❤", id="a code point without braces"),
        pytest.param({"emoji": r"\u{110000}"}, r"\u{110000}", id="beyond Unicode"),
        pytest.param({"reaction": "love"}, "❤️", id="by name"),
        pytest.param({"reaction": "haha"}, "❓", id="by an unknown name"),
        pytest.param({"emoji": "👍", "action": "unreact"}, None, id="taken back"),
        pytest.param({"emoji": "👍", "action": None}, None, id="no action"),
    ],
)
def test_a_reaction_tells_its_emoji(reaction: dict[str, Any], emoji: str | None) -> None:
    told = only(item(message=None, reaction={"mid": "m1", "action": "react"} | reaction))

    assert told == Reacted(ADA, "m1", emoji, at=TIME)


def test_a_reaction_to_nothing_is_ignored() -> None:
    assert parsed(item(message=None, reaction={"action": "react"})).ignored == [
        "reaction to nothing"
    ]


@pytest.mark.parametrize(
    ("fields", "receipt"),
    [
        pytest.param(
            {"delivery": {"mids": ["a", 7, None, ""], "watermark": 9}},
            Receipt(ADA, is_seen=False, source_message_ids=("a", "7")),
            id="delivered by name",
        ),
        pytest.param(
            {"delivery": {"mids": [], "watermark": 9}},
            Receipt(ADA, is_seen=False, up_to=Millis(9)),
            id="delivered up to a watermark",
        ),
        pytest.param(
            {"read": {"watermark": 9}},
            Receipt(ADA, is_seen=True, up_to=Millis(9), and_earlier=True),
            id="read up to a watermark",
        ),
        pytest.param(
            {"read": {"mid": "a"}},
            Receipt(ADA, is_seen=True, source_message_ids=("a",), and_earlier=True),
            id="read by name, with all before",
        ),
    ],
)
def test_receipts_are_read(fields: dict[str, Any], receipt: Receipt) -> None:
    assert only(item(message=None, **fields)) == receipt


def test_a_deletion_replaces_what_the_message_said() -> None:
    told = only(item(message={"mid": "m1", "is_deleted": True}))

    assert isinstance(told, Replaced)
    assert (told.received.identity, told.replaced_at, told.key) == ("m1", TIME, ADA)


@pytest.mark.parametrize(
    "kind", ["optin", "referral", "account_linking", "message_edit", "typing", "x"]
)
def test_what_is_no_message_is_ignored(kind: str) -> None:
    assert parsed(item(message=None, **{kind: {"mid": "m"}})).ignored == ["not a message event"]


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "text",
        5,
        [],
        {},
        {"message": "text"},
        item(sender=None),
        item(sender={}),
        item(sender=5),
    ],
    ids=repr,
)
def test_a_broken_item_leaves_its_siblings(broken: Any) -> None:
    told = parsed(broken, item())

    assert [event.key for event in told.events] == [ADA]
    assert len(told.ignored) == 1


@pytest.mark.parametrize("broken", [None, "text", 5, [], {}, {"id": None}, {"messaging": "x"}])
def test_a_broken_entry_leaves_its_siblings(broken: Any) -> None:
    entry = {"id": "page", "messaging": [item()]}
    body = json.dumps({"object": "page", "entry": [broken, entry]}).encode()
    told = parse(Webhook(body, {}))

    assert [event.key for event in told.events] == [ADA]
    assert len(told.ignored) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"hello", "not JSON"),
        (b"[]", "not what Meta sends"),
        (b"null", "not what Meta sends"),
        (b'{"object":"page","entry":{}}', "not what Meta sends"),
        (b'{"object":"page","entry":[{"id":"\xff"}]}', "not UTF-8"),
    ],
)
def test_what_is_not_metas_is_refused_without_being_quoted(body: bytes, reason: str) -> None:
    with pytest.raises(PayloadError) as refused:
        parse(Webhook(body, {}))
    assert refused.value.reason == reason


def test_a_body_is_routed_to_each_conversation_once() -> None:
    told = webhook(item(), item(timestamp=9), item(sender={"id": "bob"}), item(message=None))
    routes = Facebook("secret").routes(told)

    assert sorted(key.conversation for key in routes) == ["ada", "bob"]


def test_an_echo_is_routed_to_whom_it_was_for() -> None:
    assert Facebook("secret").routes(webhook(echo())) == [ADA]


def test_an_items_standby_is_read_where_there_is_no_messaging() -> None:
    assert received(messaging=None, standby=[item()]).key == ADA


@pytest.mark.parametrize(("body", "kept"), [(b'"is_echo"', {APP_ID: "42"}), (b"{}", None)])
def test_whose_echoes_are_ours_is_kept_where_there_is_one(
    body: bytes, kept: dict[str, str] | None
) -> None:
    assert Facebook("secret", app_id="42").kept_headers(Webhook(body, {})) == kept


def test_a_lone_surrogate_costs_no_message_and_stays_what_it_is() -> None:
    body = webhook(item(message={"mid": "m1", "text": "\ud83d"})).body
    [told] = parse(Webhook(body, {})).events

    assert isinstance(told, Received)
    assert rb'"text":"\ud83d"' in told.content


def test_duplicate_keys_mean_the_same_to_routing_and_parsing() -> None:
    body = webhook(item()).body.replace(b'"sender": {"id": "ada"}', b'"sender":{"id":"x","id":"y"}')
    routes = Facebook("secret").routes(Webhook(body, {}))

    assert [event.key for event in parse(Webhook(body, {})).events] == routes


def test_instagrams_changes_are_read_with_their_time_in_seconds() -> None:
    value = item(timestamp=1_763_712_000)
    entry = {
        "id": "page",
        "changes": [{"field": "messages", "value": value}, {"field": "comments"}],
    }
    body = json.dumps({"object": "instagram", "entry": [entry]}).encode()
    told = parse(Webhook(body, {}))
    [event] = told.events

    assert isinstance(event, Received)
    assert (event.key.source, event.sent_at) == ("instagram", TIME)
    assert told.ignored == ["changes"]
