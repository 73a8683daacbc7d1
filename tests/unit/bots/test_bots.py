"""Bots as their documentation has them: how they are asked, what their answers mean."""

import json
from base64 import b64encode
from typing import Any

import pytest

from airy_ray.bots import wording
from airy_ray.bots.bot import Answer, Bot, Choice, Line, Question, Said
from airy_ray.bots.cognigy import Cognigy
from airy_ray.bots.contents import contents
from airy_ray.bots.openai import OpenAi
from airy_ray.bots.rasa import Rasa
from airy_ray.bots.watson import Watson
from airy_ray.errors import BotError
from airy_ray.model import hand_over
from airy_ray.sources.sending import Reply
from tests import manifests

NAME = "conversational-ai"
MANIFEST = manifests.manifest(NAME)
CONVERSATION = MANIFEST["config"]["conversation_id"]
API_KEY = "a-watson-key"

RASA = Rasa("https://rasa.example.org/", 30.0, 8)
COGNIGY = Cognigy("https://endpoint-trial.cognigy.example/abc", "cog-user-1", 30.0, 8)
WATSON = Watson("https://api.eu-de.assistant.watson.example/instances/i/", API_KEY, "a1", 30.0, 8)
MODEL = OpenAi("http://llm:8000/v1/", "small", "sk-1", "Be kind.", False, 20, 60.0, 8)
BOTS: dict[str, Bot] = {"rasa": RASA, "cognigy": COGNIGY, "ibm-watson-assistant": WATSON}

asked = Question("Hello", CONVERSATION)


def test_whom_bots_write_as_are_those_who_are_no_people() -> None:
    assert {bot.sender for bot in (*BOTS.values(), MODEL)} == hand_over.BOTS


def answered(bot: Bot, told: Any, status: int = 200) -> Answer:
    return bot.answer(Reply(status, json.dumps(told).encode()))


@pytest.mark.parametrize("case", MANIFEST["cases"], ids=lambda case: str(case["name"]))
def test_recorded_dialogues_are_had(case: dict[str, Any]) -> None:
    bot = BOTS[case["connector"]]
    content = manifests.body(NAME, case["contact_content_file"])
    call = bot.call(Question(wording.asked(case["source"], content), CONVERSATION))
    reply = Reply(case["http_status"], manifests.body(NAME, case["response_file"]))

    assert (call.method, call.url) == (case["method"], case["url"])
    assert json.loads(call.body) == json.loads(manifests.body(NAME, case["request_file"]))
    assert bot.sender == case.get("sender_id", bot.sender)
    if case["http_status"] != 200:
        with pytest.raises(BotError, match="status 401"):
            bot.answer(reply)
        return
    said = [each for said in bot.answer(reply).said for each in contents(case["source"], said)]
    assert [json.loads(each) for each in said] == case["expected_contents"]


@pytest.mark.parametrize("bot", [RASA, COGNIGY, WATSON, MODEL], ids=lambda bot: str(bot.name))
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(500, b"[]"), id="an error"),
        pytest.param(Reply(302, b"[]"), id="elsewhere"),
        pytest.param(Reply(200, b"<html>"), id="no JSON"),
        pytest.param(Reply(200, b'"text"'), id="another form"),
    ],
)
def test_what_is_no_answer_is_told_without_being_quoted(bot: Bot, reply: Reply) -> None:
    with pytest.raises(BotError) as raised:
        bot.answer(reply)
    assert reply.text not in raised.value.reason


def test_what_rasa_says_beside_texts_and_pictures_is_left_out() -> None:
    elements = [
        {"custom": {"a": 1}},
        {"text": "How many?", "buttons": [{"title": "2", "payload": "/two"}, {"payload": "/x"}]},
        {"text": "Look", "image": "https://i.example.org/x.png"},
        {"attachment": {"type": "video"}},
        "odd",
    ]
    silent = Said()

    assert answered(RASA, elements).said == (
        silent,
        Said("How many?", choices=(Choice("2", "/two"),)),
        Said("Look", "https://i.example.org/x.png"),
        silent,
        silent,
    )


def test_without_a_user_id_cognigy_knows_the_conversation() -> None:
    call = Cognigy("https://c.example.org", "", 30.0, 8).call(asked)

    assert json.loads(call.body)["userId"] == CONVERSATION


def test_cognigys_data_becomes_what_other_sources_can_show() -> None:
    shown = {
        "_quickReplies": {"text": "Which?", "quickReplies": [{"title": "A", "payload": "a"}]},
        "_image": {"type": "image", "imageUrl": "https://i.example.org/x.png"},
    }
    data = {"_cognigy": {"_default": shown}}

    assert answered(COGNIGY, {"text": None, "data": data}).said == (
        Said("Which?", "https://i.example.org/x.png", (Choice("A", "a"),), data),
    )


def test_watson_is_told_its_context_again() -> None:
    generic = {"output": {"generic": []}, "context": {"global": {"n": 12345678901234567}}}
    context = answered(WATSON, generic).context
    call = WATSON.call(Question("More", CONVERSATION, context))

    assert b'"context":{"global":{"n":12345678901234567}}' in call.body
    assert call.headers["authorization"] == f"Basic {b64encode(b'apikey:a-watson-key').decode()}"


def test_watsons_options_are_choices() -> None:
    options = [{"label": "Two", "value": {"input": {"text": "2"}}}, {"label": "More"}]
    generic = [{"response_type": "option", "title": "How many?", "options": options}]

    assert answered(WATSON, {"output": {"generic": generic}}).said == (
        Said("How many?", choices=(Choice("Two", "2"), Choice("More", "More"))),
    )


def test_a_model_is_told_what_was_said_and_by_whom() -> None:
    lines = (Line(True, "Hi"), Line(False, "Hello"), Line(True, "When are you open?"))
    call = MODEL.call(Question("When are you open?", CONVERSATION, lines=lines))

    assert call.url == "http://llm:8000/v1/chat/completions"
    assert call.headers["authorization"] == "Bearer sk-1"
    assert json.loads(call.body) == {
        "model": "small",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "When are you open?"},
        ],
    }


def test_a_model_without_key_or_instructions_needs_none() -> None:
    bare = OpenAi("http://llm/v1", "small", None, None, True, 20, 60.0, 8)
    call = bare.call(Question("Hi", CONVERSATION, lines=(Line(True, "Hi"),)))

    assert "authorization" not in call.headers
    assert json.loads(call.body)["messages"] == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    "told",
    [
        {"choices": []},
        {"choices": [{"message": {"content": None}}]},
        {"choices": [{"message": {"content": " "}}]},
        {},
    ],
)
def test_a_model_that_says_nothing_has_failed(told: Any) -> None:
    with pytest.raises(BotError):
        answered(MODEL, told)


def test_what_a_model_says_first_is_its_answer() -> None:
    told = {"choices": [{"message": {"content": " At nine.\n"}}, {"message": {"content": "B"}}]}

    assert answered(MODEL, told).said == (Said("At nine."),)
