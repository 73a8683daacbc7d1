"""Messenger's webhooks as Meta sends them (contract: sources §1).

Non-ASCII characters and slashes are escaped, ids are strings, several items of several people and
pages come in one body.
"""

import hmac
import json
from collections.abc import Iterable
from hashlib import sha256
from itertools import groupby
from typing import Any

from airy_ray.simulator.moments import Chances, Item, Moment, happening
from airy_ray.simulator.story import Reacted, Thread, Written

SOURCE = "facebook"
PATH = "/webhooks/facebook"

_OTHER_APP = 263902037430900
_EMOJI = {"love": "❤️", "like": "👍", "smile": "😆", "sad": "😢", "wow": "😮"}
_NAMES = {emoji: name for name, emoji in _EMOJI.items()}
_TEXTS = (
    "Hello, is this still available?",
    "Grüße aus Köln 😀",
    "See https://example.org/a?b=c",
    'He said "no" \\o/',
    "いつ開きますか",
)
_FILES = {"image": "jpg", "audio": "mp4", "video": "mp4", "file": "pdf"}


def key(thread: Thread, run: str, number: int) -> str:
    """Return what a message is called."""
    return f"m_{run}{number:08}"


def item(moment: Moment) -> Item:
    """Return something that happened between a person and a page."""
    return happening(moment, _CHANCES)


def said(moment: Moment, words: str) -> Item:
    """Return an item with a message of words."""
    return message(moment, {"text": words})


def pictured(moment: Moment, url: str) -> Item:
    """Return an item with a message that is a picture."""
    return message(moment, {"attachments": [{"type": "image", "payload": {"url": url}}]})


def reacted(moment: Moment, target: str, emoji: str | None) -> Item:
    """Return an item with a reaction to a message, or its removal."""
    told: dict[str, Any] = {"mid": target, "action": "react" if emoji else "unreact"}
    if emoji:
        told |= {"reaction": _NAMES.get(emoji, "other"), "emoji": emoji}
    plain = plain_item(moment, {"reaction": told})
    to = Reacted(moment.thread, target, emoji, moment.at)
    return Item(plain.thread, plain.at, plain.text, reacted=to)


def arrived(moment: Moment, *targets: str) -> Item:
    """Return an item that tells that messages of the page got there."""
    return plain_item(moment, {"delivery": {"mids": list(targets), "watermark": moment.at}})


def seen(moment: Moment, target: str) -> Item:
    """Return an item that tells that everything until now was seen, so `target` too."""
    return plain_item(moment, {"read": {"watermark": moment.at}})


def text(moment: Moment) -> Item:
    """Return an item with a message of words; each run and key has others."""
    return said(moment, f"{moment.random.choice(_TEXTS)} {moment.key[-8:]}")


def body(items: Iterable[Item], kind: str = "page") -> bytes:
    """Return a body with items, one entry for each run of items of one page."""
    entries = []
    for page, grouped in groupby(items, key=lambda each: each.thread.channel):
        group = list(grouped)
        time = max(each.at for each in group)
        told = b",".join(each.text for each in group)
        entries.append(b'{"id":"%b","time":%d,"messaging":[%b]}' % (page.encode(), time, told))
    return b'{"object":"%b","entry":[%b]}' % (kind.encode(), b",".join(entries))


def signature(app_secret: str, told: bytes) -> tuple[str, str]:
    """Return the header that signs a body."""
    digest = hmac.digest(app_secret.encode(), told, sha256).hex()
    return "x-hub-signature-256", f"sha256={digest}"


def attachment(moment: Moment) -> Item:
    """Return an item with a message that is a file."""
    kind = moment.random.choice(list(_FILES))
    url = f"https://cdn.example.org/{moment.key}.{_FILES[kind]}"
    return message(moment, {"attachments": [{"type": kind, "payload": {"url": url}}]})


def quick_reply(moment: Moment) -> Item:
    """Return an item with a message that is a tap on a proposed answer."""
    return message(moment, {"text": "Yes", "quick_reply": {"payload": f"YES_{moment.key}"}})


def postback(moment: Moment) -> Item:
    """Return an item with a message that is a tap on a button."""
    told = {"title": "Get Started", "payload": "GET_STARTED", "mid": moment.key}
    return _written(moment, {"postback": told}, from_contact=True)


def _echo_of_other_app(moment: Moment) -> Item:
    told = {"is_echo": True, "app_id": _OTHER_APP, "text": f"another tool {moment.key[-8:]}"}
    return message(moment, told, from_contact=False)


def _echo_of_page_inbox(moment: Moment) -> Item:
    told = {"is_echo": True, "text": f"typed in the page inbox {moment.key[-8:]}"}
    return message(moment, told, from_contact=False)


def _own_echo(moment: Moment) -> Item:
    """Return the echo of a message of ours: nothing may come of it."""
    told = {"mid": moment.key, "is_echo": True, "app_id": int(moment.app_id), "text": "sent by us"}
    return plain_item(moment, {"message": told}, from_contact=False)


def reaction(moment: Moment) -> Item:
    """Return an item with a reaction to a message, or its removal."""
    if not moment.recent:
        return text(moment)
    target = moment.random.choice(moment.recent)
    return reacted(moment, target, _EMOJI.get(moment.random.choice([*_EMOJI, ""])))


def _read(moment: Moment) -> Item:
    return seen(moment, "")


def _delivery(moment: Moment) -> Item:
    return arrived(moment, *moment.recent)


def message(moment: Moment, told: dict[str, Any], *, from_contact: bool = True) -> Item:
    """Return an item with a message that says something."""
    part = {"message": {"mid": moment.key, **told}}
    return _written(moment, part, from_contact=from_contact)


def _written(moment: Moment, part: dict[str, Any], *, from_contact: bool) -> Item:
    plain = plain_item(moment, part, from_contact=from_contact)
    written = Written(moment.thread, moment.key, moment.at, from_contact, plain.text)
    return Item(plain.thread, plain.at, plain.text, written)


def plain_item(moment: Moment, part: dict[str, Any], *, from_contact: bool = True) -> Item:
    """Return an item that is no message."""
    thread = moment.thread
    contact, page = {"id": thread.contact}, {"id": thread.channel}
    told = {
        "sender": contact if from_contact else page,
        "recipient": page if from_contact else contact,
        "timestamp": moment.at,
        **part,
    }
    return Item(thread, moment.at, _escaped(told))


def _escaped(told: dict[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":")).replace("/", "\\/").encode()


_CHANCES: Chances = {
    text: 60,
    attachment: 10,
    quick_reply: 4,
    postback: 5,
    _echo_of_other_app: 5,
    _echo_of_page_inbox: 3,
    _own_echo: 2,
    reaction: 6,
    _read: 3,
    _delivery: 2,
}
