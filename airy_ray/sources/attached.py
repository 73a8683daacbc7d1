"""Files of ours that messages link to, and what of them a platform takes. Pure.

A link to one works only where its platform can fetch it. Where a platform takes bytes, it is given
these instead: before the message, which then names what that came to, or along with it.
"""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from airy_ray.errors import DeliveryError
from airy_ray.model import json_text
from airy_ray.model.media_links import file_at, files_in
from airy_ray.sources.json_parts import elements, objects_at, string, with_objects

FILES_MAX = 20
"""More than any platform takes with one message."""


class OurFile(msgspec.Struct, frozen=True, gc=False):
    """A file that we keep, as a message links to it.

    Attributes:
        name: what it is called in the store.
        size: in bytes.
        kind: its media type.
        is_reachable: whether the address in the message is one that platforms can fetch.
        known_as: what the platform calls it that was given it; empty if none was.
    """

    name: str
    size: int
    kind: str
    is_reachable: bool = False
    known_as: str = ""


Files = Mapping[str, OurFile]
"""By the addresses that a content links to them with."""


class Place(msgspec.Struct, frozen=True):
    """Where content may link to files: in some members of the objects at a path."""

    path: tuple[str, ...]
    names: tuple[str, ...]


class Limit(msgspec.Struct, frozen=True):
    """Which files a platform takes: how large, and patterns of their media types."""

    bytes_max: int
    kinds: tuple[str, ...] = ("*",)

    def check(self, file: OurFile, what: str) -> None:
        """Raise `DeliveryError` unless a file is taken as `what`."""
        if file.size > self.bytes_max:
            raise too_large(what, file.size, self.bytes_max)
        if not any(fnmatchcase(file.kind, pattern) for pattern in self.kinds):
            raise DeliveryError(f"The {what} has the type {file.kind}, which is not taken")


def links(content: bytes, places: Iterable[Place]) -> list[str]:
    """Return the addresses in content at which files of ours may be, each once.

    Raises:
        DeliveryError: there are more than a message may have.
    """
    if not files_in(content):  # most have none
        return []
    text = json_text.shield(content)
    found = {
        url: None
        for place in places
        for named in objects_at(text, place.path)
        for name in place.names
        for url in _texts(named.get(name))
        if file_at(url) is not None
    }
    if len(found) > FILES_MAX:
        raise DeliveryError(f"The message links to more than {FILES_MAX} files")
    return list(found)


def check_reachable(files: Files) -> None:
    """Raise `DeliveryError` unless the platform can fetch these files itself."""
    for url, file in files.items():
        if not file.is_reachable:
            raise DeliveryError(
                f"The platform cannot fetch {url}: the address is not public (http.public_url)"
            )


def too_large(what: str, size: int, bytes_max: int) -> DeliveryError:
    """Return what tells that a file is too large for its platform."""
    return DeliveryError(f"The {what} has {size} bytes, {bytes_max} are taken at most")


def with_known(
    text: bytes, place: Place, files: Files, known: Callable[[str], dict[str, bytes]]
) -> bytes:
    """Return shielded content that names files by what their platform calls them.

    `known` says so in place of the members of `place` in an object that links to such a file.
    """

    def change(named: dict[str, bytes]) -> dict[str, bytes]:
        for name in place.names:
            file = files.get(string(named.get(name)) or "")
            if file is not None and file.known_as:
                rest = {key: value for key, value in named.items() if key not in place.names}
                return rest | known(file.known_as)
        return named

    return with_objects(text, place.path, change)


def _texts(value: bytes | None) -> list[str]:
    """Return a string, or those in a list."""
    texts = [string(each) for each in elements(value) or (value,)]
    return [text for text in texts if text is not None]
