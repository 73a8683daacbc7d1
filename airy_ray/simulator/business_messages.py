"""Google Business Messages' webhooks as Google sent them (contract: sources §5): one event each."""

import hmac
import json
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha512
from random import Random
from typing import Any

from airy_ray.clock import Millis
from airy_ray.simulator.moments import Item, Moment
from airy_ray.simulator.story import Thread, Written

SOURCE = "google"
PATH = "/webhooks/google"

_TEXTS = ("Are you open today?", "Danke schön 🙏", "How much is the fish?", "שלום")
_IMAGE = "https://storage.googleapis.com/business-messages-us/1/{}?x-goog-algorithm=GOOG4-RSA-SHA256&x-goog-credential=c"


def key(thread: Thread, run: str, number: int) -> str:
    """Return what a message is called."""
    return f"g_{run}{number:08}"


def body(items: Iterable[Item]) -> bytes:
    """Return the body that the one item is."""
    (only,) = items
    return only.text


def said(moment: Moment, words: str) -> Item:
    """Return a message of words."""
    part = _message(moment.thread, moment.key, moment.at, words)
    return _item(moment, part | _context(moment.name))


def pictured(moment: Moment, url: str) -> Item:
    """Return a message that is a picture, which is at an address of Google's whatever it is."""
    part = _message(moment.thread, moment.key, moment.at, _IMAGE.format(moment.key))
    return _item(moment, part | _context(moment.name))


def arrived(moment: Moment, target: str) -> Item:
    """Return that a message of ours got there."""
    return _item(moment, _got(moment.thread, target, moment.at, "DELIVERED"))


def seen(moment: Moment, target: str) -> Item:
    """Return that a message of ours was seen."""
    return _item(moment, _got(moment.thread, target, moment.at, "READ"))


def _item(moment: Moment, part: dict[str, Any]) -> Item:
    text = _body(moment.thread, moment.key, part, _instant(moment.at, digits=3))
    return Item(moment.thread, moment.at, text)


def event(random: Random, thread: Thread, key: str, at: Millis) -> tuple[bytes, Written | None]:
    """Return a body, and the message in it if there is one."""
    part = random.choices(_KINDS, weights=_WEIGHTS)[0](random, thread, key, at)
    body = _body(thread, key, part, _instant(at, digits=random.choice((3, 6, 9))))
    is_message = "message" in part or "suggestionResponse" in part
    return body, Written(thread, key, at, True, body) if is_message else None


def signature(partner_key: str, told: bytes) -> tuple[str, str]:
    """Return the header that signs a body."""
    digest = b64encode(hmac.digest(partner_key.encode(), told, sha512)).decode()
    return "x-goog-signature", digest


def _body(thread: Thread, key: str, part: dict[str, Any], sent_at: str) -> bytes:
    told: dict[str, Any] = {
        "agent": f"brands/simulated/agents/{thread.channel}",
        "conversationId": thread.contact,
        "customAgentId": "simulated",
        "requestId": key,
        **part,
        "sendTime": sent_at,
    }
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def _text(random: Random, thread: Thread, key: str, at: Millis) -> dict[str, Any]:
    part = _message(thread, key, at, f"{random.choice(_TEXTS)} {key[-8:]}")
    return part | _context(f"Grace {thread.contact[:6]}")


def _context(name: str) -> dict[str, Any]:
    user = {"displayName": name, "userDeviceLocale": "en-US"}
    return {"context": {"entryPoint": "PLACESHEET", "userInfo": user}}


def _image(random: Random, thread: Thread, key: str, at: Millis) -> dict[str, Any]:
    return _message(thread, key, at, _IMAGE.format(key))


def _message(thread: Thread, key: str, at: Millis, text: str) -> dict[str, Any]:
    name = f"conversations/{thread.contact}/messages/{key}"
    created = _instant(at, digits=3)
    return {"message": {"messageId": key, "name": name, "text": text, "createTime": created}}


def _suggestion(random: Random, thread: Thread, key: str, at: Millis) -> dict[str, Any]:
    """Return the tap on a suggestion; the request's id is all that names it."""
    answered = f"conversations/{thread.contact}/messages/out-{random.randrange(9)}"
    return {
        "suggestionResponse": {
            "message": answered,
            "postbackData": "suggestion_1",
            "createTime": _instant(at, digits=3),
            "text": "Suggestion #1",
            "suggestionType": "REPLY",
        }
    }


def _receipts(random: Random, thread: Thread, key: str, at: Millis) -> dict[str, Any]:
    return _got(thread, f"out-{random.randrange(9)}", at, "DELIVERED", "READ")


def _got(thread: Thread, target: str, at: Millis, *kinds: str) -> dict[str, Any]:
    name = f"conversations/{thread.contact}/messages/{target}"
    receipts = [{"message": name, "receiptType": kind} for kind in kinds]
    return {"receipts": {"receipts": receipts, "createTime": _instant(at, digits=3)}}


def _typing(random: Random, thread: Thread, key: str, at: Millis) -> dict[str, Any]:
    return {"userStatus": {"isTyping": True}}


_CHANCES = {_text: 72, _image: 8, _suggestion: 10, _receipts: 6, _typing: 4}
_KINDS = list(_CHANCES)
_WEIGHTS = list(_CHANCES.values())


def _instant(at: Millis, *, digits: int) -> str:
    seconds, millis = divmod(at, 1_000)
    second = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{millis:03}".ljust(digits, "7")  # what is finer than a millisecond is cut
    return f"{second}.{fraction}Z"
