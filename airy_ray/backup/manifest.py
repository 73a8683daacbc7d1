"""What a backup holds: written last, so that a backup either has one, or is none."""

import secrets
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from airy_ray.clock import Millis
from airy_ray.cluster.layout import Layout
from airy_ray.errors import ConfigError

VERSION = 1


class File(msgspec.Struct, frozen=True):
    """A file of a data directory.

    Attributes:
        path: where it belongs: below the data directory, its archive or its media.
        digest: BLAKE2b of its bytes, 32 of them, in hex; what it is called in the target.
        size: in bytes.
    """

    path: str
    digest: str
    size: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One backup.

    Attributes:
        began_at: everything that was acknowledged until then is in it.
        layout: of the data directory.
        records: how many each partition's log holds, by name.
        has_media: whether files of messages are in it; not so if an object store keeps them.
    """

    version: int = VERSION
    id: str
    began_at: Millis
    layout: Layout
    records: dict[str, int]
    has_media: bool
    files: tuple[File, ...]


class _Sealed(msgspec.Struct, frozen=True):
    digest: str
    manifest: msgspec.Raw


def new_id(now: Millis) -> str:
    """Return a name for a backup; names sort by time."""
    at = datetime.fromtimestamp(now / 1_000, UTC)
    return f"{at:%Y%m%dT%H%M%S}{now % 1_000:03}-{secrets.token_hex(2)}"


def encode(manifest: Manifest) -> bytes:
    """Return a manifest with its own digest."""
    body = msgspec.json.encode(manifest)
    return msgspec.json.encode(_Sealed(_digest(body), msgspec.Raw(body)))


def decode(name: str, content: bytes) -> Manifest:
    """Return the manifest of the backup `name`.

    Raises:
        ConfigError: it is damaged, or of a later version of this program.
    """
    try:
        sealed = msgspec.json.decode(content, type=_Sealed)
        if _digest(bytes(sealed.manifest)) != sealed.digest:
            raise ConfigError(f"backup {name}: its manifest is damaged")
        manifest = msgspec.json.decode(sealed.manifest, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ConfigError(f"backup {name}: its manifest is damaged") from None
    if manifest.version != VERSION:
        raise ConfigError(
            f"backup {name}: it has version {manifest.version}, this program knows {VERSION}"
        )
    return manifest


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=32).hexdigest()
