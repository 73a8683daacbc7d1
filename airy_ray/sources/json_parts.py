"""JSON bodies taken apart and put together again; what is not looked into stays byte for byte."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from airy_ray.model import json_text

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def members(text: bytes | None) -> dict[str, bytes] | None:
    """Return the members of an object as text; None if it is none."""
    try:
        if text is None:
            return None
        return {name: bytes(value) for name, value in _decode_members(text).items()}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def elements(text: bytes | None) -> list[bytes] | None:
    """Return the elements of an array as text; None if it is none."""
    try:
        return None if text is None else [bytes(each) for each in _decode_elements(text)]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def scalar(text: bytes | None) -> Any:
    """Return the value of a text; None if there is none."""
    try:
        return None if text is None else json_text.decode(text)
    except ValueError:
        return None


def string(text: bytes | None) -> str | None:
    """Return a string, its half characters as they came; None if it is none."""
    if text is None or not text.startswith(b'"'):
        return None
    try:
        return str(json.loads(json_text.unshield(text)))
    except ValueError:
        return None


def object_of(parts: Mapping[str, bytes]) -> bytes:
    """Return the object that has these members."""
    return b"{" + b",".join(json_text.quote(k) + b":" + v for k, v in parts.items()) + b"}"


def array_of(parts: Iterable[bytes]) -> bytes:
    """Return the array that has these elements."""
    return b"[" + b",".join(parts) + b"]"


def objects_at(text: bytes | None, path: Sequence[str]) -> Iterator[dict[str, bytes]]:
    """Yield the members of what is at a path; what is a list there, or on the way, is all of it."""
    named = members(text)
    if named is None:
        for each in elements(text) or ():
            yield from objects_at(each, path)
    elif path:
        yield from objects_at(named.get(path[0]), path[1:])
    else:
        yield named


def with_objects(
    text: bytes, path: Sequence[str], change: Callable[[dict[str, bytes]], dict[str, bytes]]
) -> bytes:
    """Return a text with what `objects_at` yields changed, all else as it came."""
    named = members(text)
    if named is None:
        parts = elements(text)
        return text if parts is None else array_of(with_objects(p, path, change) for p in parts)
    if not path:
        return object_of(change(named))
    if path[0] not in named:
        return text
    return object_of(named | {path[0]: with_objects(named[path[0]], path[1:], change)})
