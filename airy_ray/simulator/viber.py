"""Viber's webhooks (contract: sources §6): one event each, told by numbers above 2**53."""

import hmac
import json
from collections.abc import Iterable
from typing import Any

from airy_ray.simulator.moments import Chances, Item, Moment, happening
from airy_ray.simulator.story import Thread, Written

SOURCE = "viber"
PATH = "/webhooks/viber"
_TEXTS = ("Is anybody there?", "שבת שלום", "Добрый день", "Thanks 🙏")


def key(thread: Thread, run: str, number: int) -> str:
    """Return what a message is called: a number of 63 bits."""
    return str(1 << 62 | int(run, 16) << 30 | number)


def item(moment: Moment) -> Item:
    """Return something that happened between a person and the bot."""
    return happening(moment, _CHANCES)


def body(items: Iterable[Item]) -> bytes:
    """Return the body that the one item is."""
    (only,) = items
    return only.text


def signature(auth_token: str, told: bytes) -> tuple[str, str]:
    """Return the header that signs a body."""
    digest = hmac.digest(auth_token.encode(), told, "sha256").hex()
    return "x-viber-content-signature", digest


def said(moment: Moment, words: str) -> Item:
    """Return a message of words."""
    return _message(moment, {"type": "text", "text": words})


def pictured(moment: Moment, url: str) -> Item:
    """Return a message that is a picture."""
    file = {"type": "picture", "media": url, "thumbnail": url, "size": 125_000}
    return _message(moment, file | {"file_name": "a.jpg", "text": "look"})


def located(moment: Moment, latitude: float, longitude: float) -> Item:
    """Return a message that is a place."""
    return _message(moment, {"type": "location", "location": {"lat": latitude, "lon": longitude}})


def arrived(moment: Moment, target: str) -> Item:
    """Return that a message of ours got there."""
    return _got(moment, target, "delivered")


def seen(moment: Moment, target: str) -> Item:
    """Return that a message of ours was seen."""
    return _got(moment, target, "seen")


def _text(moment: Moment) -> Item:
    return said(moment, f"{moment.random.choice(_TEXTS)} {moment.key[-8:]}")


def _picture(moment: Moment) -> Item:
    return pictured(moment, f"https://dl-media.viber.example/{moment.key}.jpg")


def _location(moment: Moment) -> Item:
    return located(moment, 32.0853, 34.78176)


def _started(moment: Moment) -> Item:
    told = {"type": "open", "user": _person(moment), "subscribed": False}
    return _written(moment, "conversation_started", told)


def _seen(moment: Moment) -> Item:
    kind = moment.random.choice(("delivered", "seen"))
    return _got(moment, str((5 << 60) + moment.random.randrange(9)), kind)


def _got(moment: Moment, target: str, kind: str) -> Item:
    named = {"message_token": int(target), "user_id": moment.thread.contact}
    return Item(moment.thread, moment.at, _json(_event(moment, kind) | named))


def _subscribed(moment: Moment) -> Item:
    told = _event(moment, "subscribed") | {"user": _person(moment)}
    return Item(moment.thread, moment.at, _json(told))


def _message(moment: Moment, message: dict[str, Any]) -> Item:
    return _written(moment, "message", {"sender": _person(moment), "message": message})


def _written(moment: Moment, kind: str, told: dict[str, Any]) -> Item:
    text = _json(_event(moment, kind) | told | {"silent": False})
    written = Written(moment.thread, moment.key, moment.at, True, text)
    return Item(moment.thread, moment.at, text, written)


def _event(moment: Moment, kind: str) -> dict[str, Any]:
    token = int(moment.key)
    named = {"event": kind, "timestamp": moment.at, "chat_hostname": "SN-CHAT-05_"}
    return named | {"message_token": token}


def _person(moment: Moment) -> dict[str, Any]:
    contact = moment.thread.contact
    name = moment.name or f"Yarden {contact[:4]}"
    told = {"id": contact, "name": name, "language": "en", "country": "IL"}
    return told | {"api_version": 10}


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


_CHANCES: Chances = {
    _text: 74,
    _picture: 8,
    _location: 3,
    _started: 4,
    _seen: 8,
    _subscribed: 3,
}
