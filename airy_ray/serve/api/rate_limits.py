"""How much one caller may ask in a minute.

Each API process counts for itself, in windows that begin with the first request. What is left is
told with the fields of draft-ietf-httpapi-ratelimit-headers-06, which clients know; later drafts
fold them into one structured field.
"""

import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from airy_ray.serve.api.callers import Grant

_COUNTED = {"person", "program", "token"}


@dataclass(frozen=True)
class Quota:
    """What is left to a caller.

    Attributes:
        reset_s: in how many seconds it is as much as at first again.
        is_exceeded: whether this request is one too many.
    """

    limit: int
    remaining: int
    reset_s: int
    is_exceeded: bool

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the caller is told of it."""
        told = [
            (b"ratelimit-limit", b"%d" % self.limit),
            (b"ratelimit-remaining", b"%d" % self.remaining),
            (b"ratelimit-reset", b"%d" % self.reset_s),
        ]
        return [*told, (b"retry-after", b"%d" % self.reset_s)] if self.is_exceeded else told


class RateLimits:
    """Counts the requests of callers; of one event loop."""

    def __init__(self, requests_per_minute: int | None) -> None:
        self._default = requests_per_minute
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def spend(self, grant: Grant) -> Quota | None:
        """Count one request; return what is left, None if there is no limit."""
        limit = grant.requests_per_minute
        if limit is None and grant.kind in _COUNTED:
            limit = self._default
        if limit is None:
            return None
        window = RateLimitItemPerMinute(limit)
        is_within = await self._limiter.hit(window, grant.principal)
        left = await self._limiter.get_window_stats(window, grant.principal)
        reset_s = max(1, math.ceil(left.reset_time - time.time()))
        return Quota(limit, left.remaining, reset_s, is_exceeded=not is_within)
