"""Cognigy, over a REST endpoint. https://docs.cognigy.com/ai/deploy/endpoints/rest."""

from typing import Any

import msgspec

from airy_ray.bots.bot import Answer, Question, Said, asking, choices_in, told
from airy_ray.errors import BotError
from airy_ray.sources.sending import Call, Reply
from airy_ray.sources.told import object_in, objects_in, text_in


class Cognigy(msgspec.Struct, frozen=True, tag="cognigy"):
    """A flow of Cognigy's; it remembers sessions, which are our conversations.

    Attributes:
        user_id: who it thinks writes; if that is empty, each conversation is a user.
    """

    rest_endpoint_url: str
    user_id: str
    wait_s: float
    at_once: int

    name = "cognigy"
    sender = "cognigy-bot"
    only_suggests = False
    lines_max = 0

    def call(self, question: Question) -> Call:
        """Return the call that tells it what the contact wrote."""
        session = question.conversation_id
        body = {"text": question.text, "userId": self.user_id or session, "sessionId": session}
        return asking(self.rest_endpoint_url, body, self.wait_s)

    def answer(self, reply: Reply) -> Answer:
        """Return what it says, in one message or in those of its output stack."""
        output = told(reply)
        if not isinstance(output, dict):
            raise BotError("its answer is no object")
        elements = objects_in(output, "outputStack") or [output]
        return Answer(tuple(_said(each) for each in elements))


def _said(output: dict[str, Any]) -> Said:
    """Return one output: `data` as it is, and what of it other sources can show."""
    data = output.get("data")
    if not isinstance(data, dict) or not data:
        return Said(text_in(output, "text"))
    shown = object_in(object_in(data, "_cognigy"), "_default")
    replies, buttons = object_in(shown, "_quickReplies"), object_in(shown, "_buttons")
    return Said(
        text_in(output, "text") or text_in(replies, "text") or text_in(buttons, "text"),
        text_in(object_in(shown, "_image"), "imageUrl") or None,
        choices_in(objects_in(replies, "quickReplies")),
        data,
    )
