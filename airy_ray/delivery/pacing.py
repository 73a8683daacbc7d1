"""How fast calls may follow one another on a channel: a token bucket, told the time."""

from airy_ray.model.ids import ChannelId
from airy_ray.sources.sending import Pace


class Bucket:
    """Gives calls their slots: as many as a second allows at once, then at the pace.

    It is kept as the instant at which it is full again (the generic cell rate algorithm).
    """

    def __init__(self, per_s: float) -> None:
        self._apart_s = 1 / per_s
        self._ahead_s = max(1.0 - self._apart_s, 0.0)
        self._full_at = 0.0
        self._closed_until = 0.0

    def reserve(self, now_s: float) -> float:
        """Take the next slot; return in how many seconds it comes."""
        full_at = max(self._full_at, now_s)
        self._full_at = full_at + self._apart_s
        return max(full_at - self._ahead_s, self._closed_until, now_s) - now_s

    def is_busy(self, now_s: float) -> bool:
        """Whether most of what a second allows has been given away."""
        return self._full_at - now_s > (self._ahead_s + self._apart_s) / 2

    def close_until(self, until_s: float) -> None:
        """Give no slot before an instant: the platform asked for a pause."""
        self._closed_until = max(self._closed_until, until_s)


class Buckets:
    """The buckets of all channels, one for each kind of calls."""

    def __init__(self) -> None:
        self._kept: dict[tuple[ChannelId, str], Bucket] = {}

    def of(self, channel: ChannelId, pace: Pace) -> Bucket:
        """Return the bucket for calls of a channel that have this pace."""
        kept_as = channel, pace.kind
        if kept_as not in self._kept:
            self._kept[kept_as] = Bucket(pace.per_s)
        return self._kept[kept_as]
