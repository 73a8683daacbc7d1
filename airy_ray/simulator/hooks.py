"""Where the webhooks of each source go, and what proves that they come from its platform."""

from collections.abc import Callable
from dataclasses import dataclass

from airy_ray.simulator import (
    business_messages,
    custom,
    instagram,
    messenger,
    telegram,
    twilio,
    viber,
    whatsapp,
)
from airy_ray.simulator.http import Headers

Hook = Callable[[bytes], tuple[str, Headers]]
"""Return the path that a body is posted to, and the headers that come along."""


@dataclass(frozen=True)
class Secrets:
    """What platforms and the system under test share.

    Attributes:
        app_secret: of Meta's app for Messenger and Instagram.
        partner_key: of Google.
        whatsapp_secret: of Meta's app for WhatsApp.
        twilio_token: of the account.
        viber_token: of the bot.
    """

    app_secret: str
    partner_key: str
    whatsapp_secret: str = ""
    twilio_token: str = ""
    viber_token: str = ""


def hooks(secrets: Secrets, called_at: str) -> dict[str, Hook]:
    """Return those that are known before anything is connected.

    `called_at` is the address of the system as platforms know it, which Twilio signs.
    """
    by_meta = _signed(messenger.PATH, lambda body: messenger.signature(secrets.app_secret, body))
    by_twilio = _twilio(secrets.twilio_token, called_at.rstrip("/") + twilio.PATH)
    return {
        messenger.SOURCE: by_meta,
        instagram.SOURCE: by_meta,
        business_messages.SOURCE: _signed(
            business_messages.PATH,
            lambda body: business_messages.signature(secrets.partner_key, body),
        ),
        whatsapp.SOURCE: _signed(
            whatsapp.PATH, lambda body: messenger.signature(secrets.whatsapp_secret, body)
        ),
        twilio.SMS: by_twilio,
        twilio.WHATSAPP: by_twilio,
        viber.SOURCE: _signed(viber.PATH, lambda body: viber.signature(secrets.viber_token, body)),
    }


def telegram_hook(path: str, secret: str) -> Hook:
    """Return the hook of a bot, as Telegram was told when the bot was connected."""
    return lambda _: (path, [(telegram.SECRET, secret)])


def custom_hook(token: str) -> Hook:
    """Return the hook of a custom source, whose token is in the answer to its creation."""
    return lambda _: (custom.PATH, [("authorization", f"Bearer {token}")])


def _signed(path: str, sign: Callable[[bytes], tuple[str, str]]) -> Hook:
    return lambda body: (path, [sign(body)])


def _twilio(auth_token: str, url: str) -> Hook:
    return lambda body: (
        twilio.PATH,
        [("content-type", twilio.FORM), twilio.signature(auth_token, url, body)],
    )
