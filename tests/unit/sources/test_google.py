import hmac
import json
from base64 import b64encode
from typing import Any

import pytest

from airy_ray.errors import PayloadError, SignatureError
from airy_ray.sources.google import Google, parse
from airy_ray.sources.source import Described, Key, Parsed, Receipt, Received, Webhook

CONVERSATION = Key("google", "agent-1", "conv-1")
PHONE = Key("google", "bot@rbm.goog", "+4912")


def event(**fields: Any) -> dict[str, Any]:
    """Return a body of Business Messages without any part."""
    return {
        "agent": "brands/brand-1/agents/agent-1",
        "conversationId": "conv-1",
        "requestId": "r1",
        "sendTime": "2025-11-21T08:00:00.123456789Z",
    } | fields


def parsed(**fields: Any) -> Parsed:
    return parse(Webhook(json.dumps(event(**fields)).encode(), {}))


def received(**fields: Any) -> Received:
    [told] = parsed(**fields).events
    assert isinstance(told, Received)
    return told


def pushed(publish_time: Any = None, **fields: Any) -> Parsed:
    told = {"senderPhoneNumber": "+4912", "agentId": "bot@rbm.goog"} | fields
    data = b64encode(json.dumps(told).encode()).decode()
    push = {"message": {"data": data, "publishTime": publish_time}}
    return parse(Webhook(json.dumps(push).encode(), {}))


@pytest.mark.parametrize(
    "part", ["message", "suggestionResponse", "surveyResponse", "authenticationResponse"]
)
def test_each_kind_of_message_is_one(part: str) -> None:
    told = received(**{part: {"x": 1}})

    assert (told.key, told.from_contact, told.sender_id) == (CONVERSATION, True, "conv-1")
    assert json.loads(told.content) == event(**{part: {"x": 1}})


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        ({"message": {"messageId": "M-1"}}, "M-1"),
        ({"message": {"messageId": 7}}, "7"),
        ({"message": {}}, "r1"),
        ({"message": {}, "requestId": None}, None),
        ({"suggestionResponse": {"message": "conversations/c/messages/other"}}, "r1"),
    ],
    ids=["its own", "a number", "the request's", "none", "not that of the answered message"],
)
def test_what_a_message_is_called(fields: dict[str, Any], identity: str | None) -> None:
    assert received(**fields).source_message_id == identity


@pytest.mark.parametrize(
    ("send_time", "sent_at"),
    [
        ("2025-11-21T08:00:00.123456789Z", 1_763_712_000_123),
        ("2025-11-21T08:00:00Z", 1_763_712_000_000),
        ("2025-11-21T08:00:00.9Z", 1_763_712_000_900),
        ("2025-11-21t09:00:00+01:00", 1_763_712_000_000),
        ("1969-12-31T23:59:59.999Z", -1),
        ("0001-01-01T00:00:00+14:00", -62_135_647_200_000),
        ("2025-13-01T00:00:00Z", None),
        ("2025-11-21T08:00:00", None),
        ("٢٠٢٥-11-21T08:00:00Z", None),
        ("yesterday", None),
        (1_763_712_000, None),
        (None, None),
    ],
)
def test_a_time_is_cut_to_milliseconds_or_left_out(send_time: Any, sent_at: int | None) -> None:
    assert received(message={}, sendTime=send_time).sent_at == sent_at


@pytest.mark.parametrize(
    "fields",
    [
        {"agent": None},
        {"agent": "agents/agent-1"},
        {"agent": "brands/b/agents/"},
        {"agent": 5},
        {"conversationId": None},
        {"conversationId": ""},
        {"conversationId": []},
    ],
    ids=repr,
)
def test_what_belongs_to_no_conversation_is_ignored(fields: dict[str, Any]) -> None:
    assert parsed(message={}, **fields) == Parsed([], ["no agent or conversation"])


@pytest.mark.parametrize(
    ("user_status", "events"),
    [
        ({"requestedLiveAgent": True}, ["Received", "Described"]),
        ({"requestedLiveAgent": False}, []),
        ({"requestedLiveAgent": "true"}, []),
        ({"isTyping": True}, []),
    ],
    ids=repr,
)
def test_a_contact_who_asks_for_a_person_opens_the_conversation(
    user_status: dict[str, Any], events: list[str]
) -> None:
    told = parsed(userStatus=user_status)

    assert [type(event).__name__ for event in told.events] == events
    assert Described(CONVERSATION, {"state": b'"OPEN"'}) in told.events or not events


@pytest.mark.parametrize(
    ("response", "payload"), [({"postbackData": "yes"}, "yes"), ({}, "__empty__")]
)
def test_a_suggestion_tells_its_postback(response: dict[str, Any], payload: str) -> None:
    assert received(suggestionResponse=response).headers == {"postback.payload": payload}


