"""Messages of ours: found once, and taken by their platform once and in order."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from airy_ray.simulator.intake import Intake
from airy_ray.simulator.oracle import FoundConversation, FoundMessage, Verdict
from airy_ray.simulator.story import Thread

_UNCERTAIN = "delivery uncertain"


@dataclass(frozen=True, slots=True)
class Answer:
    """A message of ours, in whose conversation; whether the system has acknowledged it."""

    thread: Thread
    conversation: str
    is_certain: bool


class Answers:
    """Remembers what was written, by number, and judges what became of it."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._numbers = re.compile(rf"answer {run}-(\d+)")
        self._sent: dict[int, Answer] = {}
        self._found: dict[int, list[tuple[str, FoundMessage]]] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._sent)

    def words(self, number: int) -> str:
        """Return what the answer of a number says."""
        return f"answer {self._run}-{number}"

    def note(self, number: int, answer: Answer) -> None:
        """Remember an answer."""
        self._sent[number] = answer

    def set_apart(self, found: Iterable[FoundConversation]) -> list[FoundConversation]:
        """Return what was found without answers, which are kept to be judged."""
        self._found = defaultdict(list)
        return [self._without(conversation) for conversation in found]

    def judge(self, intakes: Mapping[str, Intake], verdict: Verdict) -> None:
        """Note what is wrong with the answers that were set apart; `intakes` are by source."""
        taken = {source: self._taken(intake) for source, intake in intakes.items()}
        for number, answer in self._sent.items():
            self._judge(number, answer, taken[answer.thread.source].count(number), verdict)
        for numbers in taken.values():
            self._judge_order(numbers, verdict)

    def _without(self, conversation: FoundConversation) -> FoundConversation:
        kept = []
        for message in conversation.messages:
            number = self._number_in(message.content)
            if number is None:
                kept.append(message)
            else:
                self._found[number].append((conversation.identifier, message))
        return replace(conversation, messages=tuple(kept))

    def _number_in(self, content: Any) -> int | None:
        named = self._numbers.search(json.dumps(content))
        return int(named[1]) if named is not None else None

    def _taken(self, intake: Intake) -> list[int]:
        """Return the numbers of the answers that a platform took, oldest first."""
        numbers = [self._number_in(each.content) for each in intake.taken]
        return [number for number in numbers if number in self._sent]

    def _judge(self, number: int, answer: Answer, taken: int, verdict: Verdict) -> None:
        words, found = self.words(number), self._found.get(number, [])
        if len(found) > 1 or taken > 1:
            verdict.blame("twice", f"{words}, shown {len(found)}, taken {taken} times")
        if not found:
            if answer.is_certain or taken:
                verdict.blame("missing", f"{words} of {answer.thread}")
            return
        place, message = found[0]
        if place != answer.conversation:
            verdict.blame("misplaced", f"{words} in {place}")
        is_told = taken == 1 if message.state == "delivered" else message.state == "failed"
        if not is_told or (message.state == "failed" and not message.error.startswith(_UNCERTAIN)):
            verdict.blame(
                "not delivered", f"{words} is {message.state} {message.error}, taken {taken} times"
            )

    def _judge_order(self, numbers: list[int], verdict: Verdict) -> None:
        newest: dict[Thread, int] = {}
        for number in numbers:
            thread = self._sent[number].thread
            if newest.get(thread, -1) > number:
                verdict.blame("out of order", f"{self.words(number)} to {thread}")
            newest[thread] = number
