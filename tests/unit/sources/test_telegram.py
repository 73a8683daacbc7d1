import json
from typing import Any

import pytest

from airy_ray.errors import SignatureError
from airy_ray.sources.source import Described, Key, Parsed, Reacted, Received, Replaced, Webhook
from airy_ray.sources.telegram import BOT, Telegram, parse, webhook_secret

CHAT = {"id": 7, "type": "private"}
PERSON = {"id": 7, "first_name": "Ada", "last_name": "L.", "language_code": "en"}
PLACE = Key("telegram", "42", "7")
URL = "https://core.example.org/telegram/42"
TELEGRAM = Telegram({"42": "secret"}.get)


def update(kind: str, **told: Any) -> bytes:
    return json.dumps({"update_id": 1, kind: told}).encode()


def parsed(kind: str, **told: Any) -> Parsed:
    return parse(Webhook(update(kind, **{"chat": CHAT, "from": PERSON} | told), {BOT: "42"}))


@pytest.mark.parametrize(
    ("path", "secret", "is_taken"),
    [
        ("/telegram/42", "secret", True),
        ("/webhooks/telegram/42/", "secret", True),
        ("/telegram/42?a=/telegram/43", "secret", True),
        ("/telegram/42", "secret ", False),
        ("/telegram/42", "", False),
        ("/telegram/43", "secret", False),
        ("/telegram/43?/telegram/42", "secret", False),
        ("/telegram/", "secret", False),
        ("/telegram/x", "secret", False),
        ("/telegram/42/43", "secret", False),
    ],
)
def test_a_bots_secret_opens_the_path_of_that_bot(path: str, secret: str, is_taken: bool) -> None:
    headers = {"x-telegram-bot-api-secret-token": secret, BOT: "42"}
    webhook = Webhook(b"{}", headers, f"https://core.example.org{path}")
    if is_taken:
        TELEGRAM.verify(webhook)
    else:
        with pytest.raises(SignatureError):
            TELEGRAM.verify(webhook)


def test_whose_update_it_is_is_told_by_the_path_and_kept() -> None:
    webhook = Webhook(update("message", chat=CHAT), {BOT: "another"}, URL)

    assert TELEGRAM.routes(webhook) == [PLACE]
    assert TELEGRAM.kept_headers(webhook) == {BOT: "42"}


def test_the_secret_of_a_bot_is_one_that_telegram_takes_and_no_other_bot_has() -> None:
    secret = webhook_secret("1:a")

    assert len(secret) >= 43
    assert set(secret) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
    assert secret == webhook_secret("1:a") != webhook_secret("1:b")


@pytest.mark.parametrize(
    "said",
    [
        {"text": "Hi"},
        {"location": {"latitude": 1.5, "longitude": 2.5}},
        {"contact": {"phone_number": "1"}},
        {"poll": {"question": "?"}},
        {"a_kind_to_come": {}},
    ],
    ids=repr,
)
def test_whatever_a_message_has_in_it_it_is_one(said: dict[str, Any]) -> None:
    received, described = parsed("message", message_id=9, date=5, **said).events

    assert isinstance(received, Received)
    assert (received.key, received.source_message_id) == (PLACE, "7:9")
    assert (received.sent_at, received.sender_id, received.headers) == (5_000, "7", None)
    assert json.loads(received.content)["message"].items() >= said.items()
    assert described == Described(
        PLACE, {"contact.display_name": b'"Ada L."', "contact.lang": b'"en"'}
    )


@pytest.mark.parametrize(
    ("who", "sender"),
    [
        ({"from": {"id": 8}, "sender_chat": {"id": -1}}, "8"),
        ({"from": None, "sender_chat": {"id": -1}}, "-1"),
        ({"from": {}}, "-5"),
    ],
    ids=repr,
)
def test_in_a_group_a_member_writes_and_the_group_is_the_contact(
    who: dict[str, Any], sender: str
) -> None:
    group = {"id": -5, "type": "group", "title": "Fans"}
    received, described = parsed("message", message_id=9, **{"chat": group} | who).events

    assert isinstance(received, Received)
    assert (received.key.conversation, received.sender_id) == ("-5", sender)
    assert described == Described(received.key, {"contact.display_name": b'"Fans"'})


