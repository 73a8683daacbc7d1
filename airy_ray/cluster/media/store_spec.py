"""Which store keeps files: plain values, for who only hands them on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

import msgspec

if TYPE_CHECKING:
    from airy_ray.config import Settings  # the courier does without what it is made of


class StoreSpec(msgspec.Struct, frozen=True):
    """Which store, in plain values: `directory` on this machine, or else `url` and `options`.

    Attributes:
        marks: the directory that tells which files nothing may link to yet.
    """

    directory: str | None
    url: str | None
    options: dict[str, str]
    public_url: str | None
    marks: str


def store_spec(settings: Settings) -> StoreSpec:
    """Return which store is configured."""
    media = settings.media
    directory = _directory(settings)
    return StoreSpec(
        None if directory is None else str(directory),
        media.url,
        {key: value.get_secret_value() for key, value in media.options.items()},
        media.public_url,
        str((settings.data / "unlinked").resolve()),
    )


def _directory(settings: Settings) -> Path | None:
    """Return the directory on this machine that files are kept in, if they are."""
    url = settings.media.url
    if url is None:
        return (settings.data / "media").resolve()
    if "://" not in url:
        return Path(url).resolve()
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None
