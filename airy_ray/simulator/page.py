"""The page on which one plays customers: its files, what they do, and what they see, live.

It is for a browser on this machine. What came by the name of another host, or from a page of
another origin, is refused, so that no page on the internet plays along.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from airy_ray.simulator.phones import PHONES
from airy_ray.simulator.playing import EMOJI, TEXT_MAX, PlayError, Playing
from airy_ray.simulator.stage import Shown

PICTURE = "/page/picture.png"
_FILES = {
    "/": ("page.html", "text/html"),
    "/page/page.css": ("page.css", "text/css"),
    "/page/page.js": ("page.js", "text/javascript"),
    PICTURE: ("picture.png", "image/png"),
}
_HOSTS = ("127.0.0.1", "localhost")
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_BODY_BYTES_MAX = 64_000
_FOLLOWING_MAX = 32
_ALIVE_S = 15.0
_BACK_MS = 1_000
"""After how long a browser comes back that was cut off."""

_Endpoint = Callable[[Request], Awaitable[Response]]


class Page:
    """Plays once the channels are connected; `silent` says of sources why no answers come."""

    def __init__(self, playing: Playing, silent: Mapping[str, str]) -> None:
        self.is_open = False
        self._playing = playing
        self._silent = silent
        self._following = 0

    def routes(self) -> list[Route]:
        """Return where it is served."""
        shown = [_route(path, _file(*file)) for path, file in _FILES.items()]
        return [
            *shown,
            _route("/page/cast", self._when_open(self._cast)),
            _route("/page/screens", self._when_open(self._screens)),
            _route("/page/act", self._when_open(self._act), method="POST"),
        ]

    async def _cast(self, request: Request) -> Response:
        """Tell who there is, and what they can do."""
        told = {
            "stage": self._playing.stage.name,
            "emoji": EMOJI,
            "text_max": TEXT_MAX,
            "picture": PICTURE,
            "sources": [self._source(source) for source in self._sources()],
        }
        return JSONResponse(told, headers=_HEADERS)

    async def _screens(self, request: Request) -> Response:
        """Tell what is on the screens, and what changes, as server-sent events."""
        if self._following >= _FOLLOWING_MAX:
            return _refusal(503, "too many pages are open")
        told = self._told(request.headers.get("last-event-id"))
        return StreamingResponse(told, media_type="text/event-stream", headers=_HEADERS)

    async def _act(self, request: Request) -> Response:
        """Do what a customer does."""
        asked = await _asked(request)
        match asked:
            case {"act": "say", "customer": str(customer), "text": str(words)}:
                done = self._playing.say(customer, words)
            case {"act": "picture", "customer": str(customer)}:
                done = self._playing.send_picture(customer)
            case {"act": "location", "customer": str(customer)}:
                done = self._playing.send_location(customer)
            case {"act": "react", "number": int(number), "emoji": str() | None as emoji}:
                done = self._playing.react(number, emoji)
            case {"act": "see", "number": int(number)}:
                self._playing.see(number)
                return Response(status_code=204, headers=_HEADERS)
            case _:
                raise PlayError(400, "act: is none that there is, or lacks something")
        return JSONResponse({"number": done.number}, 202, headers=_HEADERS)

    def _sources(self) -> list[str]:
        return list(dict.fromkeys(each.source for each in self._playing.customers.values()))

    def _source(self, source: str) -> dict[str, Any]:
        phone, people = PHONES[source], self._playing.customers.values()
        return {
            "id": source,
            "title": phone.title,
            "note": self._silent.get(source, ""),
            "has_pictures": phone.pictured is not None,
            "has_locations": phone.located is not None,
            "has_reactions": phone.reacted is not None,
            "tells_arrived": phone.arrived is not None,
            "tells_seen": phone.seen is not None,
            "customers": [
                {"id": each.identifier, "name": each.name}
                for each in people
                if each.source == source
            ],
        }

    async def _told(self, position: str | None) -> AsyncIterator[str]:
        self._following += 1
        try:
            yield f"retry: {_BACK_MS}\n\n"
            async for shown in self._playing.stage.follow(position, wait_s=_ALIVE_S):
                yield "".join(map(_event, shown)) or ": nothing new\n\n"
        finally:
            self._following -= 1

    def _when_open(self, endpoint: _Endpoint) -> _Endpoint:
        async def answered(request: Request) -> Response:
            if not self.is_open:
                return _refusal(503, "the channels are being connected")
            try:
                return await endpoint(request)
            except PlayError as error:
                return _refusal(error.status, error.problem)

        return answered


def _route(path: str, endpoint: _Endpoint, *, method: str = "GET") -> Route:
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS, www_redirect=False)
    return Route(path, endpoint, methods=[method], middleware=[hosts])


def _file(name: str, media_type: str) -> _Endpoint:
    content = files("airy_ray.simulator").joinpath(name).read_bytes()

    async def answered(request: Request) -> Response:
        return Response(content, media_type=media_type, headers=_HEADERS)

    return answered


async def _asked(request: Request) -> Any:
    """Return what a page of ours asks for."""
    origin, host = request.headers.get("origin"), request.headers["host"]
    if origin is not None and origin != f"http://{host}":
        raise PlayError(403, "only the page that is served here may do that")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise PlayError(415, "the request has to be JSON")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _BODY_BYTES_MAX:
            raise PlayError(413, "the request is too long")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise PlayError(400, "the request is no JSON") from None


def _event(shown: Shown) -> str:
    """Return a change as an event; JSON has no line breaks, so it is one line."""
    kind = "anew" if shown.bubble is None else "bubble"
    told = json.dumps(None if shown.bubble is None else asdict(shown.bubble))
    return f"id: {shown.position}\nevent: {kind}\ndata: {told}\n\n"


def _refusal(status: int, problem: str) -> JSONResponse:
    return JSONResponse({"problem": problem}, status_code=status, headers=_HEADERS)
