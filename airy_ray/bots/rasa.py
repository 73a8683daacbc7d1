"""Rasa, over its REST channel. https://rasa.com/docs/rasa/connectors/your-own-website#restinput."""

import msgspec

from airy_ray.bots.bot import Answer, Question, Said, asking, choices_in, told
from airy_ray.errors import BotError
from airy_ray.sources.sending import Call, Reply
from airy_ray.sources.told import objects_in, text_in


class Rasa(msgspec.Struct, frozen=True, tag="rasa"):
    """An assistant of Rasa's; it remembers conversations by their ids."""

    webhook_url: str
    wait_s: float
    at_once: int

    name = "rasa"
    sender = "rasa-bot"
    only_suggests = False
    lines_max = 0

    def call(self, question: Question) -> Call:
        """Return the call that tells it what the contact wrote."""
        url = f"{self.webhook_url.rstrip('/')}/webhooks/rest/webhook"
        body = {"message": question.text, "sender": question.conversation_id}
        return asking(url, body, self.wait_s)

    def answer(self, reply: Reply) -> Answer:
        """Return what it says: texts, pictures, buttons; it may also say nothing."""
        elements = told(reply)
        if not isinstance(elements, list):
            raise BotError("its answer is no array")
        return Answer(
            tuple(
                Said(
                    text_in(each, "text"),
                    text_in(each, "image") or None,
                    choices_in(objects_in(each, "buttons")),
                )
                for each in elements
            )
        )
