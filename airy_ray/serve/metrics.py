"""Prometheus metrics of the serving processes.

Each process counts in mapped files of the run directory; any of them can tell the sums of all.
"""

import os
from pathlib import Path

from airy_ray.storage.beacon import is_alive

_DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def use_directory(path: Path) -> None:
    """Have all processes started from here on count below `path`; before prometheus is imported."""
    path.mkdir(exist_ok=True)
    for old in path.glob("*.db"):
        old.unlink()
    os.environ[_DIRECTORY_VARIABLE] = str(path)


def forget_dead(path: Path) -> None:
    """Forget what processes that are dead had at the moment; what they counted stays."""
    from prometheus_client.multiprocess import mark_process_dead  # after the variable is set

    held = {int(each.stem.rpartition("_")[2]) for each in path.glob("gauge_live*_*.db")}
    for pid in held:
        if not is_alive(pid):
            mark_process_dead(pid, str(path))  # type: ignore[no-untyped-call]  # no types


class WebhookMetrics:
    """How many webhooks came, what they were answered, how long that took."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram  # after the variable is set

        self._requests = Counter(
            "airy_webhook_requests", "Webhook requests by answer", ("hook", "status")
        )
        self._seconds = Histogram(
            "airy_webhook_seconds",
            "Seconds until a webhook was answered",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5),
        )
        self._counters: dict[tuple[str, int], Counter] = {}

    def observe(self, hook: str, status: int, seconds: float) -> None:
        """Count one request."""
        counter = self._counters.get((hook, status))
        if counter is None:
            counter = self._requests.labels(hook if status != 404 else "unknown", str(status))
            self._counters[hook, status] = counter
        counter.inc()
        self._seconds.observe(seconds)
