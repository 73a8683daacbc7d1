"""What the simulator takes from the settings of the system under test."""

from urllib.parse import urlsplit

from pydantic import SecretStr

from airy_ray.cli.client import address, system_token
from airy_ray.config import Settings, Telegram, Viber, Whatsapp, is_loopback
from airy_ray.errors import ConfigError
from airy_ray.simulator import (
    business_messages,
    custom,
    google_api,
    instagram,
    telegram,
    twilio,
    viber,
    whatsapp,
)
from airy_ray.simulator.hooks import Secrets
from airy_ray.simulator.platforms import Platforms
from airy_ray.simulator.simulation import Target
from airy_ray.simulator.traffic import Cast


def target(settings: Settings, url: str | None) -> Target:
    """Return the system under test, with the secrets that it shares with the platforms."""
    sources = settings.sources
    if not (sources.facebook.app_id or "").isdecimal():
        raise ConfigError("sources.facebook.app_id: is needed to tell own echoes, and is a number")
    if sources.facebook.app_secret is None:
        raise ConfigError("sources.facebook.app_secret: is needed to sign webhooks")
    if sources.google.partner_key is None:
        raise ConfigError("sources.google.partner_key: is needed to sign webhooks")
    secrets = Secrets(
        app_secret=_text(sources.facebook.app_secret),
        partner_key=_text(sources.google.partner_key),
        whatsapp_secret=_text(sources.whatsapp.app_secret),
        twilio_token=_text(sources.twilio.auth_token),
        viber_token=_text(sources.viber.auth_token),
    )
    here, account_sid = sources.facebook.api_url.rstrip("/"), sources.twilio.account_sid
    return Target(
        url=address(settings, url),
        secrets=secrets,
        token=system_token(settings),
        called_at=settings.http.public_url,
        played_at=here,
        has_twilio=bool(account_sid) and sources.twilio.api_url.rstrip("/") == here,
    )


def others(settings: Settings) -> tuple[list[str], list[str]]:
    """Return the other sources that can be played, and why the rest cannot."""
    sources = settings.sources
    here = sources.facebook.api_url.rstrip("/")
    by_twilio = "" if sources.twilio.auth_token else "sources.twilio.auth_token is not set"
    wanting = {
        instagram.SOURCE: "",
        whatsapp.SOURCE: _wanting("whatsapp", sources.whatsapp, here, "app_secret"),
        twilio.SMS: by_twilio,
        twilio.WHATSAPP: by_twilio,
        viber.SOURCE: _wanting("viber", sources.viber, here, "auth_token"),
        telegram.SOURCE: _wanting("telegram", sources.telegram, here),
        custom.SOURCE: "",
    }
    played = [source for source, why in wanting.items() if not why]
    return played, [f"{source}: {why}" for source, why in wanting.items() if why]


def _wanting(
    hook: str, section: Whatsapp | Viber | Telegram, here: str, secret: str | None = None
) -> str:
    """Return what keeps a source from being played; nothing if it can be."""
    if secret is not None and getattr(section, secret) is None:
        return f"sources.{hook}.{secret} is not set"
    if section.api_url.rstrip("/") != here:
        return f"sources.{hook}.api_url is not {here}"
    return ""


def silent_sources(settings: Settings, target: Target, named: Cast) -> dict[str, str]:
    """Return the sources that are played without answers coming there, and why they do not."""
    here, google = target.played_at, settings.sources.google
    why = {}
    if google.api_url.rstrip("/") != here:
        why[business_messages.SOURCE] = f"sources.google.api_url is not {here}"
    elif not _google_account(settings):
        told = f"what {here}{google_api.ACCOUNT_PATH} tells"
        why[business_messages.SOURCE] = f"sources.google.sa_file is not {told}"
    if not target.has_twilio:
        reason = f"sources.twilio: account_sid is not set, or api_url is not {here}"
        why |= dict.fromkeys((twilio.SMS, twilio.WHATSAPP), reason)
    played = (business_messages.SOURCE, *named.channels)
    return {source: why[source] for source in played if source in why}


def platforms(named: Cast, target: Target, settings: Settings) -> Platforms:
    """Return the APIs of all platforms, with the channels of this run in them."""
    app = settings.sources.whatsapp
    return Platforms(
        named,
        target.secrets,
        apps=[(app.app_id or "", target.secrets.whatsapp_secret)],
        account_sid=settings.sources.twilio.account_sid or "",
        google_account=_google_account(settings),
    )


def _google_account(settings: Settings) -> str:
    """Return the service account in the settings, if its tokens come from here."""
    account, here = _text(settings.sources.google.sa_file), settings.sources.facebook.api_url
    return account if google_api.is_account(account, here.rstrip("/")) else ""


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def configured_port(settings: Settings) -> int:
    """Return the port at which the system calls Meta's API, if that is on this machine."""
    parts = urlsplit(settings.sources.facebook.api_url)
    if parts.port is None or not is_loopback(parts.hostname or ""):
        raise ConfigError(
            "sources.facebook.api_url: has to be an address of this machine, such as "
            "http://127.0.0.1:8099, so that the system calls the simulator and not Meta"
        )
    return parts.port
