"""Outbound halves: made of the settings, told to the courier as they are."""

import msgspec

from airy_ray.cluster.sendings import Sendings, sendings
from airy_ray.config import Sources
from airy_ray.sources.facebook_sending import FacebookSending
from airy_ray.sources.google_sending import GoogleSending

SOURCES = Sources.model_validate(
    {
        "facebook": {"api_url": "http://meta", "graph_version": "v1", "human_agent_tag": True},
        "google": {"sa_file": '{"client_email":"a"}', "is_rcs": True},
    }
)


def test_the_settings_say_how_messages_are_sent() -> None:
    made = sendings(SOURCES)

    assert made["facebook"] == FacebookSending("http://meta", "v1", True, 300.0)
    assert made["instagram"] == FacebookSending("http://meta", "v1", True, 100.0)
    google = SOURCES.google
    assert made["google"] == GoogleSending(
        google.api_url, google.rcs_api_url, '{"client_email":"a"}', True
    )


def test_they_reach_another_process_as_they_are() -> None:
    made = sendings(SOURCES)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Sendings) == made


def test_without_a_service_account_google_says_so_later() -> None:
    google = sendings(Sources())["google"]
    assert isinstance(google, GoogleSending)
    assert google.service_account is None
