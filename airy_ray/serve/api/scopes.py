"""Which scope each endpoint needs: by its area and by whether it only reads.

An area that is not in the table needs `manage`: nothing is open because somebody forgot it.
"""

from functools import cache

from airy_ray.errors import RequestError
from airy_ray.model.api_token import Scope, includes
from airy_ray.serve.api.callers import Grant
from airy_ray.serve.api.endpoint import READING, Endpoint, FileEndpoint

AREAS: dict[str, tuple[Scope, Scope]] = {
    "audit": ("manage", "manage"),
    "channels": ("read", "manage"),
    "client": ("read", "manage"),
    "cluster": ("manage", "manage"),
    "components": ("manage", "manage"),
    "contacts": ("read", "write"),
    "conversations": ("read", "write"),
    "erasure": ("manage", "manage"),
    "facebook": ("manage", "manage"),
    "ledger": ("manage", "manage"),
    "media": ("read", "write"),
    "messages": ("read", "write"),
    "metadata": ("read", "write"),
    "quarantine": ("manage", "manage"),
    "replay": ("manage", "manage"),
    "sources": ("manage", "manage"),
    "tags": ("read", "write"),
    "templates": ("read", "write"),
    "tokens": ("manage", "manage"),
    "users": ("read", "manage"),
    "webhooks": ("manage", "manage"),
}
"""The first part of a path to what reading needs there, and what all else does."""

_WHOLE_PEOPLE: set[str] = {"/contacts.erase", "/contacts.erasure-status", "/contacts.export"}
"""What takes or tells everything about somebody, whatever else is allowed in its area: `manage`."""

_OURS = {"audit", "erasure", "ledger", "quarantine", "replay", "tokens"}
"""What the token of a custom source is not good for: it is handed to others."""


@cache
def scope_of(path: str) -> Scope:
    """Return what the endpoint at a path needs; ask for paths of endpoints only."""
    if path in _WHOLE_PEOPLE:
        return "manage"
    area, reads = _parts(path)
    reading, all_else = AREAS.get(area, ("manage", "manage"))
    return reading if reads else all_else


def check(grant: Grant, endpoint: Endpoint | FileEndpoint) -> None:
    """Refuse who may not call an endpoint.

    Raises:
        RequestError: 403 without a body.
    """
    if not includes(grant.scope, scope_of(endpoint.path)):
        raise RequestError(403)
    if grant.source is not None and _parts(endpoint.path)[0] in _OURS:
        raise RequestError(403)


def _parts(path: str) -> tuple[str, bool]:
    parts = path.strip("/").split(".")
    return parts[0], parts[-1] in READING
