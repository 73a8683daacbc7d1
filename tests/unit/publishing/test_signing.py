"""Signatures that others check, and headers that nobody can set."""

import hmac
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from airy_ray.publishing import signing
from airy_ray.publishing.signing import headers, key_bytes


def now_s() -> int:
    """Return the instant of a call: receivers take no old one, and the tests may run for long."""
    return int(datetime.now(UTC).timestamp())


TEXT = st.text(min_size=1, max_size=50)


def made(keys: list[str], body: bytes = b"{}", **own: str) -> dict[str, str]:
    return headers(own, keys, body, event_id="evt_1", at_s=now_s())


@given(key=TEXT.filter(lambda text: not text.startswith("whsec_")), body=TEXT)
def test_any_text_is_a_key(key: str, body: str) -> None:
    told = made([key], body.encode())

    Webhook(key.encode()).verify(body, told, json_parse=False)
    contract = hmac.new(key.encode(), body.encode(), "sha256").hexdigest()
    assert told["X-Airy-Content-Signature"] == contract


@given(secret=st.binary(min_size=1, max_size=64), is_padded=st.booleans())
def test_a_standard_secret_is_base64(secret: bytes, is_padded: bool) -> None:
    encoded = b64encode(secret).decode()
    key = "whsec_" + (encoded if is_padded else encoded.rstrip("="))

    assert key_bytes(key) == secret
    Webhook(secret).verify("{}", made([key]))


@pytest.mark.parametrize("key", ["whsec_", "whsec_!", "whsec_A", "whsec_ab cd"])
def test_what_begins_as_a_secret_has_to_be_one(key: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        key_bytes(key)


def test_without_a_key_nothing_is_signed() -> None:
    assert set(made([])) == {"Content-Type", "User-Agent", "webhook-id", "webhook-timestamp"}


def test_who_subscribed_sets_headers_but_not_ours() -> None:
    forged = dict.fromkeys(signing.RESERVED, "forged") | {"content-type": "a/b", "X-Team": "x"}
    told = headers(forged, ["key"], b"{}", event_id="evt_1", at_s=now_s())

    assert "forged" not in told.values()
    assert (told["content-type"], told["X-Team"]) == ("a/b", "x")
    assert "Content-Type" not in told
