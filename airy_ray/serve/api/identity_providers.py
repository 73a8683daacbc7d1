"""Where people log in: what is known of a provider, and what it says of somebody."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airy_ray.config import Oidc
from airy_ray.errors import ConfigError
from airy_ray.serve.api.tokens import Profile

GITHUB = "github"

_META = "https://www.facebook.com/v25.0"
_KNOWN: dict[str, dict[str, str]] = {
    "google": {
        "scope": "openid,profile,email",
        "authorization_uri": "https://accounts.google.com/o/oauth2/v2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "user_info_uri": "https://openidconnect.googleapis.com/v1/userinfo",
        "jwk_set_uri": "https://www.googleapis.com/oauth2/v3/certs",
        "issuer_uri": "https://accounts.google.com",
    },
    GITHUB: {
        "scope": "read:user,user:email",
        "authorization_uri": "https://github.com/login/oauth/authorize",
        "token_uri": "https://github.com/login/oauth/access_token",
        "user_info_uri": "https://api.github.com/user",
    },
    "facebook": {
        "scope": "public_profile,email",
        "authorization_uri": f"{_META}/dialog/oauth",
        "token_uri": "https://graph.facebook.com/v25.0/oauth/access_token",
        "user_info_uri": "https://graph.facebook.com/me?fields=id,name,email,picture",
        "client_authentication_method": "client_secret_post",
    },
    "okta": {"scope": "openid,profile,email"},
}


@dataclass(frozen=True)
class Provider:
    """A provider, with all that logging in takes.

    Attributes:
        jwk_set_uri: where the keys of its ID tokens are; None if it gives none.
        id_attribute: what in the profile identifies a user, where there is no ID token.
    """

    name: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    authorization_uri: str
    token_uri: str
    user_info_uri: str | None
    jwk_set_uri: str | None
    issuer: str | None
    id_attribute: str
    authentication: str
    user_info_by: str

    @property
    def is_openid(self) -> bool:
        """Whether it gives ID tokens."""
        return "openid" in self.scopes


def provider(settings: Oidc) -> Provider:
    """Return the provider in the settings, with what is known of it filled in.

    Raises:
        ConfigError: something is missing that nobody knows.
    """
    known = {"scope": "openid,profile,email"}
    known |= _KNOWN.get(settings.provider, {}) | _of_okta(settings)
    given = settings.model_dump(exclude_none=True, exclude={"client_secret"})
    told: dict[str, Any] = known | given
    scopes = tuple(part.strip() for part in told["scope"].split(",") if part.strip())
    needed = ["authorization_uri", "token_uri"]
    needed += ["jwk_set_uri", "issuer_uri"] if "openid" in scopes else ["user_info_uri"]
    for key in needed:
        if not told.get(key):
            raise ConfigError(f"security.oidc.{key}: is required for {settings.provider}")
    return Provider(
        name=settings.provider,
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        scopes=scopes,
        authorization_uri=told["authorization_uri"],
        token_uri=told["token_uri"],
        user_info_uri=told.get("user_info_uri"),
        jwk_set_uri=told.get("jwk_set_uri"),
        issuer=told.get("issuer_uri"),
        id_attribute=told.get("user_name_attribute_name", "id"),
        authentication=told.get("client_authentication_method", "client_secret_basic"),
        user_info_by=settings.user_info_authentication_method,
    )


def emails_of(claims: Mapping[str, Any]) -> list[str]:
    """Return the address in a profile, unless its provider says that nobody checked it."""
    email = claims.get("email")
    if not isinstance(email, str) or not email:
        return []
    return [] if claims.get("email_verified") in (False, "false") else [email]


def checked_emails(listed: Any) -> list[str]:
    """Return the addresses in GitHub's list that their owner has confirmed."""
    if not isinstance(listed, list):
        return []
    return [
        each["email"]
        for each in listed
        if isinstance(each, dict) and each.get("verified") and isinstance(each.get("email"), str)
    ]


def profile_of(at: Provider, claims: Mapping[str, Any], emails: list[str]) -> Profile | None:
    """Return who somebody is, None if the provider does not say (contract: platform API §2.5)."""
    if at.is_openid:
        who = emails[0] if emails else None
    else:
        identifier = claims.get(at.id_attribute)
        who = str(identifier) if isinstance(identifier, str | int) else None
    if not who:
        return None
    name = _text(claims, "name", "login", "preferred_username")
    return Profile(f"{at.name}:{who}", name, _picture(claims))


def _of_okta(settings: Oidc) -> dict[str, str]:
    """Return where an Okta organisation has what, by its issuer."""
    if settings.provider != "okta" or settings.issuer_uri is None:
        return {}
    issuer = settings.issuer_uri.rstrip("/")
    base = f"{issuer}/v1" if "/oauth2" in issuer else f"{issuer}/oauth2/v1"
    return {
        "authorization_uri": f"{base}/authorize",
        "token_uri": f"{base}/token",
        "user_info_uri": f"{base}/userinfo",
        "jwk_set_uri": f"{base}/keys",
    }


def _picture(claims: Mapping[str, Any]) -> str | None:
    picture = claims.get("picture")
    if isinstance(picture, dict) and isinstance(picture.get("data"), dict):  # Facebook's form
        return _text(picture["data"], "url")
    return _text(claims, "picture", "avatar_url")


def _text(claims: Mapping[str, Any], *keys: str) -> str | None:
    for key in keys:
        if isinstance(claims.get(key), str) and claims[key]:
            return str(claims[key])
    return None
