"""What visitors of a website write through the chat plugin (contract: sources §8)."""

import json
from random import Random
from typing import Any

SOURCE = "chatplugin"


def content(random: Random, key: str) -> bytes:
    """Return a message that carries `key`."""
    told = random.choices((_text, _attachment, _suggestion), weights=(80, 12, 8))[0](key)
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def key_of(content: Any) -> str | None:
    """Return the key that a message carries, if it is one of ours."""
    match content:
        case {"type": "text", "text": str(text)}:
            return text.rpartition("#")[2]
        case {"attachment": {"payload": {"url": str(url)}}}:
            return url.rpartition("/")[2].removesuffix(".jpg")
        case {"type": "suggestionResponse", "postbackData": str(key)}:
            return key
        case _:
            return None


def _text(key: str) -> dict[str, Any]:
    return {"text": f"answer is 42 — 答えは #{key}", "type": "text"}


def _attachment(key: str) -> dict[str, Any]:
    return {"attachment": {"type": "image", "payload": {"url": f"https://example.org/{key}.jpg"}}}


def _suggestion(key: str) -> dict[str, Any]:
    return {"type": "suggestionResponse", "text": "Yes", "postbackData": key}
