"""An API token: what a program may do, and where, for as long as nobody revokes it.

The secret itself is shown once and kept nowhere; the registry keeps its digest. A secret has 256
random bits, so a plain digest is enough.
"""

from hashlib import sha256
from typing import Any, Literal

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.ids import ChannelId, format_id, random_id

Scope = Literal["read", "write", "manage"]
SCOPES: tuple[Scope, ...] = ("read", "write", "manage")
"""What a token is good for; each includes those before it."""

PREFIX = "airy_"
"""What secrets begin with, so that people and scanners recognise one."""


class ApiToken(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One token as the registry keeps it.

    Attributes:
        sources, channel_ids: whose conversations it reaches; all if both are empty.
        created_by: the principal.
        requests_per_minute: None for the limit that the settings give everybody.
        is_revoked: whether it is only kept so that its secret is never good again.
    """

    id: bytes
    digest: bytes
    name: str
    scope: Scope
    sources: tuple[str, ...]
    channel_ids: tuple[ChannelId, ...]
    created_at: Millis
    created_by: str
    expires_at: Millis | None = None
    requests_per_minute: int | None = None
    is_revoked: bool = False


def includes(held: Scope, needed: Scope) -> bool:
    """Whether who holds one scope may do what needs another."""
    return SCOPES.index(held) >= SCOPES.index(needed)


def digest_of(secret: str) -> bytes:
    """Return what is kept of a secret."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def token_id(digest: bytes) -> bytes:
    """Return the id of the token whose secret has this digest."""
    return random_id(digest[:16])


def principal_of(name: str) -> str:
    """Return who acts with a token of this name."""
    return f"token:{name}"


def is_good(token: ApiToken, at: Millis) -> bool:
    """Whether a token is good still."""
    return not token.is_revoked and (token.expires_at is None or at < token.expires_at)


def shown(token: ApiToken) -> dict[str, Any]:
    """Return a token as the API shows it."""
    expires_at = token.expires_at
    return {
        "id": format_id(token.id),
        "name": token.name,
        "scope": token.scope,
        "sources": list(token.sources),
        "channel_ids": [format_id(each) for each in token.channel_ids],
        "requests_per_minute": token.requests_per_minute,
        "created_at": json_text.instant(token.created_at),
        "created_by": token.created_by,
        "expires_at": None if expires_at is None else json_text.instant(expires_at),
    }


def rendered(token: ApiToken) -> bytes:
    """Return the same as JSON."""
    return json_text.unshield(json_text.encode(shown(token)))
