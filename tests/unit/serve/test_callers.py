"""Who calls, by API token and by session."""

import time
from base64 import b64encode
from typing import Any

import jwt
import pytest

from airy_ray.clock import Millis, now_millis
from airy_ray.errors import RequestError
from airy_ray.model.api_token import ApiToken, digest_of, token_id
from airy_ray.model.ids import ChannelId
from airy_ray.serve.api.callers import ANYBODY, Callers, Grant, Reach, cookie
from airy_ray.serve.api.tokens import Principal, Profile, Tokens

KEY = b"a key of more than thirty-two bytes, as it should be"
TOKENS = Tokens(b64encode(KEY).decode())
SECRET = "airy_a-secret"
ADA = Profile("github:1", "Ada", "https://a.test/1")
SESSION = TOKENS.session(ADA, int(time.time()))


def api_token(**fields: Any) -> ApiToken:
    digest = digest_of(SECRET)
    told: dict[str, Any] = {
        "name": "crm",
        "scope": "read",
        "sources": (),
        "channel_ids": (),
        "created_at": Millis(0),
        "created_by": "system-token-my-s",
    }
    return ApiToken(id=token_id(digest), digest=digest, **(told | fields))


def callers(*known: ApiToken, system_token: str | None = "s", has_login: bool = True) -> Callers:
    by_digest = {token.digest: token for token in known}
    return Callers(system_token, TOKENS, api_token=by_digest.get, has_login=has_login)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def is_refused(by: Callers, headers: dict[str, str]) -> bool:
    try:
        by.grant(headers)
    except RequestError as refused:
        return (refused.status, refused.reason) == (403, "")
    return False


def test_an_api_token_grants_what_it_was_made_for() -> None:
    known = api_token(sources=("facebook",), channel_ids=(ChannelId(b"c"),), requests_per_minute=7)

    assert callers(known).grant(bearer(SECRET)) == Grant(
        "token:crm",
        "token",
        scope="read",
        reach=Reach(frozenset({"facebook"}), frozenset({b"c"})),
        requests_per_minute=7,
    )
    assert callers(api_token()).grant(bearer(SECRET)).reach is None


@pytest.mark.parametrize(
    "known",
    [
        pytest.param([], id="unknown"),
        pytest.param([api_token(is_revoked=True)], id="revoked"),
        pytest.param([api_token(expires_at=now_millis())], id="expired"),
    ],
)
def test_a_token_that_is_not_good_is_refused(known: list[ApiToken]) -> None:
    assert is_refused(callers(*known), bearer(SECRET))


def test_a_token_is_good_until_it_expires() -> None:
    soon = api_token(expires_at=Millis(now_millis() + 60_000))

    assert callers(soon).grant(bearer(SECRET)).principal == "token:crm"


def test_who_has_logged_in_is_known_by_their_cookie() -> None:
    granted = callers(system_token=None).grant({"cookie": f"a=b; airy_auth_token={SESSION}"})

    assert granted == Grant("github:1", "person", profile=ADA, is_session=True)


def test_a_session_in_the_header_is_asked_for_and_no_cookie() -> None:
    assert callers().grant(bearer(SESSION)).is_session is False


def test_a_cookie_does_not_make_up_for_a_token_that_is_none() -> None:
    assert is_refused(callers(), bearer("wrong") | {"cookie": f"airy_auth_token={SESSION}"})


PROGRAM = jwt.encode({"principal": '{"name":"crm"}'}, KEY, "HS256")
EXPIRED = TOKENS.session(ADA, int(time.time()) - 31 * 86_400)


@pytest.mark.parametrize(
    "session",
    ["", "nonsense", SECRET, PROGRAM, EXPIRED, "s", SESSION[:-2], '"', "\xe9", ";", "=\x00"],
)
def test_what_is_no_session_lets_nobody_in(session: str) -> None:
    assert is_refused(callers(api_token()), {"cookie": f"airy_auth_token={session}"})


def test_without_a_login_cookies_say_nothing() -> None:
    headers = {"cookie": f"airy_auth_token={SESSION}"}

    assert is_refused(callers(has_login=False), headers)
    assert callers(system_token=None, has_login=False).grant(headers) == ANYBODY


def test_a_dead_session_is_one_that_is_there_and_no_good() -> None:
    by = callers()

    assert by.has_dead_session({"cookie": f"airy_auth_token={EXPIRED}"})
    assert not by.has_dead_session({"cookie": f"airy_auth_token={SESSION}"})
    assert not by.has_dead_session({})


def test_a_session_is_a_jwt_of_the_contracts_form() -> None:
    claims = jwt.decode(SESSION, KEY, ["HS256"])

    assert claims["sub"] == "Ada"
    assert claims["exp"] - claims["iat"] == 30 * 86_400
    assert claims["principal"] == '{"id":"github:1","name":"Ada","avatarUrl":"https://a.test/1"}'


@pytest.mark.parametrize(
    ("principal", "read"),
    [
        ('{"id":"github:1","name":"Ada"}', Principal("github:1", Profile("github:1", "Ada"))),
        ('{"id":"github:1","name":7}', Principal("github:1", Profile("github:1"))),
        ('{"name":"crm","data":{"source":"crm"}}', Principal("crm", source="crm")),
        ('{"name":"crm","data":[]}', Principal("crm")),
        ('{"name":"crm","data":{"source":7}}', Principal("crm")),
        ('{"id":7}', None),
        ("[]", None),
    ],
)
def test_a_principal_is_a_person_or_a_program(principal: str, read: Principal | None) -> None:
    token = jwt.encode({"principal": principal}, KEY, "HS256")

    assert TOKENS.read_principal(token) == read


def test_a_login_that_began_is_remembered_and_nothing_else_is_taken_for_one() -> None:
    begun = {"state": "s", "nonce": "n", "verifier": "v"}
    now_s = int(time.time())

    assert TOKENS.read_flow(TOKENS.flow(begun, now_s)) == begun
    for other in (TOKENS.flow(begun, now_s - 601), SESSION, "nonsense"):
        with pytest.raises(RequestError):
            TOKENS.read_flow(other)


def test_a_secret_follows_from_its_seed_and_from_the_key() -> None:
    other = Tokens(b64encode(KEY + b"!").decode())

    assert TOKENS.secret(b"one") == TOKENS.secret(b"one")
    assert len({TOKENS.secret(b"one"), TOKENS.secret(b"two"), other.secret(b"one")}) == 3


@pytest.mark.parametrize(
    ("header", "value"),
    [("a=b", "b"), ("x=y; a=b", "b"), ("a=", None), ("", None), ("ab=c", None), ('a="b"', "b")],
)
def test_a_cookie_is_found_by_its_name(header: str, value: str | None) -> None:
    assert cookie({"cookie": header}, "a") == value
