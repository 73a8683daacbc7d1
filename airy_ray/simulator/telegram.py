"""Telegram's webhooks (contract: sources §7): one update each, at the path of its bot."""

import json
from collections.abc import Iterable
from typing import Any

from airy_ray.clock import Millis
from airy_ray.simulator.moments import Chances, Item, Moment, happening
from airy_ray.simulator.story import Reacted, Thread, Written

SOURCE = "telegram"
SECRET = "x-telegram-bot-api-secret-token"  # noqa: S105 - the name of a header
_TEXTS = ("/start", "Hello bot", "Когда вы открываетесь?", "tack så mycket 🙂")
_EMOJI = ("👍", "🔥", "")
"""The last one takes a reaction back."""


def key(thread: Thread, run: str, number: int) -> str:
    """Return what a message is called: chats number theirs."""
    return f"{thread.contact}:{number + 1}"


def item(moment: Moment) -> Item:
    """Return something that happened between a person and a bot."""
    return happening(moment, _CHANCES)


def body(items: Iterable[Item]) -> bytes:
    """Return the body that the one item is."""
    (only,) = items
    return only.text


def said(moment: Moment, words: str) -> Item:
    """Return a message of words."""
    return _message(moment, {"text": words})


def pictured(moment: Moment, url: str) -> Item:
    """Return a message that is a picture, which Telegram names by ids and not by an address."""
    return _message(moment, {"photo": _sizes(moment)})


def located(moment: Moment, latitude: float, longitude: float) -> Item:
    """Return a message that is a place."""
    return _message(moment, {"location": {"latitude": latitude, "longitude": longitude}})


def reacted(moment: Moment, target: str, emoji: str | None) -> Item:
    """Return a reaction to a message, or its removal."""
    told = {
        "chat": _chat(moment),
        "message_id": int(target.rpartition(":")[2]),
        "user": _person(moment),
        "date": moment.at // 1_000,
        "old_reaction": [],
        "new_reaction": [{"type": "emoji", "emoji": emoji}] if emoji else [],
    }
    text = _update(moment, "message_reaction", told)
    to = Reacted(moment.thread, target, emoji, _second(moment))
    return Item(moment.thread, moment.at, text, reacted=to)


def _text(moment: Moment) -> Item:
    return said(moment, f"{moment.random.choice(_TEXTS)} {moment.key[-8:]}")


def _photo(moment: Moment) -> Item:
    return _message(moment, {"photo": _sizes(moment), "caption": "my cat 🐈"})


def _sizes(moment: Moment) -> list[dict[str, Any]]:
    return [
        {"file_id": f"AgAC{_number(moment)}", "file_unique_id": "q1", "width": 90, "height": 67},
        {"file_id": f"AgAD{_number(moment)}", "file_unique_id": "q2", "width": 1280, "height": 960},
    ]


def _location(moment: Moment) -> Item:
    return located(moment, 52.516275, 13.377704)


def _press(moment: Moment) -> Item:
    """Return the press of a button, which is a message without a time of its own."""
    below = {
        "message_id": 0,
        "from": {"id": int(moment.thread.channel), "is_bot": True, "first_name": "Bot"},
        "chat": _chat(moment),
        "date": moment.at // 1_000,
        "text": "Pick",
    }
    press = f"{_number(moment)}{moment.at}"
    told = {"id": press, "from": _person(moment), "message": below, "data": "color:red"}
    text = _update(moment, "callback_query", told)
    written = Written(moment.thread, f"callback:{press}", None, True, text)
    return Item(moment.thread, moment.at, text, written)


def _reaction(moment: Moment) -> Item:
    targets = [each for each in moment.recent if not each.startswith("callback:")]
    if not targets:
        return _text(moment)
    target, emoji = moment.random.choice(targets), moment.random.choice(_EMOJI)
    return reacted(moment, target, emoji or None)


def _message(moment: Moment, told: dict[str, Any]) -> Item:
    named = {
        "message_id": _number(moment),
        "from": _person(moment),
        "chat": _chat(moment),
        "date": moment.at // 1_000,
    }
    text = _update(moment, "message", named | told)
    written = Written(moment.thread, moment.key, _second(moment), True, text)
    return Item(moment.thread, moment.at, text, written)


def _update(moment: Moment, kind: str, told: dict[str, Any]) -> bytes:
    update = {"update_id": 10**8 + _number(moment), kind: told}
    return json.dumps(update, separators=(",", ":")).encode()


def _number(moment: Moment) -> int:
    return int(moment.key.rpartition(":")[2])


def _second(moment: Moment) -> Millis:
    return Millis(moment.at // 1_000 * 1_000)


def _chat(moment: Moment) -> dict[str, Any]:
    return {"id": int(moment.thread.contact), "first_name": _first_name(moment), "type": "private"}


def _person(moment: Moment) -> dict[str, Any]:
    person = {"id": int(moment.thread.contact), "is_bot": False}
    return person | {"first_name": _first_name(moment), "language_code": "en"}


def _first_name(moment: Moment) -> str:
    return moment.name or "Ada"


_CHANCES: Chances = {_text: 76, _photo: 8, _location: 3, _press: 6, _reaction: 7}
