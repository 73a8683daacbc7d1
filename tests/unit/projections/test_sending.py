"""Messages of ours: sent, held for their conversation, sent again, and answers proposed."""

import json
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model.commands import AnyCommand, ResendMessage, SendMessage, SuggestReplies
from airy_ray.model.ids import CommandId, format_id, message_of_command, parse_id
from airy_ray.model.message import Message
from airy_ray.partition.fold import decode_event
from airy_ray.projections.commands import carry_out
from airy_ray.projections.messages import HELD_MAX, HOLD_MS
from airy_ray.projections.project import project
from airy_ray.projections.view import Answer
from tests import builders
from tests.builders import NOW, channel_seen, message_failed, message_received, message_sent
from tests.fakes import MemoryView, folded

ADA = format_id(builders.conversation_id())


def carried_out(view: MemoryView, command: AnyCommand, at: int = NOW) -> Answer:
    carry_out(view, command, b"asked", Millis(at))
    view.begin(view.position + 1)
    answer = view.requests.get(parse_id(command.id))
    assert answer is not None
    return answer


def send(seed: str = "one", message: bytes = b'{"text":"Hello"}', **fields: Any) -> SendMessage:
    return SendMessage(
        id=format_id(builders.command_id(seed)),
        principal="agent",
        conversation_id=ADA,
        message=msgspec.Raw(message),
        **fields,
    )


def to_a_website(seed: str = "one") -> SendMessage:
    channel = format_id(builders.place(source="chatplugin").channel_id)
    return send(seed, channel_id=channel, source="chatplugin", recipient_id="ada")


def stored(view: MemoryView, seed: str = "one") -> Message:
    command = CommandId(builders.command_id(seed))
    key = view.message_keys.get(message_of_command(command, builders.conversation_id()))
    assert key is not None
    message = view.messages.get(key)
    assert message is not None
    return message


def kinds(view: MemoryView) -> list[str]:
    return [change.kind for change in view.changes]


def fall_due(view: MemoryView, at: int) -> None:
    for key, timer in view.timers.under(b""):
        view.timers.delete(key)
        project(view, decode_event(timer.event), Millis(at))
        view.begin(view.position + 1)


def test_a_message_waits_for_its_source_to_take_it() -> None:
    view = folded(message_received())
    answer = carried_out(view, send())
    shown = json.loads(answer.body)

    assert answer.status == 200
    assert (shown["delivery_state"], shown["from_contact"]) == ("pending", False)
    assert (shown["metadata"], shown["sender"]["id"]) == ({}, "agent")
    assert shown["source"] == "facebook"
    assert stored(view).content == b'{"text":"Hello"}'
    assert view.sends.get(stored(view).id) == builders.dispatch(1)


def test_what_a_source_wants_to_be_kept_with_a_message_is() -> None:
    ticket = {"receipt.ticket": b'"T-9"', "source.queue": b"2.0"}
    taken = msgspec.structs.replace(builders.message_delivered(known_as="a-1"), metadata=ticket)
    view = folded(message_sent(), taken)
    key = view.message_keys.get(builders.sent_id())
    message = None if key is None else view.messages.get(key)

    assert message is not None
    assert json.loads(message.metadata) == {
        "receipt": {"ticket": "T-9"},
        "source": {"id": "a-1", "queue": 2.0},
    }
    assert kinds(view)[-2:] == ["message.updated", "metadata.updated"]


def test_a_visitor_of_a_website_has_a_message_at_once() -> None:
    """Contract §12.3: no subscriber is needed; the answer says pending, the list delivered."""
    view = MemoryView()
    answer = carried_out(view, to_a_website())

    assert json.loads(answer.body)["delivery_state"] == "pending"
    assert stored(view).delivery_state == "delivered"
    assert kinds(view) == ["message.created", "message.updated"]
    assert view.sends.under(b"") == []


def test_the_first_message_of_a_conversation_is_ours() -> None:
    view = MemoryView()
    page = format_id(builders.place().channel_id)
    answer = carried_out(view, send(channel_id=page, source="facebook", recipient_id="ada"))
    conversation = view.conversations.get(builders.conversation_id())

    assert answer.status == 200
    assert conversation is not None
    assert conversation.source_conversation_id == "ada"
    assert conversation.unread_count is None
    assert stored(view).recipient_id == "ada"


def test_what_the_contact_answers_comes_into_the_conversation_that_we_began() -> None:
    view = MemoryView()
    page = format_id(builders.place().channel_id)
    carried_out(view, send(channel_id=page, source="facebook", recipient_id="ada"))
    folded(message_received(sent_at=NOW + 1), onto=view)

    assert len(view.conversations.under(b"")) == 1


