"""The API application: finds the endpoint, lets the caller in, answers (contract: §1, §2)."""

import logging
from fnmatch import fnmatchcase

import httpx

from airy_ray.cluster.layout import Layout, jwt_secret
from airy_ray.cluster.logs import log_to_stderr
from airy_ray.cluster.machine import Machine, machine_spec
from airy_ray.cluster.partitions import Partitions
from airy_ray.config import Settings
from airy_ray.errors import AiryError, RequestError
from airy_ray.serve import problems
from airy_ray.serve.api import (
    channels,
    chatplugin,
    client,
    conversations,
    erasure,
    export,
    messages,
    metadata,
    tags,
    templates,
)
from airy_ray.serve.api.documentation import Documentation
from airy_ray.serve.api.endpoint import Endpoint, parsed
from airy_ray.serve.api.operations import health, prometheus
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.api.tokens import Callers, Tokens
from airy_ray.serve.http import (
    Receive,
    Request,
    Response,
    Scope,
    Send,
    Streamed,
    read_request,
    respond,
    run_lifespan,
)
from airy_ray.serve.webhooks import HOOKS, Hooks

logger = logging.getLogger(__name__)

ENDPOINTS: dict[str, Endpoint] = {
    endpoint.path: endpoint
    for module in (
        channels,
        chatplugin,
        client,
        conversations,
        erasure,
        export,
        messages,
        metadata,
        tags,
        templates,
    )
    for endpoint in module.ENDPOINTS
}
"""Every path of the API."""

_PLATFORM_WAIT_S = 10.0
_JSON = "application/json"


class Api:
    """Serves the API and, at the reference's bare paths, webhooks."""

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout
        self._origins = [
            pattern.strip()
            for pattern in settings.security.allowed_origins.split(",")
            if pattern.strip()
        ]
        self._documentation = Documentation(ENDPOINTS.values())
        self._platform: Platform | None = None
        self._hooks: Hooks | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or the application's lifespan (ASGI)."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await run_lifespan(receive, send, start=self._start, stop=self._stop)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        shared = self._shared_headers(origin)
        try:
            request = await read_request(
                scope, receive, body_bytes_max=self._settings.limits.body_bytes
            )
            response: Response | Streamed = await self._answer(request, is_allowed=bool(shared))
        except AiryError as error:
            response = problems.answer(error)
        except Exception:  # one request must not take others down; its fault is in the log
            logger.exception("answering 500 on %s", scope["path"])
            response = problems.problem(500, "internal error")
        if scope["method"] == "OPTIONS":
            shared += _asked_headers(scope)
        await respond(send, response, shared)

    async def _answer(self, request: Request, *, is_allowed: bool) -> Response | Streamed:
        assert self._platform is not None  # requests come after the start
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            return Response(200 if is_allowed else 403)
        endpoint = ENDPOINTS.get(request.path)
        if endpoint is None:
            return await self._other(request, self._platform)
        if endpoint.is_open:
            principal = ""
        else:
            principal = self._platform.callers.principal(request.headers.get("authorization"))
        if request.method != "POST":
            raise RequestError(405, "every endpoint is called with POST")
        content_type = request.headers.get("content-type", _JSON)
        if request.body and not content_type.lower().startswith(_JSON):
            raise RequestError(415, "the body has to be JSON")
        caller = Caller(principal, request.headers, request.body)
        return await endpoint.handler(self._platform, caller, parsed(endpoint, request.body))

    async def _other(self, request: Request, platform: Platform) -> Response:
        """Answer what is no endpoint: webhooks, health, metrics, documentation; open to all."""
        hook = request.path.strip("/")
        if hook in HOOKS:
            assert self._hooks is not None
            return await self._hooks.handle(hook, request)
        if request.path == "/actuator/health":
            return await health(platform)
        if request.path == "/actuator/prometheus":
            return await prometheus(platform)
        page = self._documentation.page(request.path)
        if page is not None:
            return page
        platform.callers.principal(request.headers.get("authorization"))
        raise RequestError(404, "no such endpoint")

    def _shared_headers(self, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        """Return the headers with which pages of an origin may read answers; none if not."""
        if origin is None:
            return []
        text = origin.decode("latin-1")
        if not any(fnmatchcase(text, pattern) for pattern in self._origins):
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"vary", b"origin"),
        ]

    async def _start(self) -> None:
        log_to_stderr()
        machine = Machine(machine_spec(self._settings, self._layout))
        token = self._settings.security.system_token
        tokens = Tokens(jwt_secret(self._settings))
        self._platform = Platform(
            settings=self._settings,
            machine=machine,
            partitions=Partitions(
                machine.partitions,
                machine.spec.count,
                command_wait_s=self._settings.limits.command_wait_s,
            ),
            tokens=tokens,
            callers=Callers(None if token is None else token.get_secret_value(), tokens),
            http=httpx.AsyncClient(timeout=_PLATFORM_WAIT_S),
        )
        self._hooks = Hooks(self._settings, machine)

    async def _stop(self) -> None:
        if self._platform is not None:
            await self._platform.http.aclose()
            self._platform.machine.close()


def _asked_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return what a preflight asked for: any header, and the methods of the API."""
    asked = [
        (b"access-control-allow-headers", value)
        for name, value in scope["headers"]
        if name == b"access-control-request-headers"
    ]
    return [
        *asked,
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-max-age", b"600"),
    ]
