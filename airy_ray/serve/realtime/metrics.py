"""What Prometheus is told of realtime connections."""


class RealtimeMetrics:
    """Connections, deliveries, what waits for whom, and how far behind it all is."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge  # after its variable is set

        self.connections = Gauge(
            "airy_realtime_connections", "Open WebSockets", multiprocess_mode="livesum"
        )
        self.subscriptions = Gauge(
            "airy_realtime_subscriptions", "Subscriptions", multiprocess_mode="livesum"
        )
        self._deliveries = Counter("airy_realtime_deliveries", "Messages written to subscribers")
        self._closed = Counter(
            "airy_realtime_closed", "Connections that were closed for a reason", ("reason",)
        )
        self.queue_bytes = Gauge(
            "airy_realtime_queue_bytes_max",
            "What waits for the slowest connection",
            multiprocess_mode="livemax",
        )
        self._resumed = Counter(
            "airy_realtime_resumed", "Subscriptions that asked to resume", ("recovered",)
        )
        self.behind = Gauge(
            "airy_realtime_lag_records",
            "Records that are folded and not yet told, of the partition with the most",
            multiprocess_mode="livemax",
        )

    def delivered(self, count: int) -> None:
        """Count messages."""
        self._deliveries.inc(count)

    def closed(self, reason: str) -> None:
        """Count a connection that we closed."""
        self._closed.labels(reason).inc()

    def resumed(self, *, recovered: bool) -> None:
        """Count a subscription that asked to resume."""
        self._resumed.labels(str(recovered).lower()).inc()
