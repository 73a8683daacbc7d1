"""What a file is, told by its first bytes, else by its name; and what browsers may do with it."""

import mimetypes
import re

import puremagic

UNKNOWN = "application/octet-stream"

_SHOWN = ("image/", "audio/", "video/")
_ACTIVE = re.compile(r"html|[/+-]xml$|/xml-|javascript|ecmascript|flash")
"""Kinds that could run in the reader's browser."""
_SVG = "image/svg+xml"
_SURE = 0.3
"""How sure the bytes have to be to overrule the name: three of them, where a kind has a mark."""
_BY_NAME = mimetypes.MimeTypes()
"""The same on all machines: the files of this one are not asked."""
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,16}\Z")


def kind_of(head: bytes, name: str) -> str:
    """Return the media type of a file that starts with `head` and is called `name`.

    One that a browser might run is unknown, unless it is a picture: SVG in an `img` runs nothing.
    """
    named = _BY_NAME.guess_type(name)[0]
    kind = _told_by(head, named) or named or UNKNOWN
    return UNKNOWN if kind != _SVG and _ACTIVE.search(kind) else kind


def is_shown(kind: str) -> bool:
    """Whether a browser may open a file of this kind as a page; all others are downloads."""
    return kind != _SVG and (kind.startswith(_SHOWN) or kind == "application/pdf")


def extension(name: str) -> str:
    """Return the end of a name from its last dot on; nothing if it is none of a usual form."""
    found = _EXTENSION.search(name)
    return found[0] if found else ""


def _told_by(head: bytes, named: str | None) -> str | None:
    """Return the kind that the first bytes tell: what the name says, if they can be that."""
    try:
        guesses = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):  # nothing that is known, or nothing at all
        return None
    told = [guess for guess in guesses if guess.mime_type]
    if named in [guess.mime_type for guess in told]:
        return named
    return next((guess.mime_type for guess in told if guess.confidence >= _SURE), None)
