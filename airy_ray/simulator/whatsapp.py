"""WhatsApp's webhooks as Meta's Cloud API sends them (contract: sources §3): times in seconds."""

import json
from collections.abc import Iterable
from typing import Any

from airy_ray.clock import Millis
from airy_ray.simulator.moments import Chances, Item, Moment, happening
from airy_ray.simulator.story import Reacted, Thread, Written

SOURCE = "whatsapp"
PATH = "/webhooks/whatsapp"
_ACCOUNT = "102290129340398"
_TEXTS = ("Is it open today?", "Schöne Grüße 🌷", "وصلت", "2 x large, please")
_EMOJI = ("👍", "❤️", "")
"""The last one takes a reaction back."""


def key(thread: Thread, run: str, number: int) -> str:
    """Return what a message is called."""
    return f"wamid.HBgL{run}{number:08}"


def item(moment: Moment) -> Item:
    """Return something that happened between a person and a phone number."""
    return happening(moment, _CHANCES)


def body(items: Iterable[Item]) -> bytes:
    """Return a body with a change for each item."""
    changes = b",".join(each.text for each in items)
    entry = b'{"id":"%b","changes":[%b]}' % (_ACCOUNT.encode(), changes)
    return b'{"object":"whatsapp_business_account","entry":[%b]}' % entry


def said(moment: Moment, words: str) -> Item:
    """Return a message of words."""
    return _message(moment, "text", {"body": words})


def pictured(moment: Moment, url: str) -> Item:
    """Return a message that is a picture, which WhatsApp names by an id and not by an address."""
    return _message(moment, "image", _image_file(moment))


def located(moment: Moment, latitude: float, longitude: float) -> Item:
    """Return a message that is a place."""
    return _message(moment, "location", {"latitude": latitude, "longitude": longitude})


def reacted(moment: Moment, target: str, emoji: str | None) -> Item:
    """Return a reaction to a message, or its removal."""
    told = {"message_id": target} | ({"emoji": emoji} if emoji else {})
    message = _named(moment, "reaction", told)
    to = Reacted(moment.thread, target, emoji, _second(moment))
    return Item(moment.thread, moment.at, _change(moment, "messages", message), reacted=to)


def arrived(moment: Moment, target: str) -> Item:
    """Return that a message of ours got there."""
    return _got(moment, target, "delivered")


def seen(moment: Moment, target: str) -> Item:
    """Return that a message of ours was seen."""
    return _got(moment, target, "read")


def _text(moment: Moment) -> Item:
    return said(moment, f"{moment.random.choice(_TEXTS)} {moment.key[-8:]}")


def _image(moment: Moment) -> Item:
    return _message(moment, "image", _image_file(moment) | {"caption": "this one"})


def _image_file(moment: Moment) -> dict[str, Any]:
    file = {"mime_type": "image/jpeg", "sha256": "29ed500fa64eb55fc19dc4124acb300e5dcca0f8"}
    return file | {"id": moment.key[-12:]}


def _location(moment: Moment) -> Item:
    return located(moment, 52.516275, 13.377704)


def _button(moment: Moment) -> Item:
    reply = {"id": f"yes-{moment.key[-8:]}", "title": "Yes"}
    return _message(moment, "interactive", {"type": "button_reply", "button_reply": reply})


def _reaction(moment: Moment) -> Item:
    if not moment.recent:
        return _text(moment)
    target, emoji = moment.random.choice(moment.recent), moment.random.choice(_EMOJI)
    return reacted(moment, target, emoji or None)


def _status(moment: Moment) -> Item:
    target = f"wamid.HBgLout{moment.random.randrange(9)}"
    return _got(moment, target, moment.random.choice(("sent", "delivered", "read")))


def _got(moment: Moment, target: str, status: str) -> Item:
    told = {
        "id": target,
        "status": status,
        "timestamp": str(moment.at // 1_000),
        "recipient_id": moment.thread.contact,
    }
    return Item(moment.thread, moment.at, _change(moment, "statuses", told))


def _message(moment: Moment, kind: str, told: dict[str, Any]) -> Item:
    message = _named(moment, kind, told)
    written = Written(moment.thread, moment.key, _second(moment), True, _json(message))
    return Item(moment.thread, moment.at, _change(moment, "messages", message), written)


def _named(moment: Moment, kind: str, told: dict[str, Any]) -> dict[str, Any]:
    seconds = str(moment.at // 1_000)
    named = {"from": moment.thread.contact, "id": moment.key, "timestamp": seconds}
    return named | {"type": kind, kind: told}


def _change(moment: Moment, name: str, part: dict[str, Any]) -> bytes:
    number = moment.thread.channel
    value: dict[str, Any] = {
        "messaging_product": SOURCE,
        "metadata": {"display_phone_number": f"1{number[-10:]}", "phone_number_id": number},
    }
    if name == "messages":
        profile = {"name": moment.name or f"Sheena {moment.thread.contact[-4:]}"}
        value["contacts"] = [{"profile": profile, "wa_id": moment.thread.contact}]
    return _json({"value": value | {name: [part]}, "field": "messages"})


def _second(moment: Moment) -> Millis:
    return Millis(moment.at // 1_000 * 1_000)


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()


_CHANCES: Chances = {_text: 70, _image: 8, _location: 3, _button: 5, _reaction: 6, _status: 8}
