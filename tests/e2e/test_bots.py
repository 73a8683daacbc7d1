"""Bots: who answers a visitor while no person does."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.client import Client, Visitor, Website
from tests.e2e.conftest import SYSTEM_TOKEN, TO_RASA
from tests.e2e.program import Running, until
from tests.played_bots import PlayedBots


@pytest.fixture
def client(guarded: Running) -> Iterator[Client]:
    """Who calls the platform that has a bot."""
    with Client(guarded.url, {"authorization": SYSTEM_TOKEN}) as caller:
        yield caller


def test_a_visitor_is_answered_until_somebody_takes_over(client: Client, rasa: PlayedBots) -> None:
    website = Website(client)
    conversation = website.conversation["id"]

    def shown() -> list[Any]:
        again = Visitor(client, website.channel, resume_token=website.visitor.resume_token())
        return [each["content"]["text"] for each in again.shown]

    website.visitor.send({"text": f"{TO_RASA}are you there?"})
    until(lambda: shown()[-1] == f"You said: {TO_RASA}are you there?")
    answer = client.messages(conversation)[0]
    website.answer("A person, now")
    website.visitor.send({"text": f"{TO_RASA}still?"})
    hear_of_another(client)
    client.call("/conversations.set-state", {"conversation_id": conversation, "state": "CLOSED"})
    website.visitor.send({"text": f"{TO_RASA}again?"})
    until(lambda: shown()[-1] == f"You said: {TO_RASA}again?")

    assert answer["sender"]["id"] == "rasa-bot"
    assert [each.text for each in rasa.heard if each.conversation == conversation] == [
        "Hi",
        f"{TO_RASA}are you there?",
        f"{TO_RASA}again?",
    ]
    assert rasa.refused == []


def hear_of_another(client: Client) -> None:
    """Have somebody else be answered: what came before that was looked at."""
    another = Website(client)
    another.visitor.send({"text": f"{TO_RASA}hello"})
    until(lambda: len(client.messages(another.conversation["id"])) == 3)


def test_what_bots_do_is_counted_and_shown(client: Client, rasa: PlayedBots) -> None:
    hear_of_another(client)
    counted = 'airy_bot_questions_total{bot="rasa",outcome="answered"}'
    until(lambda: counted in client.http.get("/actuator/prometheus").text)
    shown = client.call("/components.get")["components"]

    assert shown["rasa-connector"] == {"rasaWebhookUrl": rasa.url}
    assert shown["openai-connector"] == {}
