"""One bot at work: questions to it and what it says, one after the other in each conversation.

1. Before a bot is asked about a message, a record says so, and only who made the first such record
   may ask. A process that is killed after it leaves the message unanswered, never asked twice.
2. What it says are commands like those of users. Whether people have taken over meanwhile is found
   out where they are carried out.
3. Nobody waits for a bot but the next questions of its conversation.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable

import msgspec

from airy_ray.bots import wording
from airy_ray.bots.bot import Answer, Bot, Line, Question
from airy_ray.bots.contents import contents
from airy_ray.clock import Micros, now_micros
from airy_ray.cluster.bot_metrics import Outcome
from airy_ray.cluster.own_partitions import OwnPartitions
from airy_ray.cluster.platform_calls import PlatformCalls
from airy_ray.cluster.turns import Turns
from airy_ray.delivery.lanes import Turn
from airy_ray.errors import BotError
from airy_ray.model import json_text
from airy_ray.model.commands import AnyCommand, SendMessage, SuggestReplies
from airy_ray.model.events import BotAsked, DialogueKept
from airy_ray.model.ids import (
    CommandId,
    ConversationId,
    MessageId,
    PartitionIndex,
    command_id,
    format_id,
    parse_id,
    slot_of,
)
from airy_ray.model.message import Message
from airy_ray.sources.sending import Reply
from airy_ray.state.queries import Reading

logger = logging.getLogger(__name__)

_WAITING_MAX = 1_000
"""How many questions wait for a bot here; the others wait in the change feed."""
_TAKEN_OVER = 409


class _Asked(msgspec.Struct, frozen=True, gc=False):
    """A message of a contact's, the question that it is, and whether bots are to keep out."""

    message: Message
    question: Question
    is_with_people: bool


