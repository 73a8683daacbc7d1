"""The running system as its settings describe it: its address, its token, and a client for both."""

import httpx

from airy_ray.config import Settings

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


def http_client(settings: Settings, url: str | None = None, *, timeout_s: float) -> httpx.Client:
    """Return a client for the running system, with the system token if there is one.

    Raises:
        httpx.InvalidURL: `url` is not a URL.
    """
    token = system_token(settings)
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return httpx.Client(base_url=address(settings, url), timeout=timeout_s, headers=headers)


def address(settings: Settings, url: str | None = None) -> str:
    """Return where the running system is called: at `url`, or at the address it listens on."""
    host = settings.http.host
    reachable = "127.0.0.1" if host in _EVERY_ADDRESS else host
    return url or f"http://{reachable}:{settings.http.port}"


def system_token(settings: Settings) -> str | None:
    """Return the token that lets all be done, None if none is set."""
    token = settings.security.system_token
    return None if token is None else token.get_secret_value()
