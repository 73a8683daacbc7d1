"""One STOMP frame, and how it is written in each version of the protocol.

1. CONNECT and CONNECTED escape nothing, whatever the version, nor does anything in 1.0.
2. Version 1.1 escapes LF, colon and backslash; 1.2 carriage returns too.
3. What a version cannot write is refused, so that no value can begin a header of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from airy_ray.errors import ProtocolError

Version = Literal["1.0", "1.1", "1.2"]

UNESCAPED = frozenset({"CONNECT", "CONNECTED"})
_LENGTH = "content-length"
_ESCAPE_SEQUENCE = re.compile(r"\\(.?)", re.DOTALL)
_UNWRITABLE = re.compile(r"[\n\r\0]")
_ESCAPES: Mapping[Version, Mapping[str, str]] = {
    "1.0": {},
    "1.1": {"\\": "\\\\", "\n": "\\n", ":": "\\c"},
    "1.2": {"\\": "\\\\", "\n": "\\n", ":": "\\c", "\r": "\\r"},
}
_TRANSLATED = {version: str.maketrans(dict(escapes)) for version, escapes in _ESCAPES.items()}
_MEANINGS = {
    version: {sequence[1]: character for character, sequence in escapes.items()}
    for version, escapes in _ESCAPES.items()
}


@dataclass(frozen=True)
class Frame:
    """A command, its headers, and a body.

    Attributes:
        headers: without `content-length`, which goes with the body; of repeated ones the first.
    """

    command: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def encoded(frame: Frame, version: Version) -> bytes:
    """Return the bytes of a frame.

    Raises:
        ProtocolError: this version cannot write one of its headers.
    """
    spoken: Version = "1.0" if frame.command in UNESCAPED else version
    lines = [frame.command]
    for name, value in frame.headers.items():
        if name != _LENGTH:
            lines.append(f"{_escaped_name(name, spoken)}:{_escaped(value, spoken)}")
    if frame.body:
        lines.append(f"{_LENGTH}:{len(frame.body)}")
    return b"%b\n\n%b\0" % ("\n".join(lines).encode(), frame.body)


def unescaped(text: str, version: Version) -> str:
    """Return what a name or value of a header stands for.

    Raises:
        ProtocolError: this version has no such escape sequence.
    """
    if version == "1.0" or "\\" not in text:
        return text
    meanings = _MEANINGS[version]

    def meaning(sequence: re.Match[str]) -> str:
        try:
            return meanings[sequence[1]]
        except KeyError:
            raise ProtocolError("a header has an unknown escape sequence") from None

    return _ESCAPE_SEQUENCE.sub(meaning, text)


def _escaped(text: str, version: Version) -> str:
    told = text.translate(_TRANSLATED[version])
    if _UNWRITABLE.search(told):
        raise ProtocolError(f"a header cannot be written in STOMP {version}")
    return told


def _escaped_name(name: str, version: Version) -> str:
    told = _escaped(name, version)
    if not told or ":" in told:
        raise ProtocolError(f"a header's name cannot be written in STOMP {version}")
    return told
