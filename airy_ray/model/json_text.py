r"""JSON as text: kept as it came, cut out of bodies, put together without parsing it again.

1. Content is never re-serialised: order of keys, text of numbers and escapes stay as they were.
   Only white space between tokens goes.
2. A lone surrogate (`\ud83d` without its half) occurs in the wild. Strict parsers refuse it, so it
   is taken out of the way (`shield`) while a body is parsed and put back (`unshield`) afterwards.
"""

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from airy_ray.clock import Millis

T = TypeVar("T")

encode = msgspec.json.Encoder().encode
"""Return a value as compact JSON bytes."""

_decoder = msgspec.json.Decoder()

_PAIR = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF = rb"\\u([dD][89a-fA-F][0-9a-fA-F]{2})"
_SURROGATE = re.compile(  # behind an even number of backslashes
    rb"(?<!\\)((?:\\\\)*)(?:(%b)|%b)" % (_PAIR, _HALF)
)
_WITHOUT_HALVES = re.compile(rb"(?:[^\\]++|%b|(?!%b)\\.)*+" % (_PAIR, _HALF), re.DOTALL)
_SHIELD_SIGN = "\ufdd0"  # a code point that is never a character
_SHIELD = _SHIELD_SIGN.encode() + b"lone:"
_SHIELDED = re.compile(_SHIELD + rb"([0-9a-fA-F]{4})")
_EPOCH = datetime(1970, 1, 1)
_MILLIS = tuple(f".{millis:03}Z" for millis in range(1_000))

NESTING_MAX = 200
"""How deep a body may nest: far less than what parsers give up at, which depends on their caller's
place in the stack. What a record means must not."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKETS = bytes.maketrans(b"[]", b"{}")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def decode(text: bytes | str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: the text is not JSON, or nests too deep.
    """
    try:
        return decode_with(_decoder, text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def decode_with(decoder: msgspec.json.Decoder[T], text: bytes | str) -> T:
    """Return what `decoder` makes of a JSON text, shielded if need be; raises what it raises."""
    try:
        return decoder.decode(text)
    except msgspec.DecodeError:
        raw = text.encode() if isinstance(text, str) else text
        return decoder.decode(shield(raw))


def compact(text: bytes) -> bytes:
    """Return a JSON text without the white space between its tokens; nothing else is touched.

    Raises:
        ValueError: the text is not JSON, or nests too deep.
    """
    try:
        return msgspec.json.format(text, indent=-1)
    except msgspec.DecodeError:
        return unshield(_compact_shielded(text))
    except RecursionError as error:
        raise ValueError(str(error)) from None


def canonical(text: bytes) -> str:
    """Return the same text for the same value, however it was spelled."""
    try:
        return encode(decode(text)).decode()
    except ValueError:  # perhaps only a number beyond what can be held
        return compact(text).decode()


def nests_too_deep(text: bytes) -> bool:
    """Whether a text, if it is JSON, nests deeper than `NESTING_MAX`."""
    if len(text) <= 2 * NESTING_MAX:  # each level takes two bytes at least
        return False
    if text.count(b"{") + text.count(b"[") <= NESTING_MAX:
        return False
    brackets = _STRING.sub(b"", text).translate(_BRACKETS, _NOT_BRACKETS)
    for _ in range(NESTING_MAX):
        brackets = brackets.replace(b"{}", b"")  # the innermost level
        if not brackets:
            return False
    return True


def shield(text: bytes) -> bytes:
    """Return a JSON text whose lone surrogates are spelled so that any parser takes them."""
    if _WITHOUT_HALVES.fullmatch(text) is not None:  # a tenth of the time of looking for them
        return text
    return _SURROGATE.sub(
        lambda found: found[1] + (found[2] or _SHIELD + found[3]),
        text,
    )


def unshield(text: bytes) -> bytes:
    """Return what `shield` was given, or a part of it."""
    if text.isascii() or text.find(_SHIELD) < 0:  # `in` takes four times as long for bytes
        return text
    return _SHIELDED.sub(rb"\\u\1", text)


def is_utf8(text: bytes) -> bool:
    """Whether a text could be sent to a client as it is."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def quote(text: str) -> bytes:
    """Return a string as JSON, lone surrogates, shielded ones too, as escapes."""
    try:
        quoted = encode(text)
    except UnicodeEncodeError:
        return _ascii_quote(text)
    return unshield(quoted)


def instant(at: Millis) -> str:
    """Return an instant as ISO 8601 in UTC, with three digits of a second and `Z`."""
    seconds, millis = divmod(at, 1_000)
    return _second(seconds) + _MILLIS[millis]


@lru_cache(maxsize=4_096)
def _second(seconds: int) -> str:
    try:
        return (_EPOCH + timedelta(seconds=seconds)).isoformat()
    except OverflowError:  # outside of the years 1 to 9999; clients cannot show it either way
        return "9999-12-31T23:59:59" if seconds > 0 else "0001-01-01T00:00:00"


def _compact_shielded(text: bytes) -> bytes:
    try:
        return msgspec.json.format(shield(text), indent=-1)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _ascii_quote(text: str) -> bytes:
    units = text.encode("utf-16-be", "surrogatepass")
    escaped = "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
    return f'"{escaped}"'.encode()
