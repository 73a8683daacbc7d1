"""All bots that are configured, made of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airy_ray.bots.cognigy import Cognigy
from airy_ray.bots.openai import OpenAi
from airy_ray.bots.rasa import Rasa
from airy_ray.bots.watson import Watson

if TYPE_CHECKING:
    from airy_ray import config  # the courier does without what they are made of

AnyBot = Rasa | Cognigy | Watson | OpenAi

CONSUMER = "bot-"
"""How bots are called as consumers of the feeds, before their names."""


def bots(settings: config.Bots) -> list[AnyBot]:
    """Return the bots that contacts talk to; as a rule none."""
    made: list[AnyBot] = []
    if (rasa := settings.rasa) is not None:
        made.append(Rasa(rasa.webhook_url, rasa.wait_s, rasa.at_once))
    if (flow := settings.cognigy) is not None:
        made.append(Cognigy(flow.rest_endpoint_url, flow.user_id, flow.wait_s, flow.at_once))
    if (watson := settings.ibm_watson_assistant) is not None:
        made.append(_watson(watson))
    if (model := settings.openai) is not None:
        made.append(_openai(model))
    return made


def _watson(told: config.IbmWatsonAssistant) -> Watson:
    return Watson(
        told.url, told.api_key.get_secret_value(), told.assistant_id, told.wait_s, told.at_once
    )


def _openai(told: config.OpenAi) -> OpenAi:
    return OpenAi(
        told.url,
        told.model,
        None if told.api_key is None else told.api_key.get_secret_value(),
        told.instructions,
        told.mode == "suggest",
        told.messages_max,
        told.wait_s,
        told.at_once,
    )
