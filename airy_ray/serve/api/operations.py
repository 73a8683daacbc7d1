"""Health and metrics (contract: platform API §7.16)."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from airy_ray.errors import AiryError
from airy_ray.model import json_text
from airy_ray.serve.api import webhook_reports
from airy_ray.serve.api.platform import Platform
from airy_ray.serve.http import TEXT, Response
from airy_ray.serve.metrics import forget_dead


async def health(platform: Platform) -> Response:
    """Return whether every partition can be read; while one is being rebuilt, how far it is."""
    waiting = unreadable(platform)
    if waiting:
        return Response(503, json_text.encode({"status": "DOWN", "partitions": waiting}))
    return Response(200, json_text.encode({"status": "UP"}))


def unreadable(platform: Platform) -> dict[str, str]:
    """Return the partitions that cannot be read now, and why. Takes microseconds."""
    waiting = {}
    for access in platform.machine.partitions.values():
        try:
            with access.reader.read() as view:
                view.applied()
        except AiryError as error:
            waiting[access.spec.name] = str(error)
    return waiting


async def prometheus(platform: Platform) -> Response:
    """Return all metrics: what the serving processes counted, and how the partitions are."""
    counted = CollectorRegistry()
    counters = platform.machine.spec.run_directory / "metrics"
    forget_dead(counters)
    MultiProcessCollector(counted, path=str(counters))  # type: ignore[no-untyped-call]  # no types
    return Response(200, generate_latest(counted) + generate_latest(_gauges(platform)), TEXT)


def _gauges(platform: Platform) -> CollectorRegistry:
    registry = CollectorRegistry()
    label = ("partition",)
    head = Gauge("airy_log_head", "Offset of the next record", label, registry=registry)
    lag = Gauge("airy_log_lag", "Records not folded yet", label, registry=registry)
    rows = Gauge("airy_rows", "Rows in the state", (*label, "table"), registry=registry)
    rebuilding = Gauge("airy_rebuilding", "Whether it is rebuilt", label, registry=registry)
    for access in platform.machine.partitions.values():
        name = access.spec.name
        length = platform.machine.appender.tails[access.spec.index].head
        head.labels(name).set(length)
        try:
            with access.reader.read() as view:
                lag.labels(name).set(length - view.applied())
                for table in ("conversations", "messages", "quarantine", "orphans", "sends"):
                    rows.labels(name, table).set(view.counts()[table])
            rebuilding.labels(name).set(0)
        except AiryError:
            rebuilding.labels(name).set(1)
    webhook_reports.gauges(platform, registry)
    return registry
