"""The outbound half of Telegram: recorded requests are made, recorded answers understood."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.errors import DeliveryError
from airy_ray.model.ids import MessageId
from airy_ray.sources.sending import Later, Outbound, Refused, Reply, Taken
from airy_ray.sources.telegram_sending import TelegramSending, answer_to_press
from tests import manifests

TOKEN = "7012345678:AAH-fake-token_for_tests_0123456789abc"
TELEGRAM = TelegramSending("https://api.telegram.org/")
OUTBOUND = manifests.manifest("telegram")["outbound"]
LENGTH_MAX = 4_096


def outbound(content: str) -> Outbound:
    return Outbound(
        MessageId(bytes(16)), content.encode(), "987654321", "7012345678", TOKEN, Millis(0)
    )


def sent(**content: Any) -> list[tuple[str, Any]]:
    """Return the methods that are called for content, and with what."""
    calls = TELEGRAM.calls(outbound(json.dumps(content)))
    return [(call.url.rpartition("/")[2], json.loads(call.body)) for call in calls]


def texts(text: str, **content: Any) -> list[str]:
    return [body["text"] for _, body in sent(text=text, **content)]


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@pytest.mark.parametrize("recorded", OUTBOUND, ids=lambda each: each["file"])
def test_recorded_answers_are_understood(recorded: dict[str, Any]) -> None:
    body = manifests.body("telegram", recorded["file"])
    verdict = TELEGRAM.read(outbound("{}"), Reply(recorded["http_status"], body))
    expected = recorded["expected"]["metadata"]

    if recorded["expected"]["delivery_state"] == "DELIVERED":
        assert verdict == Taken(expected["source.id"])
    elif recorded["expected"]["transient"]:
        assert verdict == Later(expected["error"], body.decode(), 7.0, is_of_conversation=True)
    else:
        is_of_token = recorded["http_status"] == 401
        assert verdict == Refused(expected["error"], body.decode(), is_of_token)


@pytest.mark.parametrize(
    "recorded", [each for each in OUTBOUND if "request" in each], ids=lambda each: each["file"]
)
def test_recorded_requests_are_made(recorded: dict[str, Any]) -> None:
    request = recorded["request"]
    [call] = TELEGRAM.calls(outbound(json.dumps(request["content"])))

    assert (call.method, call.url) == (request["method"], request["url"])
    assert call.headers == {"content-type": "application/json"}
    if "body_file" in request:
        assert json.loads(call.body) == json.loads(manifests.body("telegram", request["body_file"]))
    else:
        assert json.loads(call.body) == request["content"] | {"chat_id": "987654321"}


@pytest.mark.parametrize(
    ("content", "method"),
    [
        ({"text": "a"}, "sendMessage"),
        ({"photo": "a", "caption": "b"}, "sendPhoto"),
        ({"video": "a"}, "sendVideo"),
        ({"animation": "a"}, "sendAnimation"),
        ({"audio": "a"}, "sendAudio"),
        ({"voice": "a"}, "sendVoice"),
        ({"document": "a"}, "sendDocument"),
        ({"sticker": "a"}, "sendSticker"),
        ({"title": "a", "address": "b", "latitude": 1, "longitude": 2}, "sendVenue"),
        ({"latitude": 1, "longitude": 2}, "sendLocation"),
        ({"phone_number": "1", "first_name": "a"}, "sendContact"),
        ({"media": []}, "sendMediaGroup"),
        ({"question": "a", "options": []}, "sendPoll"),
        ({"method": "sendDice", "text": "a"}, "sendDice"),
        ({"method": "copyMessage", "message_id": 1}, "copyMessage"),
        ({"method": "forwardMessage", "message_id": 1}, "forwardMessage"),
    ],
)
def test_what_is_in_a_message_says_how_it_is_sent(content: dict[str, Any], method: str) -> None:
    content_alone = {key: value for key, value in content.items() if key != "method"}

    assert sent(**content) == [(method, content_alone | {"chat_id": "987654321"})]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"caption": "a"},
        *[
            {"text": "a", "method": method}
            for method in ("deleteWebhook", "send", "send/../getMe", "sendMessage?a", 7, "")
        ],
    ],
    ids=repr,
)
def test_nothing_else_is_called(content: dict[str, Any]) -> None:
    with pytest.raises(DeliveryError, match="Malformed message"):
        sent(**content)


def test_content_goes_as_it_was_given_to_the_chat_that_it_is_for() -> None:
    text = '{"text":"\\ud83d lone","n":1.50,"big":12345678901234567890,"chat_id":"another"}'
    [call] = TELEGRAM.calls(outbound(text))

    for part in ('"text":"\\ud83d lone"', '"n":1.50', '"big":12345678901234567890'):
        assert part.encode() in call.body
    assert json.loads(call.body)["chat_id"] == "987654321"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * LENGTH_MAX, ["a" * LENGTH_MAX]),
        ("a" * (LENGTH_MAX + 1), ["a" * LENGTH_MAX, "a"]),
        ("a" * 3_000 + "\n" + "b c " * 1_000, ["a" * 3_000, ("b c " * 1_000)]),
        ("a" * 3_000 + " " + "b" * 2_000, ["a" * 3_000, "b" * 2_000]),
        ("a\n" + "b" * 5_000, ["a\n" + "b" * (LENGTH_MAX - 2), "b" * 906]),
        ("a" + "👍" * 2_048, ["a" + "👍" * 2_047, "👍"]),
        ("a" * LENGTH_MAX + " " * 9, ["a" * LENGTH_MAX + " " * 9]),
    ],
    ids=lambda value: str(value)[:9],
)
def test_a_text_that_is_too_long_goes_in_parts(text: str, parts: list[str]) -> None:
    assert texts(text) == parts


def test_what_a_text_answers_is_said_once_and_buttons_are_below_its_end() -> None:
    markup: dict[str, Any] = {"inline_keyboard": []}
    answered = {"message_id": 9}
    long = {"text": "a" * 9_000, "reply_markup": markup, "reply_parameters": answered}
    bodies = [body for _, body in sent(**long, protect_content=True)]

    assert [body.get("reply_parameters") for body in bodies] == [answered, None, None]
    assert [body.get("reply_markup") for body in bodies] == [None, None, markup]
    assert all(body["protect_content"] for body in bodies)


@pytest.mark.parametrize(
    "content",
    [
        {"text": "a" * 5_000, "parse_mode": "HTML"},
        {"text": "a" * 5_000, "entities": []},
        {"text": "a " * 50_000},
        {"text": ["a"] * 5_000},
        {"photo": "x", "caption": "a" * 5_000},
    ],
    ids=lambda content: str(content)[:20],
)
def test_what_cannot_be_cut_is_for_telegram_to_refuse(content: dict[str, Any]) -> None:
    [(_, body)] = sent(**content)

    assert body == content | {"chat_id": "987654321"}


@given(
    st.text(st.characters(codec=None), min_size=1).map(lambda text: text * (12_000 // len(text)))
)
def test_no_part_is_too_long_and_no_word_is_lost(text: str) -> None:
    parts = texts(text)

    assert all(units(part) <= LENGTH_MAX for part in parts) or len(parts) == 1
    assert "".join("".join(parts).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("result", "known_as"),
    [
        ({"message_id": 5, "chat": {"id": -7}}, "-7:5"),
        ({"message_id": 5}, "987654321:5"),
        ([], None),
        (True, None),
        ({"message_id": None, "chat": {}}, None),
    ],
    ids=repr,
)
def test_what_telegram_calls_a_message_if_it_says_so(result: Any, known_as: str | None) -> None:
    body = json.dumps({"ok": True, "result": result}).encode()

    assert TELEGRAM.read(outbound("{}"), Reply(200, body)) == Taken(known_as)


@pytest.mark.parametrize(
    ("status", "told", "expected"),
    [
        (502, None, Later("Api replied with status code 502 and payload null", "null")),
        (200, {"ok": False, "error_code": 500, "description": "no"}, Later("no")),
        (429, {"description": "no", "parameters": {"retry_after": 10**9}}, Later("no", "", 3600.0)),
        (429, {"description": "no", "parameters": {"retry_after": -1}}, Later("no", "", 0.0)),
        (429, {"description": "no", "parameters": {"retry_after": "7"}}, Later("no")),
        (404, {"ok": True, "description": "no"}, Refused("no")),
    ],
)
def test_what_may_pass_is_tried_later(status: int, told: Any, expected: Later | Refused) -> None:
    body = json.dumps(told).encode()
    verdict = TELEGRAM.read(outbound("{}"), Reply(status, body))

    assert type(verdict) is type(expected)
    assert isinstance(verdict, Later | Refused)
    assert (verdict.reason, verdict.answer) == (expected.reason, body.decode())
    if isinstance(verdict, Later) and isinstance(expected, Later):
        assert verdict.after_s == expected.after_s


def test_a_pause_that_is_asked_for_is_of_the_chat() -> None:
    told = {"description": "Too Many Requests", "parameters": {"retry_after": 7}}
    asked = TELEGRAM.read(outbound("{}"), Reply(429, json.dumps(told).encode()))
    failing = TELEGRAM.read(outbound("{}"), Reply(503, b"{}", {"retry-after": "7"}))

    assert isinstance(asked, Later)
    assert isinstance(failing, Later)
    assert (asked.after_s, asked.is_of_conversation) == (7.0, True)
    assert (failing.after_s, failing.is_of_conversation) == (7.0, False)


@given(st.integers(100, 599), st.binary(max_size=200))
def test_whatever_telegram_answers_has_a_meaning(status: int, body: bytes) -> None:
    assert not isinstance(TELEGRAM.read(outbound("{}"), Reply(status, body)), Taken)


def test_a_press_is_answered_by_its_name() -> None:
    call = answer_to_press("https://api.telegram.org", "1:a b", "4")

    assert call.url == "https://api.telegram.org/bot1:a%20b/answerCallbackQuery"
    assert json.loads(call.body) == {"callback_query_id": "4"}
