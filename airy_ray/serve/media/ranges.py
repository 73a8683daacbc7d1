"""Which part of a file a request wants (RFC 9110 §14): players of audio and video ask for parts."""

import re

_RANGE = re.compile(r"bytes=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*")


class UnsatisfiableError(ValueError):
    """The part that is asked for lies behind the end."""


def wanted(header: str | None, size: int) -> range | None:
    """Return the positions that a `Range` header asks for, None for all of a file of `size` bytes.

    Several parts at once and other units count as nothing said, which the standard allows.

    Raises:
        UnsatisfiableError: there are none such.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        part = range(max(0, size - int(found[2])), size)
    else:
        end = size if found[2] == "" else min(int(found[2]) + 1, size)
        if found[2] and int(found[2]) < int(found[1]):
            return None  # not a range at all
        part = range(int(found[1]), end)
    if not part:
        raise UnsatisfiableError
    return part
