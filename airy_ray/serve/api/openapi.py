"""The API's documentation: `/openapi.json`, and `/docs` to read and try it.

FastAPI describes the endpoints; it does not serve them.
"""

from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, UploadFile

from airy_ray.serve.api.endpoint import Endpoint, FileEndpoint
from airy_ray.serve.http import Receive, Scope, Send

_DESCRIPTION = """
Every endpoint is called with POST and a JSON body; files are the exception. Unknown fields are
ignored. Errors have a body `{"message": "..."}` or none. An `Idempotency-Key` header makes a
repeated command one command.
"""
_PATHS = ("/openapi.json", "/docs", "/redoc")


class Documentation:
    """Describes endpoints as OpenAPI."""

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        file_endpoints: Iterable[FileEndpoint],
        download: Callable[..., object],
    ) -> None:
        self._app = FastAPI(
            title="airy-ray", version=version("airy-ray"), description=_DESCRIPTION.strip()
        )
        for endpoint in endpoints:
            self._describe(endpoint)
        for file_endpoint in file_endpoints:
            self._describe_upload(file_endpoint)
        self._describe_download(download)

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
            description=endpoint.handler.__doc__,
            status_code=endpoint.status,
            tags=[endpoint.path.strip("/").partition(".")[0]],
            responses={
                400: {"description": "The body is missing, malformed or not what is asked for"},
                403: {"description": "Authentication is on, and the caller is nobody"},
                503: {"description": "Not available now; nothing was done, or it will be"},
            },
        )

    def _describe_upload(self, endpoint: FileEndpoint) -> None:
        async def described(file: UploadFile) -> None:
            """Stand for the endpoint, which is served elsewhere."""

        self._app.add_api_route(
            endpoint.path,
            described,
            methods=["POST"],
            summary=endpoint.summary,
            description=endpoint.handler.__doc__,
            tags=["media"],
            responses={
                200: {"description": "`media_url`: where the file can be fetched"},
                400: {"description": "The body is no form with a file, or storing it failed"},
                403: {"description": "Authentication is on, and the caller is nobody"},
                413: {"description": "The file is too large"},
                415: {"description": "The body is not multipart/form-data"},
                422: {"description": "The file comes without a name"},
            },
        )

    def _describe_download(self, download: Callable[..., object]) -> None:
        async def described(name: str) -> None:
            """Stand for the files, which are served elsewhere."""

        self._app.add_api_route(
            "/media/{name}",
            described,
            methods=["GET", "HEAD"],
            summary="Fetch a file",
            description=download.__doc__,
            tags=["media"],
            responses={
                200: {"description": "The file", "content": {"*/*": {}}},
                206: {"description": "The part of it that `Range` asks for"},
                304: {"description": "The caller has it already"},
                404: {"description": "There is no such file"},
                416: {"description": "There is no such part of it"},
            },
        )
