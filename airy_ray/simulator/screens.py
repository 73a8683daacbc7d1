"""What people see of a message that a platform took: its words, addresses and buttons.

Every platform has a form of its own, but all call the same things by few names. What is in none of
these is shown as it came.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

Kind = Literal["text", "link", "picture", "button", "raw"]

_TEXTS = frozenset({"text", "body", "Body", "caption", "title", "subtitle", "description"})
_BUTTONS = frozenset({"quick_replies", "buttons", "Buttons", "suggestions", "reply_markup", "rows"})
_ON_BUTTONS = frozenset({"title", "text", "Text"})
_UNSEEN = frozenset({"sender", "representative", "StatusCallback"})
"""What is around a message, and not in it."""
_PLACES = (("latitude", "longitude"), ("lat", "lon"))
_SCHEMES = ("https://", "http://")
_PARTS_MAX = 40
_LETTERS_MAX = 8_000


@dataclass(frozen=True, slots=True)
class Part:
    """Words, an address, the picture that the page has, the words on a button, or JSON."""

    kind: Kind
    text: str


def parts_of(content: Any) -> tuple[Part, ...]:
    """Return what a message shows, in the order in which it comes; bounded."""
    found = list(islice(_parts(content, is_button=False), _PARTS_MAX))
    if not found:
        found = [Part("raw", json.dumps(content, indent=2, ensure_ascii=False))]
    return tuple(Part(each.kind, each.text[:_LETTERS_MAX]) for each in found)


def _parts(content: Any, *, is_button: bool) -> Iterator[Part]:
    match content:
        case str() if content:
            yield Part("button" if is_button else _kind(content), content)
        case list():
            for each in content:
                yield from _parts(each, is_button=is_button)
        case dict():
            yield from _places(content)
            for name, value in content.items():
                if name not in _UNSEEN:
                    yield from _named(name, value, is_button=is_button)


def _named(name: str, value: Any, *, is_button: bool) -> Iterator[Part]:
    names = _ON_BUTTONS if is_button else _TEXTS
    if isinstance(value, str):
        if name in names or (not is_button and value.startswith(_SCHEMES)):
            yield from _parts(value, is_button=is_button)
    elif isinstance(value, dict | list):
        inner = _without_plain(value) if isinstance(value, list) and name not in names else value
        yield from _parts(inner, is_button=is_button or name in _BUTTONS)


def _without_plain(values: list[Any]) -> list[Any]:
    """Return a list without strings that are no addresses; only under some names they are words."""
    return [each for each in values if not isinstance(each, str) or each.startswith(_SCHEMES)]


def _places(content: dict[str, Any]) -> Iterator[Part]:
    for names in _PLACES:
        if all(isinstance(content.get(name), int | float | str) for name in names):
            yield Part("text", "Place: " + ", ".join(str(content[name]) for name in names))


def _kind(text: str) -> Kind:
    is_address = text.startswith(_SCHEMES) and not any(each.isspace() for each in text)
    return "link" if is_address else "text"
