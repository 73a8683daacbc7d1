"""JSON bodies taken apart and put together again; what is not looked into stays byte for byte."""

import json
from collections.abc import Iterable, Mapping
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
