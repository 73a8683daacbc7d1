import hmac
from hashlib import sha1, sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.errors import SignatureError
from airy_ray.sources.meta import MetaSignature, handshake
from airy_ray.sources.source import Webhook

SECRET = "a secret"
BODY = b'{"object":"page"}'
SHA256 = hmac.new(SECRET.encode(), BODY, sha256).hexdigest()
SHA1 = hmac.new(SECRET.encode(), BODY, sha1).hexdigest()


def is_accepted(headers: dict[str, str], *, allow_legacy_sha1: bool = False) -> bool:
    signature = MetaSignature("facebook", SECRET, allow_legacy_sha1=allow_legacy_sha1)
    try:
        signature.check(Webhook(BODY, headers))
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize(
    ("claimed", "accepted"),
    [
        pytest.param(f"sha256={SHA256}", True, id="right"),
        pytest.param(f"sha256={SHA256.upper()}", True, id="in upper case"),
        pytest.param(f"SHA256={SHA256}", False, id="prefix in upper case"),
        pytest.param(f"sha1={SHA256}", False, id="another prefix"),
        pytest.param(SHA256, False, id="no prefix"),
        pytest.param(f"sha256=={SHA256}", False, id="two equals signs"),
        pytest.param(f"sha256={SHA256} ", False, id="more after it"),
        pytest.param(f"sha256={SHA256[:-1]}", False, id="cut"),
        pytest.param("sha256=", False, id="empty digest"),
        pytest.param("", False, id="empty"),
        pytest.param("sha256=é", False, id="not ASCII"),
    ],
)
def test_only_the_right_digest_is_accepted(claimed: str, accepted: bool) -> None:
    assert is_accepted({"x-hub-signature-256": claimed}) is accepted


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        pytest.param({"x-hub-signature": f"sha1={SHA1}"}, True, id="alone"),
        pytest.param({"x-hub-signature": f"sha1={SHA1[::-1]}"}, False, id="wrong"),
        pytest.param(
            {"x-hub-signature": f"sha1={SHA1}", "x-hub-signature-256": "sha256=0"},
            False,
            id="beside a wrong new one",
        ),
        pytest.param({}, False, id="none"),
    ],
)
def test_the_old_digest_counts_only_where_it_is_allowed(
    headers: dict[str, str], accepted: bool
) -> None:
    assert is_accepted(headers, allow_legacy_sha1=True) is accepted
    assert not is_accepted(headers)


@given(at=st.integers(0, len(BODY) - 1), bit=st.integers(0, 7))
def test_one_changed_bit_is_noticed(at: int, bit: int) -> None:
    changed = bytearray(BODY)
    changed[at] ^= 1 << bit

    with pytest.raises(SignatureError):
        MetaSignature("facebook", SECRET).check(
            Webhook(bytes(changed), {"x-hub-signature-256": f"sha256={SHA256}"})
        )


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        pytest.param({}, "123", id="as Meta asks"),
        pytest.param({"hub.mode": None}, "123", id="without a mode"),
        pytest.param({"hub.mode": "unsubscribe"}, None, id="another mode"),
        pytest.param({"hub.verify_token": "wrong"}, None, id="another token"),
        pytest.param({"hub.verify_token": None}, None, id="without a token"),
        pytest.param({"hub.verify_token": "é"}, None, id="a token that is not ASCII"),
        pytest.param({"hub.challenge": "9" * 40 + "abc"}, "9" * 40 + "abc", id="any challenge"),
    ],
)
def test_a_handshake_is_answered_with_its_challenge(
    query: dict[str, str | None], answer: str | None
) -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": "token", "hub.challenge": "123"} | query
    given = {name: value for name, value in asked.items() if value is not None}

    assert handshake(given, "token") == answer


def test_without_a_token_of_ours_every_handshake_is_refused() -> None:
    assert handshake({"hub.verify_token": "", "hub.challenge": "1"}, None) is None
