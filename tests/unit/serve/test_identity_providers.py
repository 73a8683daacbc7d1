"""What is known of providers, and who they say somebody is."""

from typing import Any

import pytest

from airy_ray.config import Oidc
from airy_ray.errors import ConfigError
from airy_ray.serve.api.identity_providers import (
    Provider,
    checked_emails,
    emails_of,
    profile_of,
    provider,
)
from airy_ray.serve.api.tokens import Profile


def known(name: str, **given: Any) -> Provider:
    return provider(Oidc(provider=name, client_id="c", allowed_email_patterns="*", **given))


@pytest.mark.parametrize(
    ("name", "is_openid"), [("google", True), ("github", False), ("facebook", False)]
)
def test_presets_need_no_more_than_a_client(name: str, is_openid: bool) -> None:
    found = known(name)

    assert found.is_openid is is_openid
    assert found.authorization_uri.startswith("https://")
    assert (found.jwk_set_uri is not None) is is_openid


@pytest.mark.parametrize(
    ("issuer", "keys"),
    [
        ("https://a.okta.com", "https://a.okta.com/oauth2/v1/keys"),
        ("https://a.okta.com/oauth2/default", "https://a.okta.com/oauth2/default/v1/keys"),
    ],
)
def test_okta_is_known_by_its_issuer(issuer: str, keys: str) -> None:
    assert known("okta", issuer_uri=issuer).jwk_set_uri == keys


OWN = {
    "authorization_uri": "https://id.test/authorize",
    "token_uri": "https://id.test/token",
    "jwk_set_uri": "https://id.test/keys",
    "issuer_uri": "https://id.test",
}


def test_what_is_given_wins_over_what_is_known() -> None:
    assert known("google", **OWN).token_uri == "https://id.test/token"


@pytest.mark.parametrize("missing", list(OWN))
def test_of_another_provider_all_has_to_be_given(missing: str) -> None:
    given = {key: value for key, value in OWN.items() if key != missing}

    with pytest.raises(ConfigError, match=rf"security\.oidc\.{missing}"):
        known("keycloak", **given)


def test_plain_oauth_needs_a_profile_to_ask_for() -> None:
    with pytest.raises(ConfigError, match="user_info_uri"):
        known("gitea", scope="read", authorization_uri="https://a", token_uri="https://b")


def test_users_of_openid_providers_are_their_address() -> None:
    claims = {"name": "Ada", "picture": "https://a.test/1", "sub": "7"}

    assert profile_of(known("google"), claims, ["ada@a.test"]) == Profile(
        "google:ada@a.test", "Ada", "https://a.test/1"
    )
    assert profile_of(known("google"), claims, []) is None


@pytest.mark.parametrize(
    ("name", "claims", "profile"),
    [
        (
            "github",
            {"id": 4403838, "login": "ada", "name": None, "avatar_url": "https://a.test/1"},
            Profile("github:4403838", "ada", "https://a.test/1"),
        ),
        (
            "facebook",
            {"id": "77", "name": "Ada", "picture": {"data": {"url": "https://a.test/1"}}},
            Profile("facebook:77", "Ada", "https://a.test/1"),
        ),
        ("github", {"id": 0}, Profile("github:0")),
        ("github", {}, None),
        ("github", {"id": ""}, None),
    ],
)
def test_users_of_others_are_their_id(
    name: str, claims: dict[str, Any], profile: Profile | None
) -> None:
    assert profile_of(known(name), claims, ["ada@a.test"]) == profile


@pytest.mark.parametrize(
    ("claims", "emails"),
    [
        ({"email": "a@a.test"}, ["a@a.test"]),
        ({"email": "a@a.test", "email_verified": True}, ["a@a.test"]),
        ({"email": "a@a.test", "email_verified": False}, []),
        ({"email": "a@a.test", "email_verified": "false"}, []),
        ({"email": 7}, []),
        ({}, []),
    ],
)
def test_an_address_that_nobody_checked_counts_for_nothing(
    claims: dict[str, Any], emails: list[str]
) -> None:
    assert emails_of(claims) == emails


def test_of_githubs_addresses_those_count_that_are_confirmed() -> None:
    listed = [
        {"email": "a@a.test", "verified": True},
        {"email": "b@a.test", "verified": False},
        {"verified": True},
        "c@a.test",
    ]

    assert checked_emails(listed) == ["a@a.test"]
    assert checked_emails({"message": "no"}) == []
