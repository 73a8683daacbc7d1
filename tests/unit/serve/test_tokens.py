"""Tokens of visitors and of callers of the API."""

import time
from base64 import b64encode
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.errors import RequestError
from airy_ray.serve.api.callers import Callers
from airy_ray.serve.api.tokens import Tokens, Visit, bearer

KEY = b"a key of more than thirty-two bytes, as it should be"
SECRET = b64encode(KEY).decode()
VISIT = Visit("a conversation", "a channel")
TOKENS = Tokens(SECRET)
PROGRAM = '{"name":"source_app:crm","data":{"source":"crm"},"roles":null}'
USER = '{"id":"github:1","name":"Ada","avatarUrl":null}'


def now_s() -> int:
    return int(time.time())


def signed(key: bytes = KEY, algorithm: str = "HS256", **claims: Any) -> str:
    return jwt.encode(claims, key, algorithm)


def unsigned(**claims: Any) -> str:
    header = b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return f"{header}.{signed(**claims).split('.')[1]}."


def refused_with(read: Any, token: str) -> int:
    with pytest.raises(RequestError) as refused:
        read(token)
    return refused.value.status


def test_a_visitors_token_opens_their_conversation_for_an_hour() -> None:
    token = TOKENS.visit(VISIT, now_s())
    claims = jwt.decode(token, KEY, ["HS256"])

    assert TOKENS.read_visit(token) == VISIT
    assert claims["sub"] == claims["conversation_id"] == VISIT.conversation_id
    assert claims["exp"] - claims["iat"] == 3_600


def test_a_token_for_coming_back_is_good_for_a_week() -> None:
    token = TOKENS.resume(VISIT, now_s())
    claims = jwt.decode(token, KEY, ["HS256"])

    assert TOKENS.read_resume(token) == VISIT
    assert claims["exp"] - claims["iat"] == 7 * 86_400


CLAIMS: dict[str, Any] = {"conversation_id": "a", "channel_id": "b"}


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("undefined", id="undefined"),
        pytest.param("a.b.c", id="no token"),
        pytest.param("é.é.é", id="not ASCII"),
        pytest.param(signed(b"another key, as long as it should be", **CLAIMS), id="forged"),
        pytest.param(signed(**CLAIMS, exp=1), id="expired"),
        pytest.param(signed(**CLAIMS), id="good for ever"),
        pytest.param(unsigned(**CLAIMS, exp=4_000_000_000), id="not signed"),
        pytest.param(signed(KEY * 2, "HS512", **CLAIMS, exp=4_000_000_000), id="otherwise signed"),
        pytest.param(signed(channel_id="b", exp=4_000_000_000), id="no conversation"),
        pytest.param(
            signed(conversation_id=7, channel_id="b", exp=4_000_000_000), id="of a number"
        ),
        pytest.param(TOKENS.resume(VISIT, 4_000_000_000), id="for coming back"),
        pytest.param(TOKENS.visit(VISIT, 1), id="of long ago"),
    ],
)
def test_any_other_token_opens_nothing(token: str) -> None:
    assert refused_with(TOKENS.read_visit, token) == 401


def test_a_visitors_token_is_not_for_coming_back() -> None:
    assert refused_with(TOKENS.read_resume, TOKENS.visit(VISIT, now_s())) == 401


@given(cut=st.integers(0, 200), by=st.binary(max_size=5))
def test_a_token_that_was_changed_opens_nothing(cut: int, by: bytes) -> None:
    token = TOKENS.visit(VISIT, now_s())
    changed = token[: cut % len(token)] + by.decode("latin-1")

    assert refused_with(TOKENS.read_visit, changed) == 401


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(SECRET, id="as it is"),
        pytest.param(SECRET.rstrip("="), id="without padding"),
        pytest.param(f" {SECRET[:5]}\n{SECRET[5:]}-\n", id="with what is no base64 between"),
    ],
)
def test_a_secret_is_base64_of_which_what_does_not_belong_is_skipped(secret: str) -> None:
    assert Tokens(secret).read_visit(TOKENS.visit(VISIT, now_s())) == VISIT


@pytest.mark.parametrize(
    ("secret", "key"),
    [("abc-", b"i\xb7"), ("é a\nb==cd", b"i\xb7\x1d"), ("abcda", b"i\xb7\x1d"), ("-", b"")],
)
def test_any_secret_makes_a_key(secret: str, key: bytes) -> None:
    assert Tokens(secret)._key == key


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Bearer abc", "abc"),
        ("Bearerabc", "abc"),
        ("abc", "abc"),
        (" abc ", "abc"),
    ],
)
def test_a_token_comes_with_or_without_its_scheme(
    authorization: str | None, token: str | None
) -> None:
    assert bearer(authorization) == token


def sent(authorization: str | None) -> dict[str, str]:
    return {} if authorization is None else {"authorization": authorization}


GUARDED = Callers("my-secret", TOKENS)


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", f"Bearer {SECRET}"])
def test_without_a_system_token_everybody_is_anonymous(authorization: str | None) -> None:
    assert Callers(None, TOKENS).grant(sent(authorization)).principal == "airy-core-anonymous"


@pytest.mark.parametrize(
    ("authorization", "principal"),
    [
        pytest.param("my-secret", "system-token-my-s", id="the system"),
        pytest.param("Bearer my-secret", "system-token-my-s", id="the system, as a bearer"),
        pytest.param(f"Bearer {signed(principal=USER)}", "github:1", id="a user"),
        pytest.param(
            f"Bearer {signed(principal=PROGRAM)}",
            "source_app:crm",
            id="a program",
        ),
    ],
)
def test_who_calls_is_known_by_their_token(authorization: str, principal: str) -> None:
    assert GUARDED.grant(sent(authorization)).principal == principal


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("Bearer", id="no token"),
        pytest.param("my-secre", id="cut"),
        pytest.param("my-secrets", id="longer"),
        pytest.param("my-secret\xe9", id="not ASCII"),
        pytest.param(signed(principal=USER, exp=1), id="expired"),
        pytest.param(signed(b"another key, as long as it should be", principal=USER), id="forged"),
        pytest.param(signed(sub="Ada"), id="of nobody"),
        pytest.param(signed(principal=7), id="of a number"),
        pytest.param(signed(principal="no JSON"), id="of no JSON"),
        pytest.param(signed(principal="[]"), id="of a list"),
        pytest.param(signed(principal='{"id":7}'), id="of another number"),
        pytest.param(TOKENS.visit(VISIT, now_s()), id="a visitor's"),
    ],
)
def test_who_has_no_token_is_refused_without_a_word(authorization: str | None) -> None:
    with pytest.raises(RequestError) as refused:
        GUARDED.grant(sent(authorization))

    assert (refused.value.status, refused.value.reason) == (403, "")


@pytest.mark.parametrize(("token", "is_so"), [("my-secret", True), ("my-secret ", False)])
def test_only_the_system_token_is_the_system_token(token: str, is_so: bool) -> None:
    assert GUARDED.is_system(token) is is_so
    assert Callers(None, TOKENS).is_system(token) is False
