"""JWTs: of visitors (contract: platform API §12.1), of people and of programs (§2.3, §2.4)."""

import hmac
import re
import uuid
from base64 import b64decode
from typing import Any

import jwt
import msgspec

from airy_ray.errors import RequestError
from airy_ray.model.custom_source import CustomSource
from airy_ray.sources.custom_token import token_of

_ALGORITHM = "HS256"
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
_VISIT_S = 3_600
_RESUME_S = 7 * 86_400
_SESSION_S = 30 * 86_400
FLOW_S = 600
"""How long somebody may take to log in."""


class Visit(msgspec.Struct, frozen=True):
    """Whose conversation a visitor's token opens, on which channel; any strings."""

    conversation_id: str
    channel_id: str


class Profile(msgspec.Struct, frozen=True):
    """A person as they are known where they logged in."""

    id: str
    name: str | None = None
    avatar_url: str | None = None


class Principal(msgspec.Struct, frozen=True):
    """Whom a JWT is for: a person, who has a profile, or a program.

    Attributes:
        source: the custom source that a program speaks for.
        token_id: the id of the token itself, if it has one.
    """

    name: str
    profile: Profile | None = None
    source: str | None = None
    token_id: str | None = None


class Tokens:
    """Makes and reads tokens with the key of this installation."""

    def __init__(self, jwt_secret: str) -> None:
        self._key = key_of(jwt_secret)

    def visit(self, visit: Visit, now_s: int) -> str:
        """Return a token with which a visitor may write for an hour."""
        claims = {"conversation_id": visit.conversation_id, "channel_id": visit.channel_id}
        return self._made(visit, claims, now_s, now_s + _VISIT_S)

    def resume(self, visit: Visit, now_s: int) -> str:
        """Return a token with which a visitor may come back within a week."""
        claims = {
            "resume_conversation_id": visit.conversation_id,
            "resume_channel_id": visit.channel_id,
        }
        return self._made(visit, claims, now_s, now_s + _RESUME_S)

    def read_visit(self, token: str) -> Visit:
        """Return what a visitor's token opens.

        Raises:
            RequestError: 401, it is forged, expired, or a token of another kind.
        """
        return self._read(token, "conversation_id", "channel_id")

    def read_resume(self, token: str) -> Visit:
        """Return what a token for coming back opens; raises as `read_visit` does."""
        return self._read(token, "resume_conversation_id", "resume_channel_id")

    def session(self, profile: Profile, now_s: int) -> str:
        """Return a token with which somebody stays logged in for a month."""
        told = {"id": profile.id, "name": profile.name, "avatarUrl": profile.avatar_url}
        claims = {
            "jti": str(uuid.uuid4()),
            "sub": profile.name or profile.id,
            "iat": now_s,
            "exp": now_s + _SESSION_S,
            "principal": msgspec.json.encode(told).decode(),
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def read_principal(self, token: str) -> Principal | None:
        """Return the person or program that an API token is for, None if it is for nobody."""
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM])
            told = msgspec.json.decode(claims["principal"])
        except (jwt.PyJWTError, KeyError, TypeError, msgspec.DecodeError, UnicodeError):
            return None
        if not isinstance(told, dict):
            return None
        if told.get("id"):
            return _person(told)
        return _program(told, claims.get("jti"))

    def source(self, source: CustomSource) -> str:
        """Return the token of a custom source, which is good for as long as there is the source."""
        return token_of(source, self._key)

    def secret(self, seed: bytes) -> bytes:
        """Return 32 bytes that only this installation makes of a seed."""
        return hmac.digest(self._key, b"secret\0" + seed, "sha256")

    def flow(self, claims: dict[str, Any], now_s: int) -> str:
        """Return a token that remembers, in the browser, a login that has begun."""
        made = {"login": claims, "iat": now_s, "exp": now_s + FLOW_S}
        return jwt.encode(made, self._key, algorithm=_ALGORITHM)

    def read_flow(self, token: str) -> dict[str, Any]:
        """Return what is remembered of a login that has begun.

        Raises:
            RequestError: 403, it is forged, expired, or a token of another kind.
        """
        try:
            claims = jwt.decode(
                token, self._key, algorithms=[_ALGORITHM], options={"require": ["exp", "login"]}
            )
        except jwt.PyJWTError:
            raise RequestError(403, "the login took too long; begin again") from None
        login: dict[str, Any] = claims["login"]
        return login

    def _made(self, visit: Visit, claims: dict[str, Any], now_s: int, until_s: int) -> str:
        claims |= {"sub": visit.conversation_id, "iat": now_s, "exp": until_s}
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def _read(self, token: str, conversation: str, channel: str) -> Visit:
        try:
            claims = jwt.decode(
                token, self._key, algorithms=[_ALGORITHM], options={"require": ["exp"]}
            )
        except jwt.PyJWTError:
            raise RequestError(401, "the token is not valid") from None
        conversation_id, channel_id = claims.get(conversation), claims.get(channel)
        if not isinstance(conversation_id, str) or not isinstance(channel_id, str):
            raise RequestError(401, "the token is of another kind")
        return Visit(conversation_id, channel_id)


def bearer(authorization: str | None) -> str | None:
    """Return the token in an `Authorization` header; it may come without `Bearer`."""
    if authorization is None:
        return None
    return authorization.removeprefix("Bearer").strip() or None


def _person(told: dict[str, Any]) -> Principal | None:
    identifier, name, avatar_url = told["id"], told.get("name"), told.get("avatarUrl")
    if not isinstance(identifier, str):
        return None
    profile = Profile(
        identifier,
        name if isinstance(name, str) else None,
        avatar_url if isinstance(avatar_url, str) else None,
    )
    return Principal(identifier, profile)


def _program(told: dict[str, Any], token_id: object) -> Principal | None:
    name, data = told.get("name"), told.get("data")
    if not isinstance(name, str):
        return None
    source = data.get("source") if isinstance(data, dict) else None
    return Principal(
        name,
        source=source if isinstance(source, str) else None,
        token_id=token_id if isinstance(token_id, str) else None,
    )


def key_of(jwt_secret: str) -> bytes:
    """Return the key in a secret: base64, characters outside of its alphabet skipped (§2.3)."""
    digits = _NOT_BASE64.sub("", jwt_secret)
    if len(digits) % 4 == 1:
        digits = digits[:-1]  # six bits make no byte
    return b64decode(digits + "=" * (-len(digits) % 4))