def test_nothing_is_sent_on_a_channel_that_is_disconnected() -> None:
    view = folded(message_received(), channel_seen(connected=False))

    assert carried_out(view, send()).status == 403
    assert len(view.messages.under(b"")) == 1


def test_a_message_to_an_unknown_conversation_waits_for_it() -> None:
    view = MemoryView()
    answer = carried_out(view, send())
    shown = json.loads(answer.body)

    assert (answer.status, shown["source"], shown["delivery_state"]) == (202, "", "pending")
    assert view.messages.under(b"") == []

    folded(message_received(sent_at=NOW - 1), onto=view, at=NOW + 5)
    message = stored(view)

    assert (message.source, message.channel_id) == ("facebook", builders.place().channel_id)
    assert (message.sent_at, format_id(message.id)) == (NOW, shown["id"])
    assert view.sends.get(message.id) == builders.dispatch(1, since=NOW + 5)
    fall_due(view, NOW + HOLD_MS)
    assert stored(view) == message


def test_several_messages_wait_in_order() -> None:
    view = MemoryView()
    for second, seed in enumerate(("one", "two")):
        carried_out(view, send(seed), at=NOW + second)
    folded(message_received(sent_at=NOW - 1), onto=view)

    assert [each.sent_at for _, each in view.messages.under(b"")] == [NOW + 1, NOW, NOW - 1]


def test_of_a_conversation_that_does_not_appear_only_the_reason_is_told() -> None:
    view = MemoryView()
    shown = json.loads(carried_out(view, send()).body)
    fall_due(view, NOW + HOLD_MS)
    [change] = view.changes
    told = json.loads(change.event)

    assert told["payload"] == {
        "subject": "message",
        "identifier": shown["id"],
        "metadata": {"error": "Conversation id not found"},
    }
    assert view.messages.under(b"") == []
    assert view.held.under(b"") == []


def test_what_has_waited_long_enough_is_not_sent_later() -> None:
    view = MemoryView()
    carried_out(view, send())
    fall_due(view, NOW + HOLD_MS)
    folded(message_received(sent_at=NOW + HOLD_MS + 1), onto=view)

    assert len(view.messages.under(b"")) == 1


def test_what_waited_for_a_conversation_of_a_disconnected_channel_fails() -> None:
    view = folded(channel_seen(connected=False))
    carried_out(view, send())
    folded(message_received(sent_at=NOW - 1), onto=view)
    message = stored(view)

    assert message.delivery_state == "failed"
    assert json.loads(message.metadata) == {"error": "Channel not connected"}
    assert view.sends.under(b"") == []


def test_only_so_many_messages_wait_for_one_conversation() -> None:
    view = MemoryView()
    statuses = [carried_out(view, send(str(index))).status for index in range(HELD_MAX + 1)]

    assert statuses == [202] * HELD_MAX + [400]


def resend(message: Message, seed: str = "again") -> ResendMessage:
    return ResendMessage(id=format_id(builders.command_id(seed)), message_id=format_id(message.id))


def test_a_message_that_failed_is_sent_once_more() -> None:
    view = folded(message_received(), message_sent(), message_failed(answer="no"))
    view.changes.clear()
    answer = carried_out(view, resend(builders.sent_message()), at=NOW + 5)
    message = view.messages.get(view.message_keys.get(builders.sent_id()) or b"")

    assert (answer.status, answer.body) == (200, b"")
    assert message == builders.sent_message()
    assert view.sends.get(builders.sent_id()) == builders.dispatch(3, since=NOW + 5)
    assert kinds(view)[0] == "message.created"


def test_a_message_that_has_not_failed_is_not_sent_again() -> None:
    view = folded(message_received(), message_sent())
    answer = carried_out(view, resend(builders.sent_message()))

    assert answer.status == 409
    assert json.loads(answer.body) == {"message": "Message is not in a failed state"}


def suggest(suggestions: dict[str, Any], seed: str = "suggested") -> SuggestReplies:
    return SuggestReplies(
        id=format_id(builders.command_id(seed)),
        message_id=format_id(builders.message_id()),
        suggestions=suggestions,
    )


def test_proposed_answers_are_added_to_those_before() -> None:
    view = folded(message_received())
    carried_out(view, suggest({"a": {"text": "Yes", "n": 1}}, "one"))
    answer = carried_out(view, suggest({"b": {"text": "No"}}, "two"))
    shown = json.loads(answer.body)

    assert answer.status == 200
    assert shown["metadata"]["suggestions"] == {
        "a": {"content": {"text": "Yes", "n": 1}},
        "b": {"content": {"text": "No"}},
    }


@pytest.mark.parametrize("command", [suggest({}), resend(builders.sent_message())])
def test_what_is_about_no_message_is_not_found(command: AnyCommand) -> None:
    assert carried_out(MemoryView(), command).status == 404
