"""The running system as its settings describe it: its address, its token, and a client for both."""

from typing import Any

import httpx

from airy_ray.cli.output import fail
from airy_ray.config import Settings

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on
_WAIT_S = 30.0


def http_client(settings: Settings, url: str | None = None, *, timeout_s: float) -> httpx.Client:
    """Return a client for the running system, with the system token if there is one.

    Raises:
        httpx.InvalidURL: `url` is not a URL.
    """
    token = system_token(settings)
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return httpx.Client(base_url=address(settings, url), timeout=timeout_s, headers=headers)


def call(settings: Settings, url: str | None, path: str, asked: Any, *, missing: str) -> Any:
    """Return what the running system answers, or end.

    With code 1 if it refuses, `missing` being what there is not if it says so; with code 2 if
    nothing answers.
    """
    try:
        with http_client(settings, url, timeout_s=_WAIT_S) as client:
            response = client.post(path, json=asked)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fail(f"{address(settings, url)}: {error}")
    if response.is_error:
        fail(_refusal(response, missing), code=1)
    return response.json() if response.content else None


def _refusal(response: httpx.Response, missing: str) -> str:
    if response.status_code == 403:
        return "refused: this needs security.system_token as the running system has it"
    if response.status_code == 404:
        return missing
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"refused with {response.status_code}"


def address(settings: Settings, url: str | None = None) -> str:
    """Return where the running system is called: at `url`, or at the address it listens on."""
    host = settings.http.host
    reachable = "127.0.0.1" if host in _EVERY_ADDRESS else host
    return url or f"http://{reachable}:{settings.http.port}"


def system_token(settings: Settings) -> str | None:
    """Return the token that lets all be done, None if none is set."""
    token = settings.security.system_token
    return None if token is None else token.get_secret_value()
