"""How many calls to an endpoint are made at once: fewer while it fails, as it says or shows."""

from airy_ray.publishing.schedule import ASKED_S_MAX, Answer

_FAILING = 10
"""After how many failures in a row an endpoint is asked one thing at a time."""


class Throttle:
    """The pace of one endpoint: halved by an answer that asks for less, grown by those that do not.

    Attributes:
        limit: how many calls may be on their way.
        closed_until_s: before which instant of the loop's clock none is begun.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._allowed = float(at_once)
        self._failed_in_row = 0
        self.closed_until_s = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether nothing has come through for a while."""
        return self._failed_in_row >= _FAILING

    @property
    def limit(self) -> int:
        """How many calls may be on their way."""
        return 1 if self.is_failing else int(self._allowed)

    def heard(self, answer: Answer, now_s: float) -> None:
        """Take an answer into account."""
        if answer.is_taken:
            self._failed_in_row = 0
            self._allowed = min(self._allowed + 1 / self._allowed, float(self._at_once))
            return
        self._failed_in_row += 1
        if answer.asks_for_less:
            self._allowed = max(self._allowed / 2, 1.0)
            after_s = 1.0 if answer.after_s is None else min(answer.after_s, ASKED_S_MAX)
            self.closed_until_s = max(self.closed_until_s, now_s + after_s)
