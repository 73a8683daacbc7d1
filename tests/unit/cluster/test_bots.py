"""Bots as the settings have them, and how far each is."""

import msgspec
from pydantic import SecretStr

from airy_ray import config
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
