"""What a message says, as a bot is told: by source, for each writes it elsewhere (sources §12)."""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

from airy_ray.model import json_text

NO_TEXT = "New message"
"""What a bot is told of a message that says nothing in words."""

_META = ("message.text", "message.quick_reply.payload", "postback.payload", "postback.title")
_WHATSAPP = (
    "text.body",
    "button.text",
    "interactive.button_reply.title",
    "interactive.list_reply.title",
    "image.caption",
    "video.caption",
    "document.caption",
    "audio.caption",
)
_PATHS = {
    "facebook": _META,
    "instagram": _META,
    "whatsapp": _WHATSAPP,
    "google": ("message.text", "suggestionResponse.text", "text"),
    "viber": ("message.text",),
    "telegram": ("message.text", "message.caption", "callback_query.data"),
}
"""Where texts of contacts are, the first that is there."""

_FORM_FIELDS = ("Body", "ButtonText")
_OWN_KEYS = ("text", "body", "Body")
"""Where texts of ours are, at whatever depth: their form is that of the same sources."""


def asked(source: str, content: bytes) -> str:
    """Return what a contact's message says."""
    return said(source, content) or NO_TEXT


def said(source: str, content: bytes) -> str:
    """Return what a contact's message says in words; empty if it does not."""
    if source.startswith("twilio."):
        return _in_form(content)
    told = _value(content)
    paths = _PATHS.get(source)
    if paths is not None:
        return _first(_at(told, path) for path in paths)
    if isinstance(told, str):
        return told
    return _first([_at(told, "text"), _at(told, "message.text"), _anywhere(told, ("text",))])


def answered(content: bytes) -> str:
    """Return what a message of ours says in words; empty if it does not."""
    told = _value(content)
    return told if isinstance(told, str) else _anywhere(told, _OWN_KEYS)


def _in_form(content: bytes) -> str:
    form = parse_qs(content.decode(errors="replace"))
    return _first(form.get(name, [""])[0] for name in _FORM_FIELDS)


def _value(content: bytes) -> Any:
    """Return what content is; text that is no JSON is itself."""
    try:
        return json_text.decode(content)
    except ValueError:
        return content.decode(errors="replace")


def _at(value: Any, path: str) -> str:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _anywhere(value: Any, names: tuple[str, ...]) -> str:
    """Return the first text under one of some keys, however deep."""
    return next(_texts(value, names), "")


def _texts(value: Any, names: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _texts(each, names)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in names and isinstance(each, str) and each:
                yield each
            else:
                yield from _texts(each, names)


def _first(found: Iterable[str]) -> str:
    return next((each for each in found if each), "")
