"""The API's documentation: `/openapi.json`, and `/docs` to read and try it.

FastAPI describes the endpoints; it does not serve them.
"""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from airy_ray.serve.api.endpoint import Endpoint
from airy_ray.serve.api.scopes import scope_of
from airy_ray.serve.http import Receive, Scope, Send

_DESCRIPTION = """
Every endpoint is called with POST and a JSON body. Unknown fields are ignored. Errors have a body
`{"message": "..."}` or none. An `Idempotency-Key` header makes a repeated command one command.
"""
_PATHS = ("/openapi.json", "/docs", "/redoc")


class Documentation:
    """Describes endpoints as OpenAPI."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._app = FastAPI(
            title="airy-ray", version=version("airy-ray"), description=_DESCRIPTION.strip()
        )
        for endpoint in endpoints:
            self._describe(endpoint)

    def has(self, path: str) -> bool:
        """Whether a path is one of the documentation's."""
        return path in _PATHS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a page of the documentation (ASGI)."""
        await self._app(scope, receive, send)

    def _describe(self, endpoint: Endpoint) -> None:
        async def described(body: Any) -> None:
            """Stand for the endpoint, which is served elsewhere."""

        takes: Any = endpoint.takes
        described.__annotations__["body"] = takes | None if endpoint.may_be_empty else takes
        self._app.add_api_route(
            endpoint.path,
            described,
            methods=["POST"],
            summary=endpoint.summary,
            description=_description(endpoint),
            status_code=endpoint.status,
            tags=[endpoint.path.strip("/").partition(".")[0]],
            responses={
                400: {"description": "The body is missing, malformed or not what is asked for"},
                403: {"description": "Authentication is on, and the caller may not do this"},
                409: {"description": "The idempotency key stands for another request"},
                429: {"description": "Too many requests; Retry-After says when to go on"},
                503: {"description": "Not available now; nothing was done, or it will be"},
            },
        )


def _description(endpoint: Endpoint) -> str:
    """Return what an endpoint does, and which scope an API token needs for it."""
    needs = "" if endpoint.is_open else f"\n\nScope: `{scope_of(endpoint.path)}`."
    return f"{endpoint.handler.__doc__}{needs}"
