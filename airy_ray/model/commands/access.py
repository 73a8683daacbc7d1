"""Commands about who may call, who does, and under which key: all but `ClaimKey` for the registry.

No command holds a secret: they are kept with the log.
"""

from airy_ray.model.api_token import Scope
from airy_ray.model.commands.base import Command


class CreateToken(Command, frozen=True, kw_only=True, tag="tokens.create"):
    """A program is to get a token, whose secret only it is told.

    Attributes:
        token_id, digest: of the secret; the digest in hexadecimal digits.
        lifetime_s: how long it is good for; for ever if None.
    """

    token_id: str
    digest: str
    name: str
    scope: Scope
    sources: tuple[str, ...] = ()
    channel_ids: tuple[str, ...] = ()
    lifetime_s: int | None = None
    requests_per_minute: int | None = None


class RevokeToken(Command, frozen=True, kw_only=True, tag="tokens.revoke"):
    """A token is to be good no more."""

    token_id: str


class SeeUser(Command, frozen=True, kw_only=True, tag="users.see"):
    """Somebody who has logged in called the API."""

    user_id: str
    name: str | None = None
    avatar_url: str | None = None


class ClaimKey(Command, frozen=True, kw_only=True, tag="requests.claim"):
    """An idempotency key is to stand for one request of its principal and for no other."""


AccessCommand = CreateToken | RevokeToken | SeeUser | ClaimKey
