"""Bots: asked once about each message, kept out where people have taken over."""

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model.commands import AnyCommand, DescribeConversation, SendMessage
from airy_ray.model.events import BotAsked, ConversationsErased, DialogueKept
from airy_ray.model.hand_over import BOTS
from airy_ray.model.ids import CommandId, contact_id, format_id, message_of_command, parse_id
from airy_ray.projections import keys
from airy_ray.projections.commands import carry_out
from tests import builders
from tests.builders import NOW, conversation_described, message_received
from tests.fakes import MemoryView, folded

ADA = builders.conversation_id()
ERASED = ConversationsErased((ADA,), (contact_id(ADA),), Millis(NOW + 1), is_whole=True)


def asked(name: str = "m1", *, bot: str = "rasa", run: int = 1) -> BotAsked:
    return BotAsked(builders.message_id(name), ADA, bot, run)


def asked_by(view: MemoryView, name: str = "m1", bot: str = "rasa") -> int | None:
    run = view.asked.get(keys.asked(ADA, builders.message_id(name), bot))
    return None if run is None else int.from_bytes(run, "big")


def carried_out(view: MemoryView, command: AnyCommand) -> int:
    carry_out(view, command, b"asked", Millis(NOW))
    view.begin(view.position + 1)
    answer = view.requests.get(parse_id(command.id))
    assert answer is not None
    return answer.status


def say(view: MemoryView, seed: str, principal: str) -> int:
    """Have somebody of ours write; return what that is answered with."""
    command = SendMessage(
        id=format_id(builders.command_id(seed)),
        principal=principal,
        conversation_id=format_id(ADA),
        message=msgspec.Raw(b'{"text":"Hello"}'),
    )
    return carried_out(view, command)


def set_state(view: MemoryView, state: str | None, seed: str) -> None:
    command = DescribeConversation(
        id=format_id(builders.command_id(seed)),
        conversation_id=format_id(ADA),
        values={} if state is None else {"state": state},
        removed=("state",) if state is None else (),
    )
    assert carried_out(view, command) == 204


def is_with_people(view: MemoryView) -> bool:
    conversation = view.conversations.get(ADA)
    assert conversation is not None
    return conversation.is_with_people


def test_the_first_to_ask_may() -> None:
    view = folded(message_received(), asked(run=7), asked(run=8))

    assert asked_by(view) == 7


def test_each_bot_is_asked_about_each_message() -> None:
    view = folded(message_received(), message_received("m2"), asked(), asked("m2", run=2))
    folded(asked(bot="openai", run=3), onto=view)

    assert (asked_by(view), asked_by(view, "m2"), asked_by(view, bot="openai")) == (1, 2, 3)


def test_nobody_is_asked_about_what_is_not_there() -> None:
    assert asked_by(folded(asked())) is None
    assert asked_by(folded(message_received(), ERASED, asked())) is None


def test_what_a_bot_wants_to_be_told_is_what_it_said_last() -> None:
    kept = [DialogueKept(ADA, "rasa", context) for context in (b'{"n":1}', b'{"n":2}')]
    view = folded(message_received(), *kept)

    assert view.dialogues.get(keys.dialogue(ADA, "rasa")) == b'{"n":2}'


def test_what_a_bot_wants_to_be_told_of_who_was_erased_is_swept() -> None:
    view = folded(message_received(), ERASED, DialogueKept(ADA, "rasa", b"{}"))
    tombstone = view.tombstones.get(ADA)

    assert view.dialogues.under(b"") == []
    assert tombstone is not None
    assert tombstone.sweeps_at is not None


@pytest.mark.parametrize("bot", sorted(BOTS))
def test_a_bot_answers_and_keeps_the_conversation(bot: str) -> None:
    view = folded(message_received())

    assert [say(view, seed, bot) for seed in ("1", "2")] == [200, 200]
    assert is_with_people(view) is False


def test_a_bot_is_refused_where_people_have_written() -> None:
    view = folded(message_received())
    assert say(view, "person", "google:ada") == 200
    before = view.rows()["messages"]

    assert say(view, "bot", "rasa-bot") == 409
    assert view.rows()["messages"] == before


def test_a_bot_says_nothing_to_who_is_not_there() -> None:
    view = folded(message_received(), ERASED)

    assert say(view, "bot", "rasa-bot") == 404
    assert view.held.under(b"") == []
    command = CommandId(builders.command_id("bot"))
    assert view.message_keys.get(message_of_command(command, ADA)) is None


@pytest.mark.parametrize(
    ("state", "is_theirs"), [("OPEN", True), ("open", True), ("WAITING", True), ("CLOSED", False)]
)
def test_the_state_says_whose_a_conversation_is(state: str, is_theirs: bool) -> None:
    view = folded(message_received())
    set_state(view, state, "state")
    early = folded(conversation_described({"state": b'"%b"' % state.encode()}), message_received())

    assert is_with_people(view) is is_theirs
    assert is_with_people(early) is is_theirs


def test_what_came_last_decides() -> None:
    view = folded(message_received())
    set_state(view, "CLOSED", "first")
    say(view, "person", "agent")
    assert is_with_people(view) is True

    set_state(view, "CLOSED", "the same again")
    assert is_with_people(view) is False
    set_state(view, "closed", "another spelling")
    assert is_with_people(view) is False


def test_taking_the_state_away_says_nothing() -> None:
    view = folded(message_received())
    set_state(view, "OPEN", "open")
    set_state(view, None, "none")

    assert is_with_people(view) is True


def test_what_contacts_write_changes_nothing() -> None:
    view = folded(message_received())
    set_state(view, "OPEN", "open")
    folded(message_received("m2"), onto=view)

    assert is_with_people(view) is True
