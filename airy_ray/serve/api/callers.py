"""Who calls the API, and what they may do (contract: platform API §2).

1. Without a system token and without a login, everybody is anonymous and may do everything.
2. A token in `Authorization` decides; what it is not good for, a cookie does not make up for.
3. The system token, people who have logged in and programs with a JWT may do everything. API tokens
   may do what their scope says, where they reach.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Literal

from airy_ray.clock import now_millis
from airy_ray.cluster.registry import Registry
from airy_ray.errors import RequestError
from airy_ray.model.api_token import (
    PREFIX,
    ApiToken,
    Scope,
    digest_of,
    is_good,
    principal_of,
)
from airy_ray.model.channel import Channel
from airy_ray.model.commands import ANONYMOUS
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.ids import format_id
from airy_ray.serve.api.tokens import Profile, Tokens, bearer

SESSION_COOKIE = "airy_auth_token"

TokenLookup = Callable[[bytes], ApiToken | None]
"""Look an API token up by the digest of its secret."""


@dataclass(frozen=True)
class Reach:
    """Whose conversations a limited token sees and touches: those on any of these."""

    sources: frozenset[str]
    channel_ids: frozenset[bytes]

    def covers(self, channel: Channel | None) -> bool:
        """Whether a channel is within reach; an unknown one is not."""
        return channel is not None and (
            channel.source in self.sources or channel.id in self.channel_ids
        )


@dataclass(frozen=True)
class Grant:
    """What a caller may do.

    Attributes:
        principal: who it is, in messages and in the audit log.
        source: the custom source that a program speaks for.
        token_id: of the token that says so.
        profile: of a person.
        is_session: whether a cookie says so, which browsers send unasked.
        reach: None for everything.
        requests_per_minute: None for the limit of the settings.
    """

    principal: str
    kind: Literal["anonymous", "system", "person", "program", "token"]
    scope: Scope = "manage"
    source: str | None = None
    token_id: str | None = None
    profile: Profile | None = None
    is_session: bool = False
    reach: Reach | None = None
    requests_per_minute: int | None = None


ANYBODY = Grant(ANONYMOUS, "anonymous")


class Callers:
    """Tells who calls the API."""

    def __init__(
        self,
        system_token: str | None,
        tokens: Tokens,
        *,
        api_token: TokenLookup = lambda _: None,
        has_login: bool = False,
    ) -> None:
        self._system_token = system_token
        self._tokens = tokens
        self._api_token = api_token
        self._has_login = has_login

    def grant(self, headers: Mapping[str, str]) -> Grant:
        """Return what the sender of these headers may do.

        Raises:
            RequestError: 403 without a body, authentication is on and this is nobody.
            StateError, DamagedError: it cannot be told now.
        """
        if self._system_token is None and not self._has_login:
            return ANYBODY
        token = bearer(headers.get("authorization"))
        found = self._session(headers) if token is None else self._of(token)
        if found is None:
            raise RequestError(403)
        return found

    def source(self, headers: Mapping[str, str]) -> Grant | None:
        """Return what a custom source's token grants, also where nobody else needs any token."""
        token = bearer(headers.get("authorization"))
        found = None if token is None else self._of(token)
        return None if found is None or found.source is None else found

    def is_system(self, token: str) -> bool:
        """Whether a token is the system token."""
        if self._system_token is None:
            return False
        return hmac.compare_digest(token.encode(), self._system_token.encode())

    def has_dead_session(self, headers: Mapping[str, str]) -> bool:
        """Whether a browser holds on to a session that is none, which it should be told."""
        return session_of(headers) is not None and self._session(headers) is None

    def _of(self, token: str) -> Grant | None:
        if self.is_system(token):
            assert self._system_token is not None
            return Grant(f"system-token-{self._system_token[:4]}", "system")
        if token.startswith(PREFIX):
            return self._of_api_token(token)
        named = self._tokens.read_principal(token)
        if named is None:
            return None
        kind: Literal["person", "program"] = "program" if named.profile is None else "person"
        return Grant(
            named.name,
            kind,
            source=named.source,
            token_id=named.token_id,
            profile=named.profile,
        )

    def _of_api_token(self, secret: str) -> Grant | None:
        token = self._api_token(digest_of(secret))
        if token is None or not is_good(token, now_millis()):
            return None
        is_limited = bool(token.sources or token.channel_ids)
        return Grant(
            principal_of(token.name),
            "token",
            scope=token.scope,
            reach=Reach(frozenset(token.sources), frozenset(token.channel_ids))
            if is_limited
            else None,
            requests_per_minute=token.requests_per_minute,
        )

    def _session(self, headers: Mapping[str, str]) -> Grant | None:
        session = session_of(headers) if self._has_login else None
        named = None if session is None else self._tokens.read_principal(session)
        if named is None or named.profile is None:
            return None
        return Grant(named.name, "person", profile=named.profile, is_session=True)


def spoken_for_in(registry: Registry, grant: Grant) -> CustomSource:
    """Return the source that the token of a custom source is for.

    Raises:
        RequestError: 404, it was deleted; 403, it was made again and has another token.
    """
    assert grant.source is not None
    found = registry.source(grant.source)
    if found is None:
        raise RequestError(404, "Source not found")
    if grant.token_id != format_id(found.token_id):
        raise RequestError(403)
    return found


def session_of(headers: Mapping[str, str]) -> str | None:
    """Return the session that a browser has, if it has one."""
    return cookie(headers, SESSION_COOKIE)


def cookie(headers: Mapping[str, str], name: str) -> str | None:
    """Return a cookie; an empty one is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if found is None or not found.value else found.value
