"""What bots are told of messages: words from wherever each source has them."""

import json
from typing import Any

import pytest

from airy_ray.bots import wording

NONE = wording.NO_TEXT


@pytest.mark.parametrize(
    ("source", "content", "text"),
    [
        ("facebook", {"message": {"text": "Hi"}}, "Hi"),
        ("facebook", {"message": {"text": "", "quick_reply": {"payload": "YES"}}}, "YES"),
        ("instagram", {"postback": {"payload": "START", "title": "Start"}}, "START"),
        ("instagram", {"postback": {"title": "Start"}}, "Start"),
        ("facebook", {"message": {"attachments": [{"payload": {"text": "no"}}]}}, NONE),
        ("whatsapp", {"text": {"body": "Hi"}}, "Hi"),
        ("whatsapp", {"button": {"text": "Yes"}}, "Yes"),
        ("whatsapp", {"interactive": {"button_reply": {"id": "1", "title": "Two"}}}, "Two"),
        ("whatsapp", {"interactive": {"list_reply": {"id": "1", "title": "Row"}}}, "Row"),
        ("whatsapp", {"image": {"id": "1", "caption": "Look"}}, "Look"),
        ("whatsapp", {"document": {"id": "1", "caption": "Read"}}, "Read"),
        ("whatsapp", {"sticker": {"id": "1"}}, NONE),
        ("google", {"message": {"text": "Hi"}}, "Hi"),
        ("google", {"suggestionResponse": {"text": "Yes", "postbackData": "y"}}, "Yes"),
        ("google", {"senderPhoneNumber": "+1", "text": "Hi"}, "Hi"),
        ("viber", {"event": "message", "message": {"type": "text", "text": "Hi"}}, "Hi"),
        ("viber", {"event": "conversation_started", "user": {"text": "no"}}, NONE),
        ("telegram", {"message": {"text": "Hi"}}, "Hi"),
        ("telegram", {"message": {"caption": "Look", "photo": []}}, "Look"),
        ("telegram", {"callback_query": {"data": "yes", "message": {"text": "no"}}}, "yes"),
        ("chatplugin", {"text": "Hi"}, "Hi"),
        ("chatplugin", {"message": {"text": "Hi"}}, "Hi"),
        ("chatplugin", "Hi", "Hi"),
        ("chatplugin", {"attachment": {"type": "image"}}, NONE),
        ("crm", [{"deep": {"text": "Hi"}}, {"text": "later"}], "Hi"),
        ("crm", {"text": 5}, NONE),
        ("crm", 5, NONE),
        ("viber", {"message": "Hi"}, NONE),
    ],
)
def test_words_are_found_where_the_source_has_them(source: str, content: Any, text: str) -> None:
    assert wording.asked(source, json.dumps(content).encode()) == text


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (b"Body=Gr%C3%BC%C3%9Fe+%26+more&From=%2B1", "Grüße & more"),
        (b"Body=&ButtonText=Yes", "Yes"),
        (b"NumMedia=1", NONE),
        (b"\xff=1", NONE),
    ],
)
@pytest.mark.parametrize("source", ["twilio.sms", "twilio.whatsapp"])
def test_forms_of_twilio_are_read(source: str, form: bytes, text: str) -> None:
    assert wording.asked(source, form) == text


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_what_is_no_json_does_no_harm(content: bytes) -> None:
    for source in ("facebook", "chatplugin", "crm"):
        assert isinstance(wording.asked(source, content), str)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"text": "Hi"}, "Hi"),
        ({"Body": "Hi"}, "Hi"),
        ({"type": "text", "text": {"preview_url": False, "body": "Hi"}}, "Hi"),
        ({"message": {"text": "Hi"}}, "Hi"),
        ({"attachment": {"type": "image"}}, ""),
    ],
)
def test_what_we_said_is_read_in_the_form_of_any_source(content: Any, text: str) -> None:
    assert wording.answered(json.dumps(content).encode()) == text
