"""Calls to messaging platforms: made once more only if nothing can have happened, told in words.

Platforms quote tokens in their errors, and addresses hold them: no reason given here does.
"""

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
import stamina

from airy_ray.errors import RequestError

_ATTEMPTS = 3


class Answered(msgspec.Struct, frozen=True):
    """What a platform answered.

    Attributes:
        told: the JSON object in the body; None if there is none.
    """

    status: int
    told: dict[str, Any] | None

    @property
    def is_success(self) -> bool:
        """Whether the call was taken."""
        return 200 <= self.status < 300


async def called(
    http: httpx.AsyncClient,
    name: str,
    method: str,
    url: str,
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answered:
    """Call the platform that people know as `name`.

    Raises:
        RequestError: 503, it cannot be reached.
    """
    try:
        response = await _tried(http, method, url, params=query, json=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RequestError(503, f"{name} cannot be reached: {type(error).__name__}") from None
    try:
        told = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = None
    return Answered(response.status_code, told if isinstance(told, dict) else None)


def text(told: object, name: str) -> str | None:
    """Return a text that a platform told in an object, None if it is missing or something else."""
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, str) and value else None


def without(secret: str, reason: str) -> str:
    """Return a reason in which a platform may have quoted a secret, without it."""
    return reason.replace(secret, "…") if secret else reason


async def _tried(http: httpx.AsyncClient, method: str, url: str, **sent: Any) -> httpx.Response:
    """Call, again if no connection could be made: then nothing can have happened yet."""
    async for attempt in stamina.retry_context(on=httpx.ConnectError, attempts=_ATTEMPTS):
        with attempt:
            return await http.request(method, url, **sent)
    raise AssertionError("the last attempt returns or raises")
