"""Tokens: of visitors (contract: platform API §12.1) and of callers of the API (§2.2, §2.3)."""

import hmac
import re
from base64 import b64decode
from typing import Any

import jwt
import msgspec

from airy_ray.errors import RequestError
from airy_ray.model.commands import ANONYMOUS

_ALGORITHM = "HS256"
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
_VISIT_S = 3_600
_RESUME_S = 7 * 86_400


class Visit(msgspec.Struct, frozen=True):
    """Whose conversation a visitor's token opens, on which channel; any strings."""

    conversation_id: str
    channel_id: str


class Tokens:
    """Makes and reads tokens with the key of this installation."""

    def __init__(self, jwt_secret: str) -> None:
        self._key = _decoded(jwt_secret)

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

    def principal(self, token: str) -> str | None:
        """Return the name of the user or program that an API token is for, None if it is none."""
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM])
            told = msgspec.json.decode(claims["principal"])
        except (jwt.PyJWTError, KeyError, TypeError, msgspec.DecodeError, UnicodeError):
            return None
        if not isinstance(told, dict):
            return None
        name = told.get("id") or told.get("name")
        return name if isinstance(name, str) else None

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


class Callers:
    """Tells who calls the API."""

    def __init__(self, system_token: str | None, tokens: Tokens) -> None:
        self._system_token = system_token
        self._tokens = tokens

    def principal(self, authorization: str | None) -> str:
        """Return the name of who calls.

        Raises:
            RequestError: 403 without a body, authentication is on and this is nobody.
        """
        if self._system_token is None:
            return ANONYMOUS
        token = bearer(authorization)
        if token is not None and self.is_system(token):
            return f"system-token-{self._system_token[:4]}"
        name = None if token is None else self._tokens.principal(token)
        if name is None:
            raise RequestError(403)
        return name

    def is_system(self, token: str) -> bool:
        """Whether a token is the system token."""
        if self._system_token is None:
            return False
        return hmac.compare_digest(token.encode(), self._system_token.encode())


def _decoded(jwt_secret: str) -> bytes:
    """Return the key in a secret: base64, characters outside of its alphabet skipped (§2.3)."""
    digits = _NOT_BASE64.sub("", jwt_secret)
    if len(digits) % 4 == 1:
        digits = digits[:-1]  # six bits make no byte
    return b64decode(digits + "=" * (-len(digits) % 4))
