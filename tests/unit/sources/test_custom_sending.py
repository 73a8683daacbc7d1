"""The outbound half of custom sources: recorded requests are made, recorded answers understood."""

import json
from typing import Any

import jwt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.errors import DeliveryError
from airy_ray.model.conversation import Conversation
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.ids import ChannelId, ConversationId, MessageId, parse_id
from airy_ray.sources.custom_sending import SIGNATURE, CustomSending, signature
from airy_ray.sources.custom_token import token_of
from airy_ray.sources.sending import Outbound, Refused, Reply, Taken
from tests import builders, manifests

MANIFEST = manifests.manifest("custom")
OUTBOUND = MANIFEST["outbound"]
ENDPOINT = MANIFEST["config"]["source"]["action_endpoint"]
SOURCE = CustomSource("my-source", bytes(16), Millis(1_763_712_000_000), action_endpoint=ENDPOINT)
KEY = b"a key of this installation, long enough"
CUSTOM = CustomSending(KEY)
SENT_AT = Millis(1_763_712_001_000)


def outbound(
    content: str = '{"text":"Hi"}',
    *,
    recipient: str = "c-1",
    conversation: Conversation | None = None,
    source: CustomSource | None = SOURCE,
) -> Outbound:
    return Outbound(
        MessageId(bytes(16)),
        content.encode(),
        recipient,
        "source-channel-id",
        "",
        SENT_AT,
        sent_at=SENT_AT,
        conversation=conversation,
        custom_source=source,
    )


def recorded_message(told: dict[str, Any]) -> Outbound:
    """Return the message that makes a recorded request."""
    message, known = told["message"], told.get("conversation")
    conversation = None
    if known is not None:
        conversation = msgspec.structs.replace(
            builders.conversation(),
            id=ConversationId(parse_id(known["id"])),
            channel_id=ChannelId(parse_id(known["channel_id"])),
            source_conversation_id=known["source_conversation_id"],
            created_at=Millis(SENT_AT - 1_000),
        )
    asked = outbound(
        json.dumps(message["content"]),
        recipient=message["source_recipient_id"],
        conversation=conversation,
    )
    return msgspec.structs.replace(asked, message_id=MessageId(parse_id(message["id"])))


@pytest.mark.parametrize(
    "recorded", [each for each in OUTBOUND if "request" in each], ids=lambda each: each["file"]
)
def test_recorded_requests_are_made(recorded: dict[str, Any]) -> None:
    request = recorded["request"]
    told = json.loads(manifests.body("custom", request["body_file"]))
    [call] = CUSTOM.calls(recorded_message(told["payload"]))

    assert (call.method, call.url, call.wait_s) == (request["method"], request["url"], 10.0)
    assert json.loads(call.body) == told
    assert call.headers == {
        "content-type": "application/json",
        SIGNATURE: signature(call.body, token_of(SOURCE, KEY)),
    }


@pytest.mark.parametrize("vector", MANIFEST["signatures"], ids=lambda each: each["name"])
def test_a_call_is_signed_with_the_token_of_the_source(vector: dict[str, Any]) -> None:
    body = manifests.body("custom", vector["body_file"])

    assert vector["header"].lower() == SIGNATURE
    assert signature(body, vector["secret"]) == vector["value"]


def test_the_token_of_a_source_is_the_same_each_time() -> None:
    token = token_of(SOURCE, KEY)

    assert token == token_of(SOURCE, KEY)
    assert jwt.decode(token, KEY, ["HS256"])["sub"] == "source_app:my-source"
    assert token != token_of(msgspec.structs.replace(SOURCE, token_id=bytes([1] * 16)), KEY)


@pytest.mark.parametrize("recorded", OUTBOUND, ids=lambda each: each["file"])
def test_recorded_answers_are_understood(recorded: dict[str, Any]) -> None:
    body = manifests.body("custom", recorded["file"])
    verdict = CUSTOM.read(outbound(), Reply(recorded["http_status"], body))
    expected = recorded["expected"].get("metadata", {})

    if recorded["expected"]["delivery_state"] == "DELIVERED":
        extra = {
            key: json.dumps(value).encode()
            for key, value in recorded.get("extra_metadata", {}).items()
        }
        assert verdict == Taken(expected["source.id"], extra)
    else:
        assert isinstance(verdict, Refused)
        assert verdict.answer == body.decode()
        assert verdict.reason.startswith(
            expected.get("error", "Action endpoint returned invalid error: ").rstrip("…")
        )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", Taken(None)),
        (b'{"source_message_id":7}', Taken("7")),
        (b'{"source_message_id":"","metadata":[]}', Taken(None)),
        (
            b'{"metadata":{"a":{"b":1},"c":"\\ud83d"}}',
            Taken(None, {"a.b": b"1.0", "c": b'"\\ud83d"'}),
        ),
        (b"", Refused("Action endpoint returned invalid response: ", "")),
        (b"[]", Refused("Action endpoint returned invalid response: []", "[]")),
    ],
)
def test_what_an_endpoint_may_say_when_it_takes_a_message(
    body: bytes, expected: Taken | Refused
) -> None:
    assert CUSTOM.read(outbound(), Reply(200, body)) == expected


@given(st.integers(100, 599), st.binary(max_size=200))
def test_only_200_says_that_a_message_was_taken(status: int, body: bytes) -> None:
    verdict = CUSTOM.read(outbound(), Reply(status, body))

    assert isinstance(verdict, Refused) or status == 200


def test_an_answer_that_nests_too_deep_is_none() -> None:
    body = b'{"metadata":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001

    assert isinstance(CUSTOM.read(outbound(), Reply(200, body)), Refused)


@pytest.mark.parametrize("source", [None, msgspec.structs.replace(SOURCE, action_endpoint=None)])
def test_without_an_endpoint_nobody_is_called(source: CustomSource | None) -> None:
    with pytest.raises(DeliveryError, match="Source has no action endpoint"):
        CUSTOM.calls(outbound(source=source))


@pytest.mark.parametrize(
    "content", ['"Hi"', "[1.50,1e400]", '{"a":"\\ud83d"}', "12345678901234567890"]
)
def test_content_goes_as_it_was_given(content: str) -> None:
    [call] = CUSTOM.calls(outbound(content, recipient="\ud83d"))

    assert f'"content":{content},'.encode() in call.body
    assert json.loads(call.body)["payload"]["message"]["source_recipient_id"] == "\ud83d"
