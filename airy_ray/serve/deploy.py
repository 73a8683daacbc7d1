"""How the applications are put onto Ray Serve, each scaled alone (design: §5)."""

import logging
from collections.abc import Callable
from typing import Any

from ray import serve
from ray.serve.config import HTTPOptions

from airy_ray.cluster.layout import Layout
from airy_ray.config import Settings
from airy_ray.serve import realtime, webhooks
from airy_ray.serve.http import Receive, Scope, Send

logger = logging.getLogger(__name__)

_REALTIME = "realtime"
_STOP_S = 5.0
"""How long a process may take to stop; requests take milliseconds."""
_QUIET = {"enable_access_log": False}


def deploy(settings: Settings, layout: Layout) -> None:
    """Start all applications; return once each answers.

    Raises:
        RuntimeError: one of them cannot be started; its log says why.
    """
    serve.start(
        http_options=HTTPOptions(host=settings.http.host, port=settings.http.port),
        logging_config=_QUIET,
    )
    serve.run_many(
        [
            serve.RunTarget(_webhooks(settings, layout), "webhooks", webhooks.PREFIX),
            serve.RunTarget(_realtime(settings, layout), _REALTIME, realtime.PREFIX),
            serve.RunTarget(_api(settings, layout), "api", "/"),
        ]
    )


def shut_down() -> None:
    """Stop all applications after what they are doing.

    WebSockets first: when everything stops HAProxy goes at once, and with it all that it holds.
    """
    serve.delete(_REALTIME)
    serve.shutdown()


def _webhooks(settings: Settings, layout: Layout) -> Any:
    def build() -> Callable[[Scope, Receive, Send], Any]:
        from airy_ray.serve.webhooks import Webhooks

        return Webhooks(settings, layout)

    return _application(
        "Webhooks", build, settings.serve.webhooks_replicas, settings.serve.max_connections
    )


def _realtime(settings: Settings, layout: Layout) -> Any:
    def build() -> Callable[[Scope, Receive, Send], Any]:
        from airy_ray.serve.realtime.app import Realtime

        return Realtime(settings, layout)

    return _application(
        "Realtime",
        build,
        settings.serve.realtime_replicas,
        settings.serve.max_connections,
        stops_within_s=settings.realtime.drain_s + _STOP_S,
    )


def _api(settings: Settings, layout: Layout) -> Any:
    def build() -> Callable[[Scope, Receive, Send], Any]:
        from airy_ray.serve.api.app import Api

        return Api(settings, layout)

    return _application("Api", build, settings.serve.api_replicas, settings.serve.max_connections)


def _application(
    name: str,
    build: Callable[[], Callable[[Scope, Receive, Send], Any]],
    replicas: int,
    max_connections: int,
    *,
    stops_within_s: float = _STOP_S,
) -> Any:
    """Return an application that serves what `build` makes in each of its replicas."""
    deployment = serve.deployment(
        name=name,
        num_replicas=replicas,
        max_ongoing_requests=max_connections,  # each waiting request and socket counts
        ray_actor_options={"num_cpus": 0},  # not there to be scheduled by load
        graceful_shutdown_timeout_s=stops_within_s,
        health_check_period_s=1.0,  # a dead replica is noticed within it
        health_check_timeout_s=10.0,
        logging_config=_QUIET,
    )
    return deployment(serve.ingress(build)(type(name, (), {}))).bind()
