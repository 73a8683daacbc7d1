"""Which pages may call the API: across origins (contract: platform API §2.7), and with a cookie.

1. A page of the platform's own origin always may.
2. A page of an allowed origin may, and reads the answers; one of any other is refused.
3. With a cookie, which browsers send unasked, only pages whose origin is named may: `*` alone,
   which is the default, names nobody.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from airy_ray.serve.api.wildcards import Patterns

_EXPOSED = b"RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After"

Pairs = list[tuple[bytes, bytes]]


class Origins:
    """The origins whose pages may call."""

    def __init__(self, allowed: str, public_url: str | None) -> None:
        self._allowed = Patterns(allowed)
        self._named = Patterns(",".join(each for each in self._allowed.all if each != "*"))
        self._own = None if public_url is None else origin_of(public_url)

    def shared_headers(self, origin: str | None) -> Pairs:
        """Return the headers with which pages of an origin may read answers; none if not."""
        if origin is None or not self._allowed.match(origin):
            return []
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"origin"),
        ]

    def may_call(self, headers: Mapping[str, str]) -> bool:
        """Whether who sends these headers is no page, or one that may call."""
        origin = headers.get("origin")
        return origin is None or self._allowed.match(origin) or self._is_own(origin, headers)

    def may_use_session(self, headers: Mapping[str, str]) -> bool:
        """Whether a cookie was sent by somebody who may speak for its owner.

        Browsers say where a POST comes from, by one header or the other; who is none, and sends the
        cookie all the same, stole it or owns it.
        """
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        return self._named.match(origin) or self._is_own(origin, headers)

    def _is_own(self, origin: str, headers: Mapping[str, str]) -> bool:
        """Whether a page comes from here; `Host` is what no page can choose."""
        if self._own is not None and origin.lower() == self._own:
            return True
        host = headers.get("host", "").lower()
        return bool(host) and origin.lower() in (f"https://{host}", f"http://{host}")


def origin_of(url: str) -> str:
    """Return the origin of a URL, as browsers write it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