class Asking:
    """Asks one bot; used in one event loop."""

    def __init__(
        self,
        bot: Bot,
        partitions: OwnPartitions,
        calls: PlatformCalls,
        count: Callable[[str, Outcome], None],
    ) -> None:
        self.bot = bot
        self._partitions = partitions
        self._calls = calls
        self._count = count
        self._run = int(now_micros())
        self._turns = Turns(self._step, bot.at_once)
        self._waiting: dict[PartitionIndex, dict[MessageId, int]] = defaultdict(dict)
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def room(self) -> None:
        """Wait until not too many questions wait for the bot."""
        await self._has_room.wait()

    def add(
        self, index: PartitionIndex, conversation: ConversationId, message: MessageId, sequence: int
    ) -> None:
        """Ask about a message, which the change feed tells of at `sequence`, in its turn."""
        self._waiting[index].setdefault(message, sequence)
        self._turns.add(Turn(index, message, conversation, self.bot.name), sequence)
        if len(self._turns) >= _WAITING_MAX:
            self._has_room.clear()
        self._turns.begin()

    def settled(self, index: PartitionIndex, read_until: int) -> int:
        """Return before which place of a partition, read until another, no question waits."""
        return min(self._waiting[index].values(), default=read_until)

    async def stop(self, within_s: float) -> None:
        """Ask nothing more; hear what the bot is saying out if it takes no longer."""
        await self._turns.stop(within_s)

    async def _step(self, turn: Turn) -> None:
        """Ask about one message, whatever comes of it."""
        outcome: Outcome | None = "failed"
        try:
            outcome = await self._ask(turn)
        except BotError as error:
            self._warn(turn, error.reason)
        except Exception:  # whatever it is, it must not hold up other questions
            logger.exception("message %s: %s failed", format_id(turn.message_id), self.bot.name)
        if outcome is not None:
            self._count(self.bot.name, outcome)
        self._waiting[turn.partition].pop(turn.message_id, None)
        if len(self._turns) <= _WAITING_MAX:  # this one is over
            self._has_room.set()

    async def _ask(self, turn: Turn) -> Outcome | None:
        """Ask the bot, once at most, and say what it says; None if it is not to be asked."""
        asked = await self._partitions.ask(
            turn.partition, _question, turn.message_id, self.bot.name, self.bot.lines_max
        )
        if asked is None:
            return None
        if asked.is_with_people and not self.bot.only_suggests:
            return None
        if not await self._is_first(turn):
            return None
        call = self.bot.call(asked.question)
        reply = await self._calls.made(call, is_deduplicating=True)  # it is not asked again
        if not isinstance(reply, Reply):
            raise BotError(reply.reason)
        return await self._say(turn, asked.message, self.bot.answer(reply))

    async def _is_first(self, turn: Turn) -> bool:
        """Say that the bot is going to be asked; return whether nobody was before."""
        conversation, name = turn.conversation_id, self.bot.name
        event = BotAsked(turn.message_id, conversation, name, self._run)
        await self._partitions.tell(turn.partition, event)
        run = await self._partitions.ask(
            turn.partition, Reading.asked_by, conversation, turn.message_id, name
        )
        return run == self._run

    async def _say(self, turn: Turn, message: Message, answer: Answer) -> Outcome:
        """Have said what a bot says: as messages of ours, or as proposals."""
        if answer.context is not None:
            kept = DialogueKept(turn.conversation_id, self.bot.name, answer.context)
            await self._partitions.tell(turn.partition, kept)
        said = [each for said in answer.said for each in contents(message.source, said)]
        if not said:
            return "silent"
        if self.bot.only_suggests:
            return await self._suggest(turn, said)
        at = Micros(0)
        for number, content in enumerate(said):
            command = SendMessage(
                id=format_id(self._command_id(turn, number)),
                principal=self.bot.sender,
                conversation_id=format_id(turn.conversation_id),
                message=msgspec.Raw(content),
            )
            at = Micros(max(now_micros(), at + 1_000))  # those of one millisecond have no order
            if (status := await self._carried_out(turn, command, at)) != 200:
                self._warn(turn, f"what it says is refused: {status}")
                return "with_people" if status == _TAKEN_OVER else "failed"
        return "answered"

    async def _suggest(self, turn: Turn, said: list[bytes]) -> Outcome:
        command = SuggestReplies(
            id=format_id(self._command_id(turn, 0)),
            principal=self.bot.sender,
            message_id=format_id(turn.message_id),
            suggestions={
                f"{self.bot.name}-{number}": json_text.decode(content)
                for number, content in enumerate(said, 1)
            },
        )
        status = await self._carried_out(turn, command, now_micros())
        return "suggested" if status == 200 else "failed"

    async def _carried_out(self, turn: Turn, command: AnyCommand, at: Micros) -> int | None:
        """Have a command carried out; return what it was answered with."""
        await self._partitions.command(turn.partition, command, at)
        identifier = CommandId(parse_id(command.id))
        answer = await self._partitions.ask(turn.partition, Reading.answer, identifier)
        return None if answer is None else answer.status

    def _command_id(self, turn: Turn, number: int) -> CommandId:
        seed = b"%b\0%b\0%d" % (turn.message_id, self.bot.name.encode(), number)
        return command_id(slot_of(turn.conversation_id), seed)

    def _warn(self, turn: Turn, reason: str) -> None:
        logger.warning("message %s: %s: %s", format_id(turn.message_id), self.bot.name, reason)


def _question(view: Reading, identifier: MessageId, bot: str, lines_max: int) -> _Asked | None:
    """Return what a bot is to be asked about a message; None if nothing, or it was already."""
    key, message = view.message_key(identifier), view.message(identifier)
    if key is None or message is None or not message.from_contact:
        return None
    conversation = view.conversation(message.conversation_id)
    is_asked = view.asked_by(message.conversation_id, identifier, bot) is not None
    if conversation is None or is_asked:
        return None
    before = view.messages(conversation.id, key, lines_max) if lines_max else []
    question = Question(
        wording.asked(message.source, message.content),
        format_id(conversation.id),
        view.dialogue(conversation.id, bot),
        _lines(before, message),
    )
    return _Asked(message, question, conversation.is_with_people)


def _lines(newest_first: list[Message], asked: Message) -> tuple[Line, ...]:
    """Return what was said last in words, oldest first."""
    lines = []
    for each in reversed(newest_first):
        if each.from_contact:
            text = wording.said(each.source, each.content)
            text = text or (wording.NO_TEXT if each.id == asked.id else "")
        else:
            text = wording.answered(each.content)
        if text:
            lines.append(Line(each.from_contact, text))
    return tuple(lines)
