"""How fast calls may follow one another on a channel: a token bucket, told the time."""


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
