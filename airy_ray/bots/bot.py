"""What a bot's module does: a question becomes a call, an answer what there is to say. Pure."""

from typing import Any, Protocol

import msgspec

from airy_ray.errors import BotError
from airy_ray.model import json_text
from airy_ray.sources import sending
from airy_ray.sources.sending import Call, Reply
from airy_ray.sources.told import text_in


class Line(msgspec.Struct, frozen=True, gc=False):
    """What somebody said earlier in a conversation."""

    is_from_contact: bool
    text: str


class Question(msgspec.Struct, frozen=True, gc=False):
    """What a contact wrote, as a bot is asked.

    Attributes:
        conversation_id: as clients see it.
        context: JSON text that the bot gave with its last answer in this conversation, if it did.
        lines: what was said last, oldest first, the question itself at the end; empty for bots that
            remember it themselves.
    """

    text: str
    conversation_id: str
    context: bytes | None = None
    lines: tuple[Line, ...] = ()


class Choice(msgspec.Struct, frozen=True, gc=False):
    """An answer that the contact is offered: what is shown, and what it stands for."""

    title: str
    payload: str


class Said(msgspec.Struct, frozen=True, gc=False):
    """One thing that a bot says.

    Attributes:
        image: the address of a picture, which goes after the text.
        data: what only our own chat on websites shows as it is.
    """

    text: str = ""
    image: str | None = None
    choices: tuple[Choice, ...] = ()
    data: dict[str, Any] | None = None


class Answer(msgspec.Struct, frozen=True, gc=False):
    """All that a bot answers, in order; `context` is what it wants to be told the next time."""

    said: tuple[Said, ...]
    context: bytes | None = None


class Bot(Protocol):
    """A bot, with our access to it."""

    @property
    def name(self) -> str:
        """What it is called in settings, logs and metrics."""
        ...

    @property
    def sender(self) -> str:
        """Whom its messages are from."""
        ...

    @property
    def only_suggests(self) -> bool:
        """Whether its answers are proposed to people instead of sent."""
        ...

    @property
    def lines_max(self) -> int:
        """How many messages it has to be told, for it remembers none; 0 if it does."""
        ...

    @property
    def at_once(self) -> int:
        """In how many conversations it is asked at once."""
        ...

    def call(self, question: Question) -> Call:
        """Return the one call that asks it."""
        ...

    def answer(self, reply: Reply) -> Answer:
        """Return what it says.

        Raises:
            BotError: that is no answer.
        """
        ...


def asking(url: str, body: dict[str, Any], wait_s: float, **headers: str) -> Call:
    """Return a call with a JSON body."""
    named = {"content-type": "application/json", "accept": "application/json", **headers}
    return Call("POST", url, named, sending.body_of(body), wait_s)


def told(reply: Reply) -> Any:
    """Return the JSON in an answer.

    Raises:
        BotError: it is an error, or no JSON.
    """
    if not 200 <= reply.status < 300:
        raise BotError(f"status {reply.status}")
    try:
        return json_text.decode(reply.body)
    except ValueError:
        raise BotError("its answer is no JSON") from None


def choices_in(offered: list[dict[str, Any]]) -> tuple[Choice, ...]:
    """Return what is offered as objects with `title` and, if it stands for more, `payload`."""
    return tuple(
        Choice(title, text_in(each, "payload") or title)
        for each in offered
        if (title := text_in(each, "title"))
    )
