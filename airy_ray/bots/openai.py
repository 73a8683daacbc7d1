"""Whatever speaks OpenAI's chat completions. https://platform.openai.com/docs/api-reference/chat."""

from typing import Any

import msgspec

from airy_ray.bots.bot import Answer, Question, Said, asking, told
from airy_ray.errors import BotError
from airy_ray.sources.sending import Call, Reply
from airy_ray.sources.told import object_in, objects_in, text_in


class OpenAi(msgspec.Struct, frozen=True, tag="openai"):
    """A language model; it remembers nothing, and is told what was said last.

    Attributes:
        url: of the API, such as `https://api.openai.com/v1`.
        instructions: what it is told before all that was said.
        lines_max: how many messages it is told.
    """

    url: str
    model: str
    api_key: str | None
    instructions: str | None
    only_suggests: bool
    lines_max: int
    wait_s: float
    at_once: int

    name = "openai"
    sender = "openai-bot"

    def call(self, question: Question) -> Call:
        """Return the call that asks for the next line of a conversation."""
        system = self.instructions
        spoken = [] if system is None else [{"role": "system", "content": system}]
        spoken += [
            {"role": "user" if each.is_from_contact else "assistant", "content": each.text}
            for each in question.lines
        ]
        body: dict[str, Any] = {"model": self.model, "messages": spoken}
        url = f"{self.url.rstrip('/')}/chat/completions"
        if self.api_key is None:
            return asking(url, body, self.wait_s)
        return asking(url, body, self.wait_s, authorization=f"Bearer {self.api_key}")

    def answer(self, reply: Reply) -> Answer:
        """Return the first line that it proposes."""
        choices = objects_in(told(reply), "choices")
        text = text_in(object_in(choices[0], "message"), "content").strip() if choices else ""
        if not text:
            raise BotError("its answer has no text")
        return Answer((Said(text),))
