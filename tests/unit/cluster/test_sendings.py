"""Outbound halves: made of the settings, told to the courier as they are."""

import msgspec
import pytest

from airy_ray.cluster.sendings import Sendings, sending_of, sendings
from airy_ray.config import Sources
from airy_ray.sources.custom_sending import CustomSending
from airy_ray.sources.facebook_sending import FacebookSending, InstagramSending
from airy_ray.sources.google_sending import GoogleSending
from airy_ray.sources.telegram_sending import TelegramSending
from airy_ray.sources.twilio_sending import TwilioSending
from airy_ray.sources.viber_sending import ViberSending
from airy_ray.sources.whatsapp_sending import WhatsappSending

SOURCES = Sources.model_validate(
    {
        "facebook": {"api_url": "http://meta", "graph_version": "v1", "human_agent_tag": True},
        "twilio": {"account_sid": "AC1", "auth_token": "secret"},
        "viber": {"auth_token": "bot"},
        "whatsapp": {"api_url": "http://cloud", "graph_version": "v2"},
        "google": {"sa_file": '{"client_email":"a"}', "is_rcs": True},
    }
)


def test_the_settings_say_how_messages_are_sent() -> None:
    made = sendings(SOURCES)

    assert made["facebook"] == FacebookSending("http://meta", "v1", True, 300.0)
    assert made["instagram"] == InstagramSending("http://meta", "v1", True, 100.0)
    assert made["whatsapp"] == WhatsappSending("http://cloud", "v2")
    google = SOURCES.google
    assert made["google"] == GoogleSending(
        google.api_url, google.rcs_api_url, '{"client_email":"a"}', True
    )


@pytest.mark.parametrize(
    ("public_url", "status_url"),
    [(None, ""), ("https://chat.example.org/", "https://chat.example.org/twilio")],
)
def test_twilio_is_told_where_it_reaches_us_if_it_does(
    public_url: str | None, status_url: str
) -> None:
    made = sendings(SOURCES, public_url)

    for source, is_whatsapp in (("twilio.sms", False), ("twilio.whatsapp", True)):
        assert made[source] == TwilioSending(
            "https://api.twilio.com", "AC1", "secret", status_url, is_whatsapp
        )
    assert made["viber"] == ViberSending("https://chatapi.viber.com", "bot")
    assert made["telegram"] == TelegramSending("https://api.telegram.org")


def test_custom_sources_have_one_in_common() -> None:
    made = sendings(SOURCES, source_key=b"key")

    assert sending_of(made, "crm") == sending_of(made, "x.y") == CustomSending(b"key")
    assert sending_of(made, "viber") == made["viber"]
    assert sending_of(made, "chatplugin") is None
    assert sending_of(sendings(SOURCES), "crm") is None


def test_they_reach_another_process_as_they_are() -> None:
    made = sendings(SOURCES, source_key=b"key")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Sendings) == made


def test_without_a_service_account_google_says_so_later() -> None:
    google = sendings(Sources())["google"]
    assert isinstance(google, GoogleSending)
    assert google.service_account is None
