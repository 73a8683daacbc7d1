"""What people see of a message, in the form of each platform."""

from typing import Any

import pytest

from airy_ray.simulator.screens import parts_of

URL = "https://files.example/a.png"


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        pytest.param({"text": "Hi"}, ["text Hi"], id="Messenger"),
        pytest.param(
            {
                "text": "Which?",
                "quick_replies": [{"content_type": "text", "title": "Red", "payload": "R"}],
            },
            ["text Which?", "button Red"],
            id="Messenger, quick replies",
        ),
        pytest.param(
            {"attachment": {"type": "image", "payload": {"url": URL}}},
            [f"link {URL}"],
            id="Messenger, a file",
        ),
        pytest.param(
            {
                "messaging_product": "whatsapp",
                "to": "4915100000000",
                "type": "text",
                "text": {"body": "Hi"},
            },
            ["text Hi"],
            id="WhatsApp",
        ),
        pytest.param(
            {"type": "image", "image": {"link": URL, "caption": "A cat"}},
            [f"link {URL}", "text A cat"],
            id="WhatsApp, a picture",
        ),
        pytest.param(
            {
                "type": "interactive",
                "interactive": {
                    "type": "button",
                    "body": {"text": "Which?"},
                    "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "A"}}]},
                },
            },
            ["text Which?", "button A"],
            id="WhatsApp, buttons",
        ),
        pytest.param(
            {"type": "location", "location": {"latitude": 52.5, "longitude": 13.4}},
            ["text Place: 52.5, 13.4"],
            id="WhatsApp, a place",
        ),
        pytest.param(
            {
                "To": ["+49"],
                "From": ["+1"],
                "Body": ["Hi"],
                "MediaUrl": [URL],
                "StatusCallback": ["http://here/hook"],
            },
            ["text Hi", f"link {URL}"],
            id="Twilio",
        ),
        pytest.param(
            {"type": "text", "text": "Hi", "receiver": "u", "sender": {"name": "S", "avatar": URL}},
            ["text Hi"],
            id="Viber",
        ),
        pytest.param(
            {
                "chat_id": "7",
                "text": "Pick",
                "reply_markup": {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]},
            },
            ["text Pick", "button A"],
            id="Telegram",
        ),
        pytest.param(
            {
                "messageId": "m",
                "representative": {"avatarImage": URL},
                "text": "Hi",
                "suggestions": [{"reply": {"text": "Yes", "postbackData": "y"}}],
            },
            ["text Hi", "button Yes"],
            id="Google",
        ),
        pytest.param("just text", ["text just text"], id="custom, text"),
        pytest.param({"n": 1}, ['raw {\n  "n": 1\n}'], id="nothing that is known"),
        pytest.param("javascript:alert(1)", ["text javascript:alert(1)"], id="no address"),
    ],
)
def test_what_is_seen(content: Any, seen: list[str]) -> None:
    assert [f"{each.kind} {each.text}" for each in parts_of(content)] == seen


def test_a_message_takes_no_more_than_so_much_of_a_screen() -> None:
    parts = parts_of([{"text": "x" * 100_000} for _ in range(100)])

    assert len(parts) == 40
    assert {len(each.text) for each in parts} == {8_000}
