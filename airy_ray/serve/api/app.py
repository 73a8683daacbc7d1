"""The API application: finds the endpoint, lets the caller in, answers (contract: §1, §2)."""

import asyncio
import logging
from typing import Any

import httpx
from pydantic import BaseModel

from airy_ray.cluster.commands import Commands
from airy_ray.cluster.ephemeral import EphemeralSender
from airy_ray.cluster.layout import Layout, jwt_secret
from airy_ray.cluster.logs import log_to_stderr
from airy_ray.cluster.machine import Machine, machine_spec
from airy_ray.cluster.media.store import PATH as MEDIA_PATH
from airy_ray.cluster.media.store import open_store
from airy_ray.cluster.partitions import Partitions
from airy_ray.config import Settings
from airy_ray.errors import AiryError, RequestError
from airy_ray.garbage import collect_seldom
from airy_ray.serve import problems
from airy_ray.serve.api import (
    api_tokens,
    audit,
    channels,
    chatplugin,
    client,
    components,
    connecting,
    contacts,
    conversations,
    elsewhere,
    erasure,
    export,
    ledger,
    media,
    messages,
    metadata,
    quarantine,
    reach,
    replays,
    scopes,
    search,
    sources,
    tags,
    templates,
    typing,
    users,
    webhook_reports,
    webhook_subscriptions,
)
from airy_ray.serve.api.callers import Callers, Grant
from airy_ray.serve.api.documentation import Documentation
from airy_ray.serve.api.endpoint import Endpoint, FileEndpoint, parsed
from airy_ray.serve.api.login import Login, gone
from airy_ray.serve.api.operations import health, prometheus
from airy_ray.serve.api.origins import Origins, Pairs
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.api.rate_limits import RateLimits
from airy_ray.serve.api.tokens import Tokens
from airy_ray.serve.api.users import Sightings
from airy_ray.serve.http import (
    Receive,
    Request,
    Response,
    Scope,
    Send,
    Streamed,
    read_head,
    read_request,
    respond,
    run_lifespan,
)
from airy_ray.serve.media.leftovers import Leftovers
from airy_ray.serve.webhooks import Hooks, hook_of

logger = logging.getLogger(__name__)

ENDPOINTS: dict[str, Endpoint] = {
    endpoint.path: endpoint
    for module in (
        api_tokens,
        audit,
        channels,
        chatplugin,
        client,
        components,
        connecting,
        contacts,
        conversations,
        erasure,
        export,
        ledger,
        messages,
        metadata,
        quarantine,
        replays,
        search,
        sources,
        tags,
        templates,
        typing,
        users,
        webhook_reports,
        webhook_subscriptions,
    )
    for endpoint in module.ENDPOINTS
}
"""Every path of the API that takes JSON."""

FILE_ENDPOINTS: dict[str, FileEndpoint] = {
    endpoint.path: endpoint for endpoint in media.FILE_ENDPOINTS
}
"""Every path of the API that takes a file."""

_PLATFORM_WAIT_S = 10.0
_JSON = "application/json"


def description() -> dict[str, Any]:
    """Return the whole API as OpenAPI."""
    from airy_ray.serve.api import openapi  # loads FastAPI, which nothing else here needs

    return openapi.description(ENDPOINTS.values(), FILE_ENDPOINTS.values(), media.download)


