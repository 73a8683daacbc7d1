"""Logging in at a provider, and out again (contract: platform API §2.5).

1. `/login` leads to the provider with a state, a nonce and a PKCE challenge, which a signed cookie
   remembers for as long as logging in may take: whoever comes back is who went.
2. The provider's answer is exchanged for tokens. Who it is comes from the ID token, of which
   signature, issuer, audience, age and nonce are checked, or from the profile if there is none.
3. Who is on the list gets a session: a cookie that scripts cannot read.
"""

import hmac
import logging
import secrets
import time
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from airy_ray.config import Oidc
from airy_ray.errors import RequestError
from airy_ray.serve.api.callers import SESSION_COOKIE, cookie
from airy_ray.serve.api.identity_providers import (
    GITHUB,
    checked_emails,
    emails_of,
    profile_of,
    provider,
)
from airy_ray.serve.api.public_url import scheme
from airy_ray.serve.api.tokens import FLOW_S, Profile, Tokens
from airy_ray.serve.api.wildcards import Patterns
from airy_ray.serve.http import Request, Response

logger = logging.getLogger(__name__)

START = "/oauth2/authorization/"
CALLBACK = "/login/oauth2/code/"
_FLOW_COOKIE = "airy_login"
_SIGNED_WITH = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_CLOCKS_APART_S = 60
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_NO_STORE = (b"cache-control", b"no-store")


