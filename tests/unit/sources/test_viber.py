import json
from typing import Any

import pytest

from airy_ray.sources.source import Described, Failed, Key, Parsed, Receipt, Received, Webhook
from airy_ray.sources.viber import ACCOUNT, Account, Viber, parse

BOT = {ACCOUNT: "pa:1"}
CONVERSATION = Key("viber", "pa:1", "u1")


def parsed(headers: dict[str, str] = BOT, **fields: Any) -> Parsed:
    told = {"event": "message", "timestamp": 5, "message_token": 2**63 - 1} | fields
    return parse(Webhook(json.dumps(told).encode(), headers))


def test_a_message_of_any_type_is_one() -> None:
    received, described = parsed(sender={"id": "u1", "name": "Ada"}, message={"type": "x"}).events

    assert isinstance(received, Received)
    assert (received.key, received.sent_at) == (CONVERSATION, 5)
    assert received.source_message_id == "9223372036854775807"
    assert json.loads(received.content)["message"] == {"type": "x"}
    assert described == Described(CONVERSATION, {"contact.display_name": b'"Ada"'})


def test_of_a_contact_is_told_what_the_bot_is_told() -> None:
    user = {"id": "u1", "avatar": "https://a", "country": "UK", "language": "en", "name": 7}
    _, described = parsed(event="conversation_started", user=user).events

    assert isinstance(described, Described)
    assert described.values == {
        "contact.avatar_url": b'"https://a"',
        "contact.country": b'"UK"',
        "contact.lang": b'"en"',
    }


@pytest.mark.parametrize(("event", "is_seen"), [("delivered", False), ("seen", True)])
def test_receipts_name_a_message_of_ours(event: str, is_seen: bool) -> None:
    told = parsed(event=event, user_id="u1", message_token=7)

    assert told.events == [Receipt(CONVERSATION, is_seen, ("7",))]


@pytest.mark.parametrize(("desc", "reason"), [("blocked", "blocked"), (None, "Viber error")])
def test_a_failure_says_why(desc: Any, reason: str) -> None:
    [told] = parsed(event="failed", user_id="u1", message_token=7, desc=desc).events

    assert isinstance(told, Failed)
    assert (told.source_message_id, told.reason) == ("7", reason)
    assert json.loads(told.answer)["event"] == "failed"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"event": "subscribed", "user": {"id": "u1"}}, "event"),
        ({"event": "beamed", "user_id": "u1"}, "event"),
        ({"event": ["message"]}, "event"),
        ({"sender": {}}, "no contact id"),
        ({"sender": "u1"}, "no contact id"),
        ({"event": "seen", "user_id": "u1", "message_token": 1.5}, "receipt of nothing"),
        ({"headers": {}, "sender": {"id": "u1"}}, "no such channel"),
    ],
    ids=repr,
)
def test_what_says_nothing_to_us_is_ignored_with_a_reason(
    fields: dict[str, Any], reason: str
) -> None:
    assert parsed(**fields) == Parsed([], [reason])


def test_before_the_bot_is_a_channel_its_events_belong_nowhere() -> None:
    source = Viber("token", lambda: None, welcome_message={"type": "text"})
    started = Webhook(b'{"event":"conversation_started","user":{"id":"u1"}}', {})

    assert source.routes(started) == []
    assert source.kept_headers(started) is None
    assert source.welcome(started) is None


def test_a_bot_without_a_picture_welcomes_without_one() -> None:
    source = Viber("token", lambda: Account("pa:1", "Shop"), welcome_message={"text": "Hello"})
    started = Webhook(b'{"event":"conversation_started","user":{"id":"u1"}}', {})

    assert json.loads(source.welcome(started) or b"") == {
        "text": "Hello",
        "sender": {"name": "Shop"},
    }
