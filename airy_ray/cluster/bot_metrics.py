"""Prometheus metrics of the process that asks bots, told together with those that serve."""

from typing import Literal

Outcome = Literal["answered", "suggested", "silent", "failed", "with_people"]
"""What came of asking a bot: it may have nothing to say, or say it too late."""


class BotMetrics:
    """How often each bot was asked, and what came of it."""

    def __init__(self) -> None:
        from prometheus_client import Counter  # only where there are bots

        self._asked = Counter("airy_bot_questions", "Questions to bots", ("bot", "outcome"))

    def count(self, bot: str, outcome: Outcome) -> None:
        """Count one question."""
        self._asked.labels(bot, outcome).inc()
