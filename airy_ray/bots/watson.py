"""IBM Watson Assistant v2, stateless. https://cloud.ibm.com/apidocs/assistant-v2#messagestateless."""

from typing import Any
from urllib.parse import quote

import msgspec

from airy_ray.bots.bot import Answer, Choice, Question, Said, asking, told
from airy_ray.errors import BotError
from airy_ray.sources import sending
from airy_ray.sources.sending import Call, Reply
from airy_ray.sources.told import object_in, objects_in, text_in

_VERSION = "2021-06-14"


class Watson(msgspec.Struct, frozen=True, tag="ibm-watson-assistant"):
    """An assistant of IBM's; what it has to remember of a conversation is its context."""

    url: str
    api_key: str
    assistant_id: str
    wait_s: float
    at_once: int

    name = "ibm-watson-assistant"
    sender = "ibm-watson-assistant-bot"
    only_suggests = False
    lines_max = 0

    def call(self, question: Question) -> Call:
        """Return the call that tells it what the contact wrote, and what it knew before."""
        assistant = quote(self.assistant_id, safe="")
        url = f"{self.url.rstrip('/')}/v2/assistants/{assistant}/message?version={_VERSION}"
        body: dict[str, Any] = {
            "input": {"message_type": "text", "text": question.text},
            "user_id": question.conversation_id,
        }
        if question.context is not None:
            body["context"] = msgspec.Raw(question.context)
        login = sending.basic_login("apikey", self.api_key)
        return asking(url, body, self.wait_s, authorization=login)

    def answer(self, reply: Reply) -> Answer:
        """Return what it says: texts, pictures, choices; the rest is of no use here."""
        answer = told(reply)
        if not isinstance(answer, dict) or not isinstance(answer.get("output"), dict):
            raise BotError("its answer has no output")
        context = answer.get("context")
        return Answer(
            tuple(_said(each) for each in objects_in(answer["output"], "generic")),
            sending.body_of(context) if isinstance(context, dict) else None,
        )


def _said(response: dict[str, Any]) -> Said:
    match response.get("response_type"):
        case "text":
            return Said(text_in(response, "text"))
        case "image":
            return Said(image=text_in(response, "source") or None)
        case "option":
            offered = objects_in(response, "options")
            return Said(text_in(response, "title"), choices=tuple(map(_choice, offered)))
        case _:
            return Said()


def _choice(option: dict[str, Any]) -> Choice:
    label = text_in(option, "label")
    payload = text_in(object_in(object_in(option, "value"), "input"), "text")
    return Choice(label, payload or label)
