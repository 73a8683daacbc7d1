"""What the platform consists of, and what of its settings may be shown."""

import asyncio
import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from airy_ray.cluster.media.store import open_store
from airy_ray.config import Bots, Facebook, Rasa, Settings, Sources
from airy_ray.errors import RebuildingError
from airy_ray.serve.api.components import COMPONENTS, masked, services
from airy_ray.serve.api.platform import Platform


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("appId", "1234567890", "1234567890"),
        ("appSecret", "0a1b2c3d4e5f", "0a1b..."),
        ("partnerKey", "12345678", "1..."),
        ("authToken", "x", "..."),
        ("authToken", "", "..."),
        ("AUTHTOKEN", "xy", "x..."),
        ("userCredentials", "123456789", "1234..."),
    ],
)
def test_secrets_are_masked(key: str, value: str, shown: str) -> None:
    assert masked(key, value) == shown


@given(value=st.text(min_size=5))
def test_of_a_secret_four_characters_are_shown_at_most(value: str) -> None:
    assert len(masked("secret", value)) <= 4 + len("...")


def test_every_secret_of_a_setting_has_a_name_that_is_masked() -> None:
    names = {
        key
        for component in COMPONENTS
        for key, value in component.told(Settings()).items()
        if value is None or isinstance(value, SecretStr)
    }

    assert {name for name in names if masked(name, "x" * 20) != "x" * 20} == {
        name for name in names if name.endswith(("Secret", "Key", "Token")) or name == "saFile"
    }


def test_a_source_without_its_secret_is_off() -> None:
    facebook = next(each for each in COMPONENTS if each.name == "sources-facebook")
    configured = Settings(sources=Sources(facebook=Facebook(app_secret=SecretStr("s"))))

    assert not facebook.is_enabled(Settings())
    assert facebook.is_enabled(configured)


def test_a_bot_is_on_once_it_is_configured() -> None:
    rasa = next(each for each in COMPONENTS if each.name == "rasa-connector")
    configured = Settings(bots=Bots(rasa=Rasa(webhook_url="http://rasa:5005")))

    assert not rasa.is_enabled(Settings())
    assert rasa.is_enabled(configured)
    assert rasa.told(configured) == {"rasaWebhookUrl": "http://rasa:5005"}


def test_no_service_is_part_of_two_components() -> None:
    services = [service for each in COMPONENTS for service in each.services or (each.name,)]

    assert len(services) == len(set(services))


class Unreadable:
    """A partition whose state is being rebuilt."""

    spec = SimpleNamespace(name="00")

    @property
    def reader(self) -> Any:
        raise RebuildingError(1, 2)


@pytest.mark.parametrize(
    ("partitions", "is_healthy"),
    [
        pytest.param({}, True, id="all can be read"),
        pytest.param({0: Unreadable()}, False, id="one cannot"),
    ],
)
def test_services_are_well_while_all_partitions_can_be_read(
    partitions: dict[int, Any], is_healthy: bool, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path)
    fields: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(Platform))
    fields |= {
        "settings": settings,
        "machine": SimpleNamespace(partitions=partitions),
        "media": open_store(settings),
    }
    told = asyncio.run(services(Platform(**fields)))

    assert told["api-communication"]["healthy"] is is_healthy
    assert told["media-resolver"]["healthy"] is True
