"""All bots that are configured, made of the settings: one line per bot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airy_ray.bots.cognigy import Cognigy
from airy_ray.bots.openai import OpenAi
from airy_ray.bots.rasa import Rasa
from airy_ray.bots.watson import Watson

if TYPE_CHECKING:
    from airy_ray import config  # the courier does without what they are made of

AnyBot = Rasa | Cognigy | Watson | OpenAi


def bots(settings: config.Bots) -> list[AnyBot]:
    """Return the bots that contacts talk to; as a rule none."""
    made = (
        _rasa(settings.rasa),
        _cognigy(settings.cognigy),
        _watson(settings.ibm_watson_assistant),
        _openai(settings.openai),
    )
    return [bot for bot in made if bot is not None]


def _rasa(told: config.Rasa | None) -> Rasa | None:
    return told and Rasa(told.webhook_url, told.wait_s, told.at_once)


def _cognigy(told: config.Cognigy | None) -> Cognigy | None:
    return told and Cognigy(told.rest_endpoint_url, told.user_id, told.wait_s, told.at_once)


def _watson(told: config.IbmWatsonAssistant | None) -> Watson | None:
    return told and Watson(
        told.url,
        told.api_key.get_secret_value(),
        told.assistant_id,
        told.wait_s,
        told.at_once,
    )


def _openai(told: config.OpenAi | None) -> OpenAi | None:
    return told and OpenAi(
        told.url,
        told.model,
        None if told.api_key is None else told.api_key.get_secret_value(),
        told.instructions,
        told.mode == "suggest",
        told.messages_max,
        told.wait_s,
        told.at_once,
    )
