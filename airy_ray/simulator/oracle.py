"""What must be found: told by what was acknowledged alone, however the platform works inside.

1. Each acknowledged message exactly once, in its conversation, as it was written; each other one
   that was sent once at most; nothing else.
2. Messages of a conversation in order of `sent_at`.
3. The newest reaction, by its time, on its message.
4. As many unread as the contact wrote since all was marked as read.

What nobody acknowledged may have been stored or not. Where it makes a difference both are right.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from airy_ray.clock import Millis
from airy_ray.simulator.story import Reacted, Thread, Written

KINDS_OF_WRONG = (
    "missing",
    "twice",
    "unexpected",
    "altered",
    "misplaced",
    "out of order",
    "unread count",
    "reaction",
    "not delivered",
)

_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message as the API shows it; `key` is None for one that no simulator sent."""

    identifier: str
    key: str | None
    sent_at: Millis
    from_contact: bool
    content: Any
    reaction: str | None = None
    state: str = "delivered"
    error: str = ""


@dataclass(frozen=True, slots=True)
class FoundConversation:
    """A conversation as the API shows it, its messages in the order of the list: newest first."""

    identifier: str
    unread: int
    messages: tuple[FoundMessage, ...]


@dataclass
class Verdict:
    """What was found, against what must be.

    Attributes:
        wrong: how often something is wrong, by what it is.
        examples: some of that, one line each.
    """

    sent: int = 0
    acknowledged: int = 0
    found: int = 0
    conversations: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    def blame(self, what: str, example: str) -> None:
        """Note something wrong."""
        self.wrong[what] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{what}: {example}")


class Oracle:
    """Remembers what was sent and what became of it."""

    def __init__(self) -> None:
        self._sent: dict[str, Written] = {}
        self._acknowledged: set[str] = set()
        self._reactions: dict[str, Reacted] = {}
        self._open_reactions: set[Reacted] = set()
        self._unread: dict[Thread, set[str]] = defaultdict(set)
        self._perhaps_read: dict[Thread, set[str]] = defaultdict(set)
        self._open: dict[Thread, set[str]] = defaultdict(set)
        self._doubtful: set[str] = set()

    def send(self, written: Iterable[Written], reacted: Iterable[Reacted] = ()) -> None:
        """Note that these are on their way: from now on they may be there."""
        for each in written:
            self._sent.setdefault(each.key, each)
            if each.key not in self._acknowledged:
                self._open[each.thread].add(each.key)
        self._open_reactions.update(reacted)

    def acknowledge(self, written: Iterable[Written], reacted: Iterable[Reacted] = ()) -> None:
        """Note that these were acknowledged: from now on they must be there."""
        for each in written:
            if each.key not in self._acknowledged:
                self._acknowledge(each)
        for reaction in reacted:
            self._open_reactions.discard(reaction)
            newest = self._reactions.get(reaction.key)
            if newest is None or newest.at < reaction.at:
                self._reactions[reaction.key] = reaction

    def _acknowledge(self, written: Written) -> None:
        key, thread = written.key, written.thread
        self._sent[key] = written
        self._acknowledged.add(key)
        self._open[thread].discard(key)
        if written.from_contact:
            counted = self._perhaps_read if key in self._doubtful else self._unread
            counted[thread].add(key)

    def mark_read(self, thread: Thread, *, is_certain: bool = True) -> None:
        """Note that all of a conversation was marked as read; not certain without an answer."""
        unread = self._unread.pop(thread, set())
        if is_certain:
            self._perhaps_read.pop(thread, None)
        else:
            self._perhaps_read[thread] |= unread
        self._doubtful |= self._open[thread]  # stored before or after it, or never

    def thread_of(self, key: str) -> Thread | None:
        """Return the conversation of a message that was sent."""
        written = self._sent.get(key)
        return None if written is None else written.thread

    def verdict(self, found: Iterable[FoundConversation]) -> Verdict:
        """Compare what was found with what must be."""
        verdict = Verdict(sent=len(self._sent), acknowledged=len(self._acknowledged))
        doubtful = {each.key for each in self._open_reactions}
        seen: Counter[str] = Counter()
        places: dict[Thread, str] = {}
        for conversation in found:
            verdict.conversations += 1
            seen.update(each.key for each in conversation.messages if each.key in self._sent)
            self._judge(conversation, places, verdict)
            self._judge_reactions(conversation, doubtful, verdict)
        verdict.found = len(seen)
        for key, times in seen.items():
            if times > 1:
                verdict.blame("twice", f"{key}, {times} times")
        for key in sorted(self._acknowledged - seen.keys()):
            verdict.blame("missing", f"{key} of {self._sent[key].thread}")
        return verdict

    def _judge(
        self, conversation: FoundConversation, places: dict[Thread, str], verdict: Verdict
    ) -> None:
        threads = set()
        for message in conversation.messages:
            written = self._sent.get(message.key or "")
            if written is None:
                verdict.blame("unexpected", f"{message.key} as {message.identifier}")
                continue
            threads.add(written.thread)
            self._judge_message(message, written, verdict)
        for newer, older in pairwise(conversation.messages):
            if newer.sent_at < older.sent_at:
                verdict.blame("out of order", f"{newer.key} before {older.key}")
        for thread in threads:
            if len(threads) > 1 or places.setdefault(thread, conversation.identifier) != (
                conversation.identifier
            ):
                verdict.blame("misplaced", f"{thread} in {conversation.identifier}")
        if len(threads) == 1:
            self._judge_unread(threads.pop(), conversation, verdict)

    def _judge_message(self, message: FoundMessage, written: Written, verdict: Verdict) -> None:
        is_same = (
            message.from_contact == written.from_contact
            and message.content == json.loads(written.content)
            and written.sent_at in (None, message.sent_at)
            and written.identifier in (None, message.identifier)
        )
        if not is_same:
            verdict.blame("altered", f"{written} is {message}")

    def _judge_reactions(
        self, conversation: FoundConversation, doubtful: set[str], verdict: Verdict
    ) -> None:
        for message in conversation.messages:
            if message.key is None or message.key in doubtful:
                continue
            newest = self._reactions.get(message.key)
            emoji = None if newest is None else newest.emoji
            if message.reaction != emoji:
                verdict.blame("reaction", f"{message.reaction} on {message.key}, not {emoji}")

    def _judge_unread(
        self, thread: Thread, conversation: FoundConversation, verdict: Verdict
    ) -> None:
        least = len(self._unread.get(thread, ()))
        stored = [each for each in conversation.messages if each.key in self._open[thread]]
        perhaps = sum(each.from_contact for each in stored)
        most = least + len(self._perhaps_read.get(thread, ())) + perhaps
        if not least <= conversation.unread <= most:
            expected = f"{least}" if least == most else f"{least} to {most}"
            verdict.blame("unread count", f"{conversation.unread}, not {expected}, of {thread}")
