"""Users who read and answer: now and then one of the newest conversations."""

from collections.abc import Callable, Mapping
from itertools import count
from random import Random
from typing import Any

from airy_ray.simulator import twilio, viber, whatsapp
from airy_ray.simulator.answers import Answer, Answers
from airy_ray.simulator.gates import Gates
from airy_ray.simulator.inbox import ApiError, Inbox
from airy_ray.simulator.intake import Intake
from airy_ray.simulator.oracle import Oracle
from airy_ray.simulator.story import Thread

_SHOWN = 100
_QUIET_WITHIN_S = 5.0
_FORMS: dict[str, Callable[[str], Any]] = {
    whatsapp.SOURCE: lambda words: {"type": "text", "text": {"body": words}},
    twilio.SMS: lambda words: {"Body": words},
    twilio.WHATSAPP: lambda words: {"Body": words},
    viber.SOURCE: lambda words: {"type": "text", "text": words},
}
"""How a source wants a text, if not as a plain field."""


class Newest:
    """The conversations with the newest messages, and whose they are."""

    def __init__(self, inbox: Inbox, oracle: Oracle, random: Random) -> None:
        self._inbox = inbox
        self._oracle = oracle
        self._random = random
        self._threads: dict[str, Thread] = {}

    async def choose(self, channel_ids: frozenset[str]) -> tuple[str, Thread] | None:
        """Return the id of one of them, and whose it is, if that is known."""
        shown = await self._inbox.newest(_SHOWN)
        mine = [each for each in shown if each.channel_id in channel_ids]
        if not mine:
            return None
        chosen = self._random.choice(mine)
        thread = self._oracle.thread_of(chosen.last_key or "")
        thread = thread or self._threads.get(chosen.identifier)  # the last message is ours
        if thread is None:
            return None
        self._threads[chosen.identifier] = thread
        return chosen.identifier, thread


class Reader:
    """Marks conversations as read, and tells the oracle."""

    def __init__(
        self, inbox: Inbox, oracle: Oracle, gates: Gates, newest: Newest, *, run: str
    ) -> None:
        self.count = 0
        """How many times that was done."""
        self._inbox = inbox
        self._oracle = oracle
        self._gates = gates
        self._newest = newest
        self._run = run
        self._asked = 0

    async def read(self, channel_ids: frozenset[str]) -> None:
        """Read one conversation, if it becomes quiet within some seconds."""
        chosen = await self._newest.choose(channel_ids)
        if chosen is None:
            return
        identifier, thread = chosen
        async with self._gates.quiet(thread, timeout_s=_QUIET_WITHIN_S) as is_quiet:
            if not is_quiet:
                return
            self._asked += 1
            try:
                await self._inbox.mark_read(identifier, key=f"{self._run}-read-{self._asked}")
            except ApiError:
                self._oracle.mark_read(thread, is_certain=False)
                raise
            self._oracle.mark_read(thread)
            self.count += 1


class Answerer:
    """Answers conversations whose source calls a platform that is played; `intakes` by source."""

    def __init__(
        self, inbox: Inbox, answers: Answers, newest: Newest, intakes: Mapping[str, Intake]
    ) -> None:
        self._inbox = inbox
        self._answers = answers
        self._newest = newest
        self._intakes = intakes
        self._numbers = count()

    async def answer(self, channel_ids: frozenset[str]) -> None:
        """Answer one conversation, if the one that is chosen can be answered."""
        chosen = await self._newest.choose(channel_ids)
        if chosen is None or chosen[1].source not in self._intakes:
            return
        conversation, thread = chosen
        number = next(self._numbers)
        words = self._answers.words(number)
        form = _FORMS.get(thread.source)
        content = {"text": words} if form is None else form(words)
        self._answers.note(number, Answer(thread, conversation, is_certain=False))
        asked = {"conversation_id": conversation, "message": content}
        await self._inbox.call("/messages.send", asked, key=words.replace(" ", "-"))
        self._answers.note(number, Answer(thread, conversation, is_certain=True))
