"""Google Business Messages' webhooks as Google sent them (contract: sources §5): one event each."""

import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha512
from random import Random
from typing import Any

from airy_ray.clock import Millis
from airy_ray.simulator.story import Thread, Written

SOURCE = "google"
PATH = "/webhooks/google"

_TEXTS = ("Are you open today?", "Danke schön 🙏", "How much is the fish?", "שלום")
_IMAGE = "https://storage.googleapis.com/business-messages-us/1/{}?x-goog-algorithm=GOOG4-RSA-SHA256&x-goog-credential=c"


def event(random: Random, thread: Thread, key: str, at: Millis) -> tuple[bytes, Written | None]:
    """Return a body, and the message in it if there is one."""
    part = random.choices(_KINDS, weights=_WEIGHTS)[0](random, thread, key, at)
    told: dict[str, Any] = {
        "agent": f"brands/simulated/agents/{thread.channel}",
        "conversationId": thread.contact,
        "customAgentId": "simulated",
        "requestId": key,
        **part,
        "sendTime": _instant(at, digits=random.choice((3, 6, 9))),
    }
    body = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    is_message = "message" in part or "suggestionResponse" in part
    return body, Written(thread, key, at, True, body) if is_message else None


def signature(partner_key: str, told: bytes) -> tuple[str, str]:
    """Return the header that signs a body."""
    digest = b64encode(hmac.digest(partner_key.encode(), told, sha512)).decode()
    return "x-goog-signature", digest


def _text(random: Random, thread: Thread, key: str, at: Millis) -> dict[str, Any]:
    part = _message(thread, key, at, f"{random.choice(_TEXTS)} {key[-8:]}")
    user = {"displayName": f"Grace {thread.contact[:6]}", "userDeviceLocale": "en-US"}
    return part | {"context": {"entryPoint": "PLACESHEET", "userInfo": user}}


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
    name = f"conversations/{thread.contact}/messages/out-{random.randrange(9)}"
    receipts = [{"message": name, "receiptType": kind} for kind in ("DELIVERED", "READ")]
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
