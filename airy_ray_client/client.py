"""The client: a connection to one platform, with a method for each endpoint."""

from typing import Self

import httpx

from airy_ray_client import areas, async_areas
from airy_ray_client.calls import AsyncCalls, Calls, Retries

TIMEOUT_S = 15.0
"""Longer than the platform waits for a command before it answers 503."""


class Airy(areas.Areas):
    """A platform. Methods are named as its endpoints: `/tags.create` is `airy.tags.create`.

    Calls that get no answer, or are sent away (429, 503), are repeated, longer apart each time;
    `Retry-After` counts. A command is carried out once, however often it was tried.

    May be shared by threads. Close it, or use it in a `with` block.

    Args:
        url: where the platform is, such as `https://airy.example.org`.
        token: the system token, an API token or a visitor's; without one where none is needed.
        timeout: how many seconds each try may wait for the platform.
        attempts: how often a call is tried in all; 1 for no repeating.

    Raises:
        AiryError: from every method, for each way to fail.
    """

    def __init__(
        self, url: str, token: str | None = None, *, timeout: float = TIMEOUT_S, attempts: int = 5
    ) -> None:
        self._http = httpx.Client(base_url=url, headers=_headers(token), timeout=timeout)
        super().__init__(Calls(self._http, Retries(attempts)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class AsyncAiry(async_areas.Areas):
    """A platform whose answers are awaited; else the same as `Airy`."""

    def __init__(
        self, url: str, token: str | None = None, *, timeout: float = TIMEOUT_S, attempts: int = 5
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(token), timeout=timeout)
        super().__init__(AsyncCalls(self._http, Retries(attempts)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}
