"""Links to files of ours in what messages say."""

import re
from urllib.parse import urlsplit

_NAME = re.compile(rb"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\.[A-Za-z0-9]{1,16})?)")


def files_in(*texts: bytes) -> set[str]:
    """Return what may be names of files of ours, wherever these are served.

    A name is a digest of what is in the file: what looks like one and is not is no file's.
    """
    return {name.decode() for text in texts for name in _NAME.findall(text)}


def file_at(url: str) -> str | None:
    """Return which file of ours may be at an address, wherever we are served; None if none is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    found = _NAME.fullmatch(b"/" + parts.path.rpartition("/")[2].encode(errors="replace"))
    return found[1].decode() if found is not None and parts.scheme in ("http", "https") else None
