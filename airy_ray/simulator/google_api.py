"""Google's APIs of Business Messages and RCS for Business, played (contract: sources §5.3, §5.6).

Both take a message of one id once, however often it comes.
"""

import json
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airy_ray.simulator.intake import Intake, Trouble

ACCOUNT_PATH = "/service-account"
"""Where the service account can be had that tokens are given to."""
_CLIENT = "simulated@played.iam.gserviceaccount.com"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPES = tuple(
    f"https://www.googleapis.com/auth/{name}"
    for name in ("businessmessages", "rcsbusinessmessaging")
)
_LASTS_S = 3_599
_TEXT_MAX = 3_072
_SUGGESTIONS_MAX = 13
_KINDS = frozenset({"text", "image", "richCard", "contentInfo", "uploadedRbmFile"})


class GoogleError(Exception):
    """What Google answers to a call that it refuses."""

    def __init__(self, code: int, status: str, text: str) -> None:
        super().__init__(code, status, text)
        self.code = code
        self.status = status
        self.text = text


_REFUSALS = {
    Trouble.OUTSIDE_WINDOW: partial(
        GoogleError, 403, "PERMISSION_DENIED", "The conversation has ended."
    ),
    Trouble.RATE_LIMITED: partial(GoogleError, 429, "RESOURCE_EXHAUSTED", "Quota exceeded."),
    Trouble.DOWN: partial(GoogleError, 503, "UNAVAILABLE", "The service is currently unavailable."),
    Trouble.TOKEN_EXPIRED: partial(
        GoogleError, 401, "UNAUTHENTICATED", "Request had invalid authentication credentials."
    ),
}


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def service_account(url: str) -> str:
    """Return the JSON of a service account whose tokens come from here."""
    pem = _key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "client_email": _CLIENT,
        "private_key": pem.decode(),
        "token_uri": f"{url}/token",
    }
    return json.dumps(account)


def is_account(text: str, url: str) -> bool:
    """Whether a text is the JSON of a service account whose tokens come from an address."""
    try:
        told = json.loads(text)
        _public_key(told)
        return isinstance(told["client_email"], str) and told["token_uri"] == f"{url}/token"
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


class GoogleApi:
    """All agents of one service account.

    Args:
        account: the JSON of that, if one was given out before; it has to be one (`is_account`).
    """

    def __init__(self, account: str = "") -> None:
        self.intake = Intake()
        self._account = account
        self._given = 0
        self._good: set[str] = set()
        self._known: set[str] = set()

    def account(self, url: str) -> str:
        """Return the JSON of the account, whose tokens come from an address."""
        return self._account or service_account(url)

    def token(self, url: str, form: dict[str, list[str]]) -> dict[str, Any]:
        """Return a token for a claim that the account has signed."""
        account = json.loads(self.account(url.removesuffix("/token")))
        try:
            claims = jwt.decode(
                form["assertion"][0],
                _public_key(account),
                algorithms=["RS256"],
                audience=url,
                issuer=account["client_email"],
            )
        except (KeyError, jwt.PyJWTError) as error:
            raise GoogleError(400, "INVALID_ARGUMENT", f"invalid_grant: {error}") from None
        if form.get("grant_type") != [_GRANT] or claims.get("scope") not in _SCOPES:
            raise GoogleError(400, "INVALID_ARGUMENT", "invalid_scope")
        self._given += 1
        token = f"ya29.simulated-{self._given}"
        self._good.add(token)
        return {"access_token": token, "expires_in": _LASTS_S, "token_type": "Bearer"}

    def check(self, token: str) -> None:
        """Raise that a token is not good, if so."""
        if token not in self._good:
            raise _REFUSALS[Trouble.TOKEN_EXPIRED]()

    def send(self, channel: str, to: str, token: str, known_as: str, content: Any) -> None:
        """Take a message, unless it was taken before."""
        trouble = self.intake.meet(to)
        if trouble is Trouble.TOKEN_EXPIRED:
            self._good.discard(token)
        if trouble is not None:
            raise _REFUSALS[trouble]()
        _check(known_as, content)
        if known_as not in self._known:
            self._known.add(known_as)
            self.intake.take(channel, to, content, known_as)


def routes(api: GoogleApi) -> list[Route]:
    """Return where the APIs are served."""

    async def token(request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        return JSONResponse(api.token(str(request.url), form))

    async def send(request: Request) -> Response:
        api.check(_bearer(request))
        conversation = request.path_params["conversation"]
        told = await _read(request)
        known_as = str(told.get("messageId", ""))
        if not isinstance(told.get("representative"), dict):
            raise GoogleError(400, "INVALID_ARGUMENT", "representative is required.")
        api.send("", conversation, _bearer(request), known_as, told)
        name = f"conversations/{conversation}/messages/{known_as}"
        return await api.intake.answer(conversation, told | {"name": name})

    async def send_rcs(request: Request) -> Response:
        api.check(_bearer(request))
        phone, query = request.path_params["phone"], request.query_params
        known_as, agent = query.get("messageId", ""), query.get("agentId", "")
        content = (await _read(request)).get("contentMessage")
        if not phone.startswith("+") or "@" not in agent:
            raise GoogleError(404, "NOT_FOUND", "Requested entity was not found.")
        api.send(agent, phone, _bearer(request), known_as, content)
        name = f"phones/{phone}/agentMessages/{known_as}"
        return await api.intake.answer(phone, {"name": name, "contentMessage": content})

    async def account(request: Request) -> Response:
        url = str(request.url).removesuffix(ACCOUNT_PATH)
        return Response(api.account(url), media_type="application/json")

    return [
        Route(ACCOUNT_PATH, account),
        Route("/token", _refusing(token), methods=["POST"]),
        Route("/v1/conversations/{conversation}/messages", _refusing(send), methods=["POST"]),
        Route("/v1/phones/{phone}/agentMessages", _refusing(send_rcs), methods=["POST"]),
    ]


def _public_key(account: Any) -> rsa.RSAPublicKey:
    key = serialization.load_pem_private_key(account["private_key"].encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("no key for RS256")
    return key.public_key()


def _check(known_as: str, content: Any) -> None:
    """Raise what is wrong with a message, if anything is."""
    if not known_as:
        raise GoogleError(400, "INVALID_ARGUMENT", "messageId is required.")
    if not isinstance(content, dict) or _KINDS.isdisjoint(content):
        raise GoogleError(400, "INVALID_ARGUMENT", "Message content is required.")
    if len(str(content.get("text", ""))) > _TEXT_MAX:
        raise GoogleError(400, "INVALID_ARGUMENT", "text must be at most 3072 characters long.")
    if len(content.get("suggestions", [])) > _SUGGESTIONS_MAX:
        raise GoogleError(400, "INVALID_ARGUMENT", "At most 13 suggestions are allowed.")


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


async def _read(request: Request) -> dict[str, Any]:
    try:
        told = await request.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise GoogleError(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
    return told


def _refusing(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that tells what it raises as Google does."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except GoogleError as error:
            told = {"code": error.code, "message": error.text, "status": error.status}
            return JSONResponse({"error": told}, status_code=error.code)

    return answered
