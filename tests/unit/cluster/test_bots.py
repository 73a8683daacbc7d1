"""Bots as the settings have them, and how far each is."""

from pathlib import Path

import msgspec
import pytest
from pydantic import SecretStr

from airy_ray import config
from airy_ray.cluster.bot_places import forget_others, keep_place, read_place
from airy_ray.cluster.bots import AnyBot, bots
from airy_ray.config import Bots

URL = "https://bot.example.org"


def test_as_a_rule_there_is_none() -> None:
    assert bots(Bots()) == []


def test_bots_are_made_of_their_settings() -> None:
    settings = Bots(
        rasa=config.Rasa(webhook_url=URL, wait_s=5, at_once=2),
        cognigy=config.Cognigy(rest_endpoint_url=URL),
        ibm_watson_assistant=config.IbmWatsonAssistant(
            url=URL, api_key=SecretStr("k"), assistant_id="a1"
        ),
        openai=config.OpenAi(url=URL, model="m", mode="suggest", api_key=SecretStr("k")),
    )
    made = bots(settings)

    assert [each.name for each in made] == ["rasa", "cognigy", "ibm-watson-assistant", "openai"]
    assert [each.only_suggests for each in made] == [False, False, False, True]
    assert (made[0].wait_s, made[0].at_once) == (5, 2)
    sent = msgspec.msgpack.encode(made)
    assert msgspec.msgpack.decode(sent, type=list[AnyBot]) == made


def test_the_place_of_a_bot_is_kept_until_it_is_not_configured(tmp_path: Path) -> None:
    keep_place(tmp_path, "rasa", 7)
    keep_place(tmp_path, "rasa", 1 << 40)
    keep_place(tmp_path, "openai", 8)
    forget_others(tmp_path, ["rasa"])

    assert read_place(tmp_path, "rasa") == 1 << 40
    assert read_place(tmp_path, "openai") is None
    assert [each.name for each in tmp_path.iterdir()] == ["bot-rasa.place"]


@pytest.mark.parametrize("content", [b"", b"no number", b"\xff"])
def test_a_place_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bot-rasa.place").write_bytes(content)

    assert read_place(tmp_path, "rasa") is None