@pytest.mark.parametrize("part", ["message", "receipts", "userStatus"])
def test_the_contacts_name_is_told_with_any_known_event(part: str) -> None:
    told = parsed(context={"userInfo": {"displayName": "Ada"}}, **{part: {}})

    assert Described(CONVERSATION, {"contact.display_name": b'"Ada"'}) in told.events


@pytest.mark.parametrize("user", [None, "Ada", {"displayName": ""}, {"displayName": 5}])
def test_what_is_no_name_is_none(user: Any) -> None:
    assert len(parsed(context={"userInfo": user}, message={}).events) == 1


def test_a_name_with_a_lone_surrogate_stays_what_it_is() -> None:
    told = parsed(context={"userInfo": {"displayName": "\ud83d"}}, message={})

    assert Described(CONVERSATION, {"contact.display_name": rb'"\ud83d"'}) in told.events


def test_receipts_name_messages_of_ours() -> None:
    receipts = [
        {"message": "conversations/c/messages/ours-1", "receiptType": "DELIVERED"},
        {"message": "conversations/c/messages/ours-2", "receiptType": "READ"},
        {"message": "conversations/c/messages/ours-3", "receiptType": "SENT"},
        *(None, {"message": 5}, {"receiptType": "READ"}),
    ]

    assert parsed(receipts={"receipts": receipts}).events == [
        Receipt(CONVERSATION, is_seen=False, source_message_ids=("ours-1",)),
        Receipt(CONVERSATION, is_seen=True, source_message_ids=("ours-2",)),
    ]


@pytest.mark.parametrize("fields", [{}, {"context": {"userInfo": {"displayName": "Ada"}}}])
def test_a_body_with_no_known_part_is_ignored(fields: dict[str, Any]) -> None:
    assert parsed(**fields) == Parsed([], ["not a message event"])


def test_an_rcs_message_is_read_from_what_was_pushed() -> None:
    [told] = pushed(messageId="M-1", sendTime="2025-11-21T08:00:00Z", text="Hi").events

    assert isinstance(told, Received)
    assert (told.key, told.identity, told.sent_at) == (PHONE, "M-1", 1_763_712_000_000)
    assert json.loads(told.content)["text"] == "Hi"


def test_an_rcs_message_without_a_time_takes_that_of_its_push() -> None:
    [told] = pushed(publish_time="2025-11-21T08:00:00Z", messageId="M-1").events

    assert isinstance(told, Received)
    assert told.sent_at == 1_763_712_000_000


@pytest.mark.parametrize(
    ("event_type", "events"),
    [
        ("DELIVERED", [Receipt(PHONE, is_seen=False, source_message_ids=("ours",))]),
        ("READ", [Receipt(PHONE, is_seen=True, source_message_ids=("ours",))]),
        ("IS_TYPING", []),
        (5, []),
    ],
)
def test_an_rcs_event_is_no_message(event_type: Any, events: list[Receipt]) -> None:
    assert pushed(messageId="ours", eventType=event_type).events == events


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not an object"),
        (b'"\xff"', "not UTF-8"),
        (b'{"message":{"data":"%%%"}}', "data is not base64"),
        (b'{"message":{"data":"\xc3\xa9"}}', "data is not base64"),
        (b'{"message":{"data":"bnVsbA=="}}', "not an object"),
    ],
)
def test_what_is_not_googles_is_refused_without_being_quoted(body: bytes, reason: str) -> None:
    with pytest.raises(PayloadError) as refused:
        parse(Webhook(body, {}))
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b"[]", b'{"clientToken":5,"secret":"s"}', b'{"clientToken":"key"}'),
        b'{"clientToken":"key","secret":"\xff"}',
        b'{"clientToken":"key","secret":' + b"[" * 100_000,
        b'{"clientToken":"key","secret":"s","message":{}}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_is_no_handshake_is_none(body: bytes) -> None:
    assert Google("key").handshake(body) is None


def test_a_push_whose_data_is_not_base64_is_signed_as_a_whole() -> None:
    body = b'{"message":{"data":"%%%"}}'
    signature = b64encode(hmac.digest(b"key", body, "sha512")).decode()

    Google("key").verify(Webhook(body, {"x-goog-signature": signature}))


@pytest.mark.parametrize("signature", ["", "é", "!", "A" * 88])
def test_a_body_without_its_signature_is_refused(signature: str) -> None:
    with pytest.raises(SignatureError):
        Google("key").verify(Webhook(b"{}", {"x-goog-signature": signature}))