class Login:
    """The paths on which people log in and out."""

    def __init__(
        self, settings: Oidc, tokens: Tokens, http: httpx.AsyncClient, public_url: str | None
    ) -> None:
        self._provider = provider(settings)
        self._allowed = Patterns(settings.allowed_email_patterns.casefold())
        self._settings = settings
        self._tokens = tokens
        self._http = http
        self._public_url = public_url

    async def answer(self, request: Request) -> Response | None:
        """Answer a request to one of the paths; None if it is to none of them.

        Raises:
            RequestError: 403, somebody may not log in; 502, the provider does not do its part.
        """
        name = self._provider.name
        match request.path.rstrip("/"):
            case "/login":
                return _redirect(f"{START}{name}")
            case "/logout":
                return _redirect(self._settings.logout_success_url, gone(request))
            case path if path == f"{START}{name}":
                return self._begin(request)
            case path if path == f"{CALLBACK}{name}":
                return await self._finish(request)
            case _:
                return None

    def _begin(self, request: Request) -> Response:
        verifier = secrets.token_urlsafe(48)
        flow = {"state": secrets.token_urlsafe(24), "nonce": secrets.token_urlsafe(24)}
        location = prepare_grant_uri(
            self._provider.authorization_uri,
            client_id=self._provider.client_id,
            response_type="code",
            redirect_uri=self._redirect_uri(request),
            scope=list(self._provider.scopes),
            state=flow["state"],
            nonce=flow["nonce"] if self._provider.is_openid else None,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        remembered = self._tokens.flow(flow | {"verifier": verifier}, int(time.time()))
        return _redirect(location, self._flow_cookie(request, remembered, FLOW_S))

    async def _finish(self, request: Request) -> Response:
        query = request.query
        remembered = cookie(request.headers, _FLOW_COOKIE)
        if remembered is None:
            raise RequestError(403, "no login has begun here")
        flow = self._tokens.read_flow(remembered)
        if not hmac.compare_digest(query.get("state", "").encode(), flow["state"].encode()):
            raise RequestError(403, "the answer belongs to another login")
        if "code" not in query:
            raise RequestError(403, "the provider has refused")
        profile = await self._profile(request, query["code"], flow)
        session = self._tokens.session(profile, int(time.time()))
        return _redirect(
            self._settings.login_success_url,
            session_cookie(request, session),
            self._flow_cookie(request, "", 0),
        )

    async def _profile(self, request: Request, code: str, flow: dict[str, Any]) -> Profile:
        """Return who has logged in, if they may."""
        at = self._provider
        tokens = await self._exchange(request, code, flow["verifier"])
        access_token = tokens.get("access_token")
        if not isinstance(access_token, str):
            raise RequestError(403, "the provider has refused")
        claims: dict[str, Any] = {}
        if at.is_openid:
            claims = await self._id_token(tokens.get("id_token"), flow["nonce"])
        if at.user_info_uri is not None:
            told = await self._ask(at.user_info_uri, access_token)
            if not isinstance(told, dict) or (at.is_openid and told.get("sub") != claims["sub"]):
                raise RequestError(403, "the profile is of somebody else")
            claims = told | claims
        emails = emails_of(claims)
        if at.name == GITHUB:
            assert at.user_info_uri is not None
            emails = checked_emails(await self._ask(f"{at.user_info_uri}/emails", access_token))
        if not any(self._allowed.match(email.casefold()) for email in emails):
            raise RequestError(403, "Email not allowed")
        profile = profile_of(at, claims, emails)
        if profile is None:
            raise RequestError(403, "the provider does not say who this is")
        return profile

    async def _exchange(self, request: Request, code: str, verifier: str) -> dict[str, Any]:
        """Return the tokens that the provider gives for a code."""
        at = self._provider
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri(request),
            "code_verifier": verifier,
        }
        client = ClientAuth(at.client_id, at.client_secret, at.authentication)
        uri, headers, body = client.prepare("POST", at.token_uri, dict(_FORM), urlencode(form))
        told = await self._call("POST", uri, headers=headers, content=body)
        if not isinstance(told, dict):
            raise RequestError(403, "the provider has refused")
        return told

    async def _id_token(self, token: Any, nonce: str) -> dict[str, Any]:
        """Return what an ID token says, if the provider has made it for this login."""
        at = self._provider
        assert at.jwk_set_uri is not None  # as `provider` makes sure
        if not isinstance(token, str):
            raise RequestError(403, "the provider gave no ID token")
        listed = await self._call("GET", at.jwk_set_uri)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                _key(listed, token),
                algorithms=_SIGNED_WITH,
                audience=at.client_id,
                issuer=at.issuer,
                leeway=_CLOCKS_APART_S,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except (jwt.PyJWTError, KeyError, TypeError, AttributeError, ValueError) as error:
            logger.warning("an ID token of %s was refused: %s", at.name, type(error).__name__)
            raise RequestError(403, "the ID token is not valid") from None
        is_ours = claims.get("azp", at.client_id) == at.client_id
        if not is_ours or not hmac.compare_digest(
            str(claims.get("nonce")).encode(), nonce.encode()
        ):
            raise RequestError(403, "the ID token is of another login")
        return claims

    async def _ask(self, uri: str, access_token: str) -> Any:
        """Return what the provider tells who has an access token."""
        match self._provider.user_info_by:
            case "form":
                form = urlencode({"access_token": access_token})
                return await self._call("POST", uri, headers=_FORM, content=form)
            case "query":
                return await self._call(
                    "GET", str(httpx.URL(uri).copy_merge_params({"access_token": access_token}))
                )
            case _:
                headers = {"authorization": f"Bearer {access_token}", "accept": "application/json"}
                return await self._call("GET", uri, headers=headers)

    async def _call(self, method: str, uri: str, **asked: Any) -> Any:
        """Return the JSON that the provider answers."""
        try:
            response = await self._http.request(method, uri, **asked)
        except httpx.HTTPError as error:
            logger.warning("%s cannot be reached: %s", self._provider.name, type(error).__name__)
            raise RequestError(502, "the provider cannot be reached") from None
        if response.is_client_error:
            raise RequestError(403, "the provider has refused")
        try:
            return response.raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            raise RequestError(502, "the provider answers what nobody understands") from None

    def _redirect_uri(self, request: Request) -> str:
        base = self._public_url
        if base is None:
            base = f"{scheme(request.headers)}://{request.headers.get('host', '')}"
        return f"{base.rstrip('/')}{CALLBACK}{self._provider.name}"

    def _flow_cookie(self, request: Request, value: str, age_s: int) -> tuple[bytes, bytes]:
        return _cookie(request, _FLOW_COOKIE, value, f"Path={CALLBACK}; Max-Age={age_s}")


def session_cookie(request: Request, session: str) -> tuple[bytes, bytes]:
    """Return the header that has a browser keep a session until it is closed."""
    return _cookie(request, SESSION_COOKIE, session, "Path=/")


def gone(request: Request) -> tuple[bytes, bytes]:
    """Return the header that has a browser forget its session."""
    return _cookie(request, SESSION_COOKIE, "", "Path=/; Max-Age=0")


def _cookie(request: Request, name: str, value: str, where: str) -> tuple[bytes, bytes]:
    secure = "; Secure" if scheme(request.headers) == "https" else ""
    return b"set-cookie", f"{name}={value}; {where}; HttpOnly; SameSite=Lax{secure}".encode()


def _key(listed: dict[str, Any], token: str) -> Any:
    """Return the key in a set that has signed a token."""
    wanted = jwt.get_unverified_header(token).get("kid")
    keys = jwt.PyJWKSet.from_dict(listed).keys
    named = [key for key in keys if wanted is None or key.key_id == wanted]
    if len(named) != 1:
        raise KeyError("kid")
    return named[0].key


def _redirect(location: str, *cookies: tuple[bytes, bytes]) -> Response:
    return Response(302, headers=((b"location", location.encode()), _NO_STORE, *cookies))
