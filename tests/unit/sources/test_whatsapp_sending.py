"""What is special about messages to WhatsApp: whom they reach, when, and in how many parts."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.errors import DeliveryError
from airy_ray.model.ids import MessageId
from airy_ray.sources.sending import Later, Outbound, Refused, Reply, Taken
from airy_ray.sources.whatsapp_sending import WhatsappSending
from tests import manifests

SENDING = WhatsappSending("https://graph.facebook.com", "v25.0")
HEARD_AT = Millis(1)
NUMBER, USER_ID = "16505551234", "US.13491208655302741918"
TEMPLATE = {"type": "template", "template": {"name": "hello", "language": {"code": "de"}}}


def outbound(
    content: Any = b"{}", recipient: str = NUMBER, *, heard_at: Millis | None = HEARD_AT
) -> Outbound:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    at = Millis(2)
    return Outbound(MessageId(bytes(16)), text, recipient, "106", "a-token", at, heard_at)


def bodies(content: Any, recipient: str = NUMBER) -> list[Any]:
    return [json.loads(call.body) for call in SENDING.calls(outbound(content, recipient))]


@pytest.mark.parametrize(
    ("recipient", "field"),
    [(NUMBER, "to"), (f"+{NUMBER}", "to"), (USER_ID, "recipient")],
)
def test_a_contact_is_addressed_by_number_or_by_the_id_of_who_hides_it(
    recipient: str, field: str
) -> None:
    given = {"to": "1", "recipient": "2", "recipient_type": "group", "messaging_product": "x"}
    [body] = bodies(given | TEMPLATE, recipient)

    assert body == TEMPLATE | {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        field: recipient,
    }


@pytest.mark.parametrize(
    "content",
    [
        {"type": "text", "text": {"body": "Hi", "preview_url": False}},
        {"text": {"body": "Hi"}, "context": {"message_id": "wamid.1"}},
        {"type": "image", "image": {"link": "https://a.example/1.jpg", "caption": "x" * 5_000}},
        {"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}},
        {"type": "interactive", "interactive": {"type": "button", "body": {"text": "?"}}},
        {"type": "location", "location": {"latitude": 1.5, "longitude": -1}},
        TEMPLATE,
    ],
)
def test_content_of_any_kind_goes_in_one_call_as_it_is(content: dict[str, Any]) -> None:
    [body] = bodies(content)

    assert {name: body[name] for name in content} == content


def test_numbers_and_half_characters_go_as_they_were_given() -> None:
    [call] = SENDING.calls(outbound(b'{"text":{"body":"\\ud83d","n":1.50}}'))

    assert b'"text":{"body":"\\ud83d","n":1.50}' in call.body


@pytest.mark.parametrize("content", [b"[]", b'"Hi"', b"7"])
def test_what_is_no_object_cannot_be_sent(content: bytes) -> None:
    with pytest.raises(DeliveryError, match="Malformed message"):
        SENDING.calls(outbound(content))


@pytest.mark.parametrize("content", [{"type": "text", "text": {"body": "Hi"}}, {}, {"type": 7}])
def test_who_never_wrote_gets_templates_only(content: dict[str, Any]) -> None:
    with pytest.raises(DeliveryError) as refused:
        SENDING.calls(outbound(content, heard_at=None))

    assert refused.value.reason == "WhatsApp conversations can only be opened with a template"
    assert len(SENDING.calls(outbound(TEMPLATE, heard_at=None))) == 1


def test_whether_who_wrote_long_ago_may_be_answered_is_for_meta_to_decide() -> None:
    assert len(SENDING.calls(outbound({"text": {"body": "Hi"}}, heard_at=Millis(-(10**9))))) == 1


def test_a_text_that_is_too_long_is_parted_between_words() -> None:
    text = " ".join(["word"] * 2_000)
    content = {"type": "text", "text": {"body": text, "preview_url": True}, "context": {"a": 1}}
    first, *others = bodies(content)
    told = [each["text"]["body"] for each in (first, *others)]

    assert " ".join(told) == text
    assert max(map(len, told)) <= 4_096
    assert all(each["text"]["preview_url"] for each in (first, *others))
    assert first["context"] == {"a": 1}
    assert not any("context" in each for each in others)


def test_the_end_of_a_line_is_the_better_place() -> None:
    text = "a " * 1_500 + "\n" + "b " * 1_500
    parted = [each["text"]["body"] for each in bodies({"text": {"body": text}})]

    assert parted == ["a " * 1_500, "b " * 1_500]


def test_half_characters_are_parted_like_others() -> None:
    content = b'{"text":{"body":"%b"}}' % (b"\\ud83d" * 5_000)
    parted = [call.body.count(b"\\ud83d") for call in SENDING.calls(outbound(content))]

    assert parted == [4_096, 904]


@given(st.text(alphabet="ab \n", min_size=4_097, max_size=13_000))
def test_nothing_is_lost_but_white_space(text: str) -> None:
    told = [each["text"]["body"] for each in bodies({"text": {"body": text}})]

    assert "".join("".join(told).split()) == "".join(text.split())
    assert max(map(len, told)) <= 4_096


@pytest.mark.parametrize(
    "content",
    [
        b'{"type":%b,"text":{"body":"x"}}' % (b"1" * 5_000),
        b'{"text":{"body":%b}}' % (b"1" * 5_000),
        b'{"text":{"body":"\\ud83d\\ud83d"},"type":"\\ud83d"}',
        b'{"text":{"body":1e400},"type":1e400}',
    ],
)
def test_values_that_nothing_holds_go_as_they_were_given(content: bytes) -> None:
    [call] = SENDING.calls(outbound(content))

    for part in content[1:-1].split(b","):
        assert part in call.body


@pytest.mark.parametrize("content", [{"text": "x" * 5_000}, {"text": {"body": ["x"]}}, {"text": 7}])
def test_content_of_another_form_is_for_meta_to_refuse(content: dict[str, Any]) -> None:
    assert len(bodies(content)) == 1


@pytest.mark.parametrize("told", [{}, {"messages": []}, {"messages": [{}]}, {"messages": 7}])
def test_what_was_taken_may_have_no_name(told: dict[str, Any]) -> None:
    assert SENDING.read(outbound(), Reply(200, json.dumps(told).encode())) == Taken(None)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        *((code, 400, Later) for code in (1, 2, 4, 80007, 130429, 131000, 131016)),
        *((code, 400, Refused) for code in (131026, 131047, 131049, 132015, 131031, 10)),
        (131048, 400, Refused),
        (131048, 429, Refused),
    ],
)
def test_codes_say_whether_a_refusal_may_pass(code: int, status: int, kind: type) -> None:
    body = json.dumps({"error": {"message": "no", "code": code}}).encode()

    assert SENDING.read(outbound(), Reply(status, body)) == kind("no", body.decode())


def test_it_is_told_apart_that_a_token_has_ended() -> None:
    body = json.dumps({"error": {"message": "no", "code": 190}}).encode()

    assert SENDING.read(outbound(), Reply(401, body)) == Refused(
        "no", body.decode(), is_of_token=True
    )


def test_too_many_to_one_contact_hold_up_no_other() -> None:
    body = json.dumps({"error": {"message": "no", "code": 131056}}).encode()
    verdict = SENDING.read(outbound(), Reply(400, body, {"retry-after": "6"}))

    assert verdict == Later("no", body.decode(), 6.0, is_of_conversation=True)


def test_what_was_read_is_told_as_recorded() -> None:
    [recorded] = [
        each
        for each in manifests.manifest("whatsapp")["api"]
        if each["file"] == "api_mark_read.json"
    ]
    number = recorded["url"].split("/")[-2]
    call = SENDING.read_receipt(number, "a-token", recorded["request_body"]["message_id"])

    assert (call.method, call.url) == (recorded["method"], recorded["url"])
    assert json.loads(call.body) == recorded["request_body"]
    assert call.headers["authorization"] == "Bearer a-token"


def test_a_phone_number_cannot_lead_elsewhere() -> None:
    message = msgspec.structs.replace(outbound(TEMPLATE), channel="../x?")
    [call] = SENDING.calls(message)

    assert call.url == "https://graph.facebook.com/v25.0/..%2Fx%3F/messages"
