"""An OpenID provider and GitHub, played: real redirects, real RS256 ID tokens, real PKCE."""

import json
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID = "airy"
CLIENT_SECRET = "a client's secret"
KEY_ID = "key-1"


@dataclass
class Person:
    """Who logs in next, and what is wrong with how the provider tells of them.

    Attributes:
        claims: of the ID token, over what is right.
        key: what signs it, if not the provider's own.
        profile: what the profile says, over what is right.
    """

    email: str = "ada@example.org"
    name: str = "Ada"
    picture: str = "https://a.test/ada.png"
    claims: dict[str, Any] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)
    key: rsa.RSAPrivateKey | None = None


class IdentityProvider(ThreadingHTTPServer):
    """A provider without discovery: `/authorize`, `/token`, `/keys`, `/userinfo` and its emails."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self.person = Person()
        self.asked: dict[str, dict[str, str]] = {}
        """What each code was given for."""
        self.granted: set[str] = set()
        """Access tokens."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def settings(self) -> dict[str, Any]:
        """What the platform has to know of it."""
        return {
            "provider": "example",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "allowed_email_patterns": "*@example.org,grace@navy.test",
            "authorization_uri": f"{self.url}/authorize",
            "token_uri": f"{self.url}/token",
            "user_info_uri": f"{self.url}/userinfo",
            "jwk_set_uri": f"{self.url}/keys",
            "issuer_uri": self.url,
            "login_success_url": "/inbox/",
            "logout_success_url": "/bye",
        }

    def id_token(self, nonce: str) -> str:
        """Return the ID token of who logs in."""
        now_s = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": self.person.email,
            "iat": now_s,
            "exp": now_s + 300,
            "nonce": nonce,
            "email": self.person.email,
        }
        key = self.person.key or self.key
        return jwt.encode(claims | self.person.claims, key, "RS256", {"kid": KEY_ID})


class _Handler(BaseHTTPRequestHandler):
    server: IdentityProvider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        match parts.path:
            case "/authorize":
                self._authorize(_flat(parts.query))
            case "/keys":
                public = jwt.algorithms.RSAAlgorithm.to_jwk(self.server.key.public_key(), True)
                self._answer(200, {"keys": [public | {"kid": KEY_ID, "use": "sig"}]})
            case "/userinfo":
                person = self.server.person
                told = {"sub": person.email, "name": person.name, "picture": person.picture}
                self._tell(told | person.profile)
            case "/userinfo/emails":
                self._tell([{"email": self.server.person.email, "verified": True}])
            case _:
                self._answer(404, {})

    def do_POST(self) -> None:
        asked = _flat(self.rfile.read(int(self.headers["content-length"])).decode())
        began = self.server.asked.pop(asked.get("code", ""), None)
        if began is None or not self._is_client() or not _is_same_login(began, asked):
            self._answer(400, {"error": "invalid_grant"})
            return
        access_token = secrets.token_hex(8)
        self.server.granted.add(access_token)
        told = {"access_token": access_token, "token_type": "Bearer"}
        if "openid" in began["scope"].split():
            told["id_token"] = self.server.id_token(began["nonce"])
        self._answer(200, told)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def _authorize(self, asked: dict[str, str]) -> None:
        """Log in whoever comes, and send them back with a code."""
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_hex(8)
        self.server.asked[code] = asked
        query = urlencode({"code": code, "state": asked["state"]})
        self.send_response(302)
        self.send_header("location", f"{asked['redirect_uri']}?{query}")
        self.send_header("content-length", "0")
        self.end_headers()

    def _tell(self, told: Any) -> None:
        if self.headers.get("authorization", "").removeprefix("Bearer ") not in self.server.granted:
            self._answer(401, {})
            return
        self._answer(200, told)

    def _is_client(self) -> bool:
        given = self.headers.get("authorization", "").removeprefix("Basic ")
        return b64decode(given).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"

    def _answer(self, status: int, told: Any) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _is_same_login(began: dict[str, str], asked: dict[str, str]) -> bool:
    """Whether who has the code also has what the challenge was made of (RFC 7636)."""
    made = sha256(asked["code_verifier"].encode()).digest()
    challenge = urlsafe_b64encode(made).decode().rstrip("=")
    return (
        challenge == began["code_challenge"]
        and asked["redirect_uri"] == began["redirect_uri"]
        and asked["grant_type"] == "authorization_code"
    )


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """Serve a provider for a while."""
    with IdentityProvider() as server:
        thread = Thread(target=server.serve_forever, args=[0.02], name="identity-provider")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
