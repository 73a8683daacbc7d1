"""A user: somebody who has logged in and called the API (contract: platform API §4.6, §7.7)."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text


class User(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One user of the directory.

    Attributes:
        id: `<provider>:<who>`, which is also the sender's id in messages.
    """

    id: str
    name: str | None
    avatar_url: str | None
    first_seen_at: Millis
    last_seen_at: Millis


def provider_of(user_id: str) -> str:
    """Return which provider vouches for a user."""
    return user_id.partition(":")[0]


def rendered(user: User) -> bytes:
    """Return a user as the API shows it."""
    shown = {
        "id": user.id,
        "name": user.name,
        "avatar_url": user.avatar_url,
        "first_seen_at": json_text.instant(user.first_seen_at),
        "last_seen_at": json_text.instant(user.last_seen_at),
    }
    return json_text.unshield(json_text.encode(shown))
