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
_OFFICE = "application/vnd.openxmlformats-officedocument."
for _end, _kind in {
    ".docx": f"{_OFFICE}wordprocessingml.document",
    ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
    ".pptx": f"{_OFFICE}presentationml.presentation",
    ".amr": "audio/amr",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
}.items():
    _BY_NAME.add_type(_kind, _end)
_CONTAINERS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"OggS")
"""What files of several kinds begin with, which their names tell apart."""
_CONTAINED = ("application/", "audio/", "video/")
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
    if head.startswith(_CONTAINERS) and named is not None and named.startswith(_CONTAINED):
        return named
    try:
        guesses = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):  # nothing that is known, or nothing at all
        return None
    told = [guess for guess in guesses if guess.mime_type not in ("", UNKNOWN)]
    if named in [guess.mime_type for guess in told]:
        return named
    return next((guess.mime_type for guess in told if guess.confidence >= _SURE), None)
