"""One platform for all tests of a run, started as its users start it."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from airy_ray.rawlog.record import Record, opened
from airy_ray.rawlog.tail import LogTail
from tests.e2e import platforms
from tests.e2e.client import Agent, Client
from tests.e2e.platforms import GraphApi, Played
from tests.e2e.program import Running, home, small_disk, started
from tests.played_bots import PlayedBots, played_bots

BODY_BYTES_MAX = 1 << 20
SYSTEM_TOKEN = "a-system-token"
TO_RASA = "Rasa, "
"""What texts begin with that the bot answers."""
DISK_BYTES = 48 << 20
FILE_BYTES_MAX = 120 << 20


@pytest.fixture(scope="package")
def graph_api() -> Iterator[GraphApi]:
    """Meta's Graph API, which the platform calls."""
    with platforms.graph_api() as server:
        yield server


@pytest.fixture(scope="package")
def played() -> Iterator[Played]:
    """The APIs of the other platforms, which it calls too."""
    with platforms.played() as server:
        yield server


@pytest.fixture(scope="package")
def platform(graph_api: GraphApi, played: Played) -> Iterator[Running]:
    """The platform with the secrets of the recorded payloads."""
    facebook = {
        "app_id": platforms.APP_ID,
        "app_secret": platforms.APP_SECRET,
        "webhook_secret": platforms.VERIFY_TOKEN,
        "api_url": graph_api.url,
    }
    settings = {
        "security": {
            "jwt_secret": platforms.JWT_SECRET,
            "allowed_origins": "https://*.example.org,https://shop.example.com",
        },
        "sources": {
            "facebook": facebook,
            "google": {
                "partner_key": platforms.PARTNER_KEY,
                "sa_file": platforms.service_account(graph_api.url),
                "api_url": graph_api.url,
            },
            **played.settings,
        },
        "partitions": 4,
        "realtime": {"connects_per_s": 10_000},  # tests come and go as fast as they can
        "limits": {"body_bytes": BODY_BYTES_MAX},
        "media": {
            "max_bytes": FILE_BYTES_MAX,
            "inbound": {"fetch": False},  # recorded payloads link to hosts that others may have
        },
        "webhooks": {"allow_private_networks": True},
    }
    with home(settings) as place, started(place) as running:
        yield running


@pytest.fixture(scope="package")
def client(platform: Running) -> Iterator[Client]:
    """Who calls the platform."""
    with Client(platform.url) as caller:
        yield caller


@pytest.fixture
def received(platform: Running, client: Client) -> Callable[[], list[Record]]:
    """Who tells what was received since then; what the courier finds out may come at any time."""
    client.settle()
    before = client.heads()

    def told() -> list[Record]:
        found = []
        for name, first in before.items():
            directory = platform.home.data / "partitions" / name
            with closing(LogTail(directory, is_read_only=True)) as tail:
                found += [opened(value, offset) for offset, value in tail.read(first, 1_000)]
        return [record for record in found if record.kind != "outcome"]

    return told


@pytest.fixture
def agent(client: Client) -> Agent:
    """Return an agent that nobody has written to."""
    return Agent(client)


@pytest.fixture(scope="package")
def rasa() -> Iterator[PlayedBots]:
    """A bot, which says nothing to who does not speak to it."""
    with played_bots(TO_RASA) as server:
        yield server


@pytest.fixture(scope="package")
def guarded(rasa: PlayedBots) -> Iterator[Running]:
    """Another platform: with authentication, a bot, and a small disk where we may mount."""
    settings = {
        "security": {"system_token": SYSTEM_TOKEN, "jwt_secret": platforms.JWT_SECRET},
        "sources": {"google": {"partner_key": platforms.PARTNER_KEY}},
        "bots": {"rasa": {"webhook_url": rasa.url}},
        "partitions": 1,
    }
    with home(settings) as place, small_disk(place.data, DISK_BYTES), started(place) as running:
        yield running
