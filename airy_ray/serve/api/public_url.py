"""Where the world reaches the platform: as configured, else as the caller did."""

import re
from collections.abc import Mapping

from airy_ray.config import Settings

_HOST = re.compile(r"[A-Za-z0-9._-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")


def public_url(settings: Settings, headers: Mapping[str, str]) -> str:
    """Return the platform's address without a slash at its end."""
    if settings.http.public_url is not None:
        return settings.http.public_url.rstrip("/")
    host = _first(headers.get("x-forwarded-host")) or headers.get("host", "")
    if _HOST.fullmatch(host) is None:
        host = f"{settings.http.host}:{settings.http.port}"
    return f"{scheme(headers)}://{host}"


def scheme(headers: Mapping[str, str]) -> str:
    """Return how a request came to the outermost proxy: `https` or `http`."""
    forwarded = _first(headers.get("x-forwarded-proto"))
    return "https" if forwarded.lower() == "https" else "http"


def _first(value: str | None) -> str:
    """Return what the proxy nearest to the caller said."""
    return (value or "").partition(",")[0].strip()
