"""What bots say, in the form of each source."""

import json
from typing import Any

import pytest

from airy_ray.bots.bot import Choice, Said
from airy_ray.bots.contents import contents

PICTURE = "https://i.example.org/x.png"
CHOICE = Choice("Two", "/n{2}")
META_REPLIES = [{"content_type": "text", "title": "Two", "payload": "/n{2}"}]
BOT = {"representativeType": "BOT"}


def said(source: str, what: Said) -> list[Any]:
    return [json.loads(each) for each in contents(source, what)]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("facebook", {"text": "Hi"}),
        ("instagram", {"text": "Hi"}),
        ("chatplugin", {"text": "Hi"}),
        ("google", {"representative": BOT, "text": "Hi"}),
        ("viber", {"type": "text", "text": "Hi"}),
        ("twilio.sms", {"Body": "Hi"}),
        ("twilio.whatsapp", {"Body": "Hi"}),
        ("whatsapp", {"type": "text", "text": {"body": "Hi"}}),
        ("telegram", {"text": "Hi"}),
        ("crm", {"text": "Hi"}),
    ],
)
def test_text_has_the_form_of_its_source(source: str, text: dict[str, Any]) -> None:
    assert said(source, Said("Hi")) == [text]


@pytest.mark.parametrize(
    ("source", "picture"),
    [
        ("facebook", {"attachment": {"type": "image", "payload": {"url": PICTURE}}}),
        ("viber", {"type": "picture", "text": "", "media": PICTURE}),
        ("twilio.whatsapp", {"MediaUrl": PICTURE}),
        ("whatsapp", {"type": "image", "image": {"link": PICTURE}}),
        ("telegram", {"photo": PICTURE}),
    ],
)
def test_a_picture_goes_after_its_text(source: str, picture: dict[str, Any]) -> None:
    found = said(source, Said("Look", PICTURE))

    assert len(found) == 2
    assert found[1] == picture


@pytest.mark.parametrize(
    ("source", "offered"),
    [
        ("facebook", {"quick_replies": META_REPLIES}),
        ("chatplugin", {"quick_replies": META_REPLIES}),
        ("google", {"suggestions": [{"reply": {"text": "Two", "postbackData": "/n{2}"}}]}),
        (
            "telegram",
            {"reply_markup": {"inline_keyboard": [[{"text": "Two", "callback_data": "/n{2}"}]]}},
        ),
        ("whatsapp", {}),
        ("twilio.sms", {}),
        ("crm", {}),
    ],
)
def test_choices_are_offered_where_the_source_can(source: str, offered: dict[str, Any]) -> None:
    [plain] = said(source, Said("How many?"))

    assert said(source, Said("How many?", choices=(CHOICE,))) == [plain | offered]


def test_choices_keep_to_the_limits_of_their_source() -> None:
    many = tuple(Choice("a" * 30, "p" * 100) for _ in range(20))
    [meta] = said("facebook", Said("?", choices=many))
    [telegram] = said("telegram", Said("?", choices=many))

    assert len(meta["quick_replies"]) == 13
    assert {len(each["title"]) for each in meta["quick_replies"]} == {20}
    [[button], *_] = telegram["reply_markup"]["inline_keyboard"]
    assert button["callback_data"] == "a" * 30


def test_nothing_said_is_no_message() -> None:
    assert contents("facebook", Said()) == []


def test_data_is_for_the_chat_on_websites_only() -> None:
    what = Said("Hi", PICTURE, data={"_cognigy": {"_default": {}}})

    assert said("chatplugin", what) == [{"text": "Hi", "message": {"_cognigy": {"_default": {}}}}]
    assert said("facebook", what)[0] == {"text": "Hi"}


def test_half_a_character_stays_what_it_was() -> None:
    [content] = contents("crm", Said(json.loads('"\\ufdd0lone:d83d"')))

    assert content == b'{"text":"\\ud83d"}'