class Api:
    """Serves the API and, at the reference's bare paths, webhooks."""

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout
        self._origins = Origins(settings.security.allowed_origins, settings.http.public_url)
        self._sightings = Sightings()
        self._limits = RateLimits(settings.limits.requests_per_minute)
        self._login: Login | None = None
        self._documentation = Documentation(description)
        self._platform: Platform | None = None
        self._hooks: Hooks | None = None
        self._leftovers: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or the application's lifespan (ASGI)."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await run_lifespan(receive, send, start=self._start, stop=self._stop)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        shared = self._origins.shared_headers(None if origin is None else origin.decode("latin-1"))
        response: Response | Streamed
        try:
            response = await self._answer(scope, receive, shared)
        except AiryError as error:
            response = problems.answer(error)
        except Exception:  # one request must not take others down; its fault is in the log
            logger.exception("answering 500 on %s", scope["path"])
            response = problems.problem(500, "internal error")
        if scope["method"] == "OPTIONS":
            shared += _asked_headers(scope)
        await respond(send, response, shared)

    async def _answer(self, scope: Scope, receive: Receive, told: Pairs) -> Response | Streamed:
        """Answer a request; `told` are the headers that go with it, whatever it comes to."""
        platform = self._platform
        assert platform is not None  # requests come after the start
        takes_file = FILE_ENDPOINTS.get(scope["path"])
        if takes_file is not None and scope["method"] == "POST":
            caller = await self._admit_file(takes_file, read_head(scope), platform, told)
            return await takes_file.handler(platform, caller, receive)
        request = await read_request(
            scope, receive, body_bytes_max=self._settings.limits.body_bytes
        )
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            return Response(200 if told else 403)
        if not self._origins.may_call(request.headers):
            raise RequestError(403)
        endpoint = ENDPOINTS.get(request.path)
        if endpoint is None:
            return await self._other(request, platform)
        if endpoint.is_open:
            caller = Caller("", request.headers, request.body, endpoint.path)
            return await endpoint.handler(platform, caller, _body(endpoint, request))
        grant = self._granted(request, platform, told)
        scopes.check(grant, endpoint)
        await self._spend(grant, told)
        asked = _body(endpoint, request)
        caller = Caller(grant.principal, request.headers, request.body, endpoint.path, grant)
        await reach.check(platform, grant, endpoint, asked)
        await self._sightings.note(platform, grant)
        if scopes.scope_of(endpoint.path) != "read":
            await platform.claim(caller)
        return await endpoint.handler(platform, caller, asked)

    async def _admit_file(
        self, endpoint: FileEndpoint, head: Request, platform: Platform, told: Pairs
    ) -> Caller:
        """Return who uploads: a caller of the API, or a visitor of a website; nobody else may."""
        if not self._origins.may_call(head.headers):
            raise RequestError(403)
        try:
            grant = self._granted(head, platform, told)
        except RequestError:
            visitor = media.visitor(platform, head)
            return Caller(visitor, head.headers, b"", endpoint.path)
        scopes.check(grant, endpoint)
        await self._spend(grant, told)
        return Caller(grant.principal, head.headers, b"", endpoint.path, grant)

    def _granted(self, request: Request, platform: Platform, told: Pairs) -> Grant:
        """Return what who calls may do, if they are somebody, and ask for it themselves."""
        callers = platform.callers
        try:
            grant = callers.grant(request.headers)
        except RequestError:
            if self._login is not None and callers.has_dead_session(request.headers):
                told.append(gone(request))
            raise
        if grant.is_session and not self._origins.may_use_session(request.headers):
            raise RequestError(403)
        if grant.source is not None:
            sources.spoken_for(platform, grant)
        return grant

    async def _spend(self, grant: Grant, told: Pairs) -> None:
        """Count a request, and refuse one too many."""
        quota = await self._limits.spend(grant)
        if quota is not None:
            told += quota.headers
            if quota.is_exceeded:
                raise RequestError(429, "too many requests")

    async def _other(self, request: Request, platform: Platform) -> Response | Streamed:
        """Answer what is no endpoint: webhooks, files, health, metrics, documentation."""
        hook = hook_of(request.path)
        if hook is not None:
            assert self._hooks is not None
            return await self._hooks.handle(hook, request)
        if request.path == "/actuator/health":
            return await health(platform)
        if request.path == "/actuator/prometheus":
            return await prometheus(platform)
        page = self._documentation.page(request.path)
        if page is not None:
            return page
        if request.path.startswith(MEDIA_PATH):
            return await media.download(platform, request)
        if request.path in FILE_ENDPOINTS:
            raise RequestError(405, "every endpoint is called with POST")
        if self._login is not None:
            answer = await self._login.answer(request)
            if answer is not None:
                return answer
        self._granted(request, platform, [])
        raise RequestError(404, elsewhere.reason(request.path) or "no such endpoint")

    async def _start(self) -> None:
        log_to_stderr()
        machine = Machine(machine_spec(self._settings, self._layout))
        token = self._settings.security.system_token
        tokens = Tokens(jwt_secret(self._settings))
        oidc, public_url = self._settings.security.oidc, self._settings.http.public_url
        http = httpx.AsyncClient(timeout=_PLATFORM_WAIT_S)
        self._login = None if oidc is None else Login(oidc, tokens, http, public_url)
        count = machine.spec.count
        partitions = Partitions(machine.partitions, count)
        wait_s = self._settings.limits.command_wait_s
        commands = Commands(machine.partitions, count, wait_s=wait_s)
        self._platform = Platform(
            settings=self._settings,
            machine=machine,
            partitions=partitions,
            commands=commands,
            tokens=tokens,
            callers=Callers(
                None if token is None else token.get_secret_value(),
                tokens,
                api_token=machine.registry.token,
                has_login=oidc is not None,
            ),
            http=http,
            media=open_store(self._settings),
            ephemeral=EphemeralSender(machine.spec.run_directory),
        )
        self._hooks = Hooks(self._settings, machine)
        leftovers = Leftovers(machine.spec.partitions, partitions, commands, self._platform.media)
        self._leftovers = asyncio.create_task(leftovers.work())
        collect_seldom()

    async def _stop(self) -> None:
        if self._leftovers is not None:
            self._leftovers.cancel()
        if self._hooks is not None:
            await self._hooks.close()
        if self._platform is not None:
            await self._platform.http.aclose()
            self._platform.ephemeral.close()
            self._platform.machine.close()


def _body(endpoint: Endpoint, request: Request) -> BaseModel:
    """Return what is asked of an endpoint."""
    if request.method != "POST":
        raise RequestError(405, "every endpoint is called with POST")
    content_type = request.headers.get("content-type", _JSON)
    if request.body and not content_type.lower().startswith(_JSON):
        raise RequestError(415, "the body has to be JSON")
    return parsed(endpoint, request.body)


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