def test_an_edit_says_how_the_message_is_now() -> None:
    replaced, _ = parsed("edited_message", message_id=9, date=5, edit_date=6, text="Ho").events

    assert isinstance(replaced, Replaced)
    assert (replaced.received.source_message_id, replaced.received.sent_at) == ("7:9", 5_000)
    assert replaced.replaced_at == 6_000


@pytest.mark.parametrize(
    ("data", "payload"), [("color:red", "color:red"), ("", ""), (None, "__empty__")]
)
def test_a_button_that_is_pressed_is_a_message_of_now(data: Any, payload: str) -> None:
    told = {"id": "4", "data": data, "message": {"chat": CHAT, "message_id": 9, "date": 5}}
    received = parse(
        Webhook(update("callback_query", **{"from": PERSON} | told), {BOT: "42"})
    ).events[0]

    assert isinstance(received, Received)
    assert (received.key, received.source_message_id) == (PLACE, "callback:4")
    assert (received.sent_at, received.sender_id) == (None, "7")
    assert received.headers == {"postback.payload": payload}


@pytest.mark.parametrize(
    ("body", "pressed"),
    [
        (update("callback_query", id="4", message={"chat": CHAT}), ("42", "4")),
        (update("callback_query", id="4", inline_message_id="x"), None),
        (update("callback_query", message={"chat": CHAT}), None),
        (update("message", text='"callback_query"'), None),
        (b'{"callback_query"', None),
    ],
)
def test_a_press_waits_for_its_answer(body: bytes, pressed: tuple[str, str] | None) -> None:
    assert TELEGRAM.pressed(Webhook(body, {}, URL)) == pressed


@pytest.mark.parametrize(
    ("reactions", "emoji"),
    [
        ([{"type": "emoji", "emoji": "🔥"}, {"type": "emoji", "emoji": "👍"}], "🔥"),
        ([{"type": "custom_emoji", "custom_emoji_id": "5"}], "custom:5"),
        ([{"type": "paid"}], "⭐"),
        ([{"type": "of_a_kind_to_come"}], "❓"),
        ([7], "❓"),
        ([], None),
    ],
    ids=repr,
)
def test_the_first_reaction_counts(reactions: list[Any], emoji: str | None) -> None:
    told = parsed("message_reaction", message_id=9, date=5, new_reaction=reactions)

    assert told.events == [Reacted(PLACE, "7:9", emoji, 5_000)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        *[
            (kind, {"message_id": 9}, "unsupported update")
            for kind in ("channel_post", "my_chat_member", "business_message", "poll", "tomorrow")
        ],
        ("message", {"chat": None}, "no chat"),
        ("message", {"chat": {"id": True}}, "no chat"),
        ("edited_message", {}, "edit of nothing"),
        ("message_reaction", {"new_reaction": []}, "reaction to nothing"),
        ("message_reaction", {"message_id": 9}, "reaction to nothing"),
    ],
    ids=repr,
)
def test_what_says_nothing_to_us_is_ignored_with_a_reason(
    kind: str, fields: dict[str, Any], reason: str
) -> None:
    assert parsed(kind, **fields) == Parsed([], [reason])


def test_an_update_without_a_chat_belongs_to_whom_it_is_from() -> None:
    webhook = Webhook(update("inline_query", **{"from": PERSON}, query="Hi"), {}, URL)

    assert TELEGRAM.routes(webhook) == [PLACE]


def test_a_message_without_a_number_is_the_same_when_it_comes_again() -> None:
    first, again = (parsed("message", text="Hi").events[0] for _ in range(2))

    assert isinstance(first, Received)
    assert first.source_message_id is None
    assert first == again
