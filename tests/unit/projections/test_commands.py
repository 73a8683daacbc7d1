import json
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.commands import (
    AnyCommand,
    ConnectChannel,
    DisconnectChannel,
    MarkRead,
    UpdateChannel,
    VisitorSend,
)
from airy_ray.model.ids import CommandId, channel_id, format_id, slot_of
from airy_ray.projections.commands import IGNORED_REPEATED, carry_out
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import Answer
from tests import builders, manifests
from tests.builders import NOW, message_received
from tests.fakes import MemoryPartition, MemoryView, folded

ID = format_id(builders.command_id())
ADA = format_id(builders.conversation_id())
PAGE = format_id(channel_id("chatplugin", "shop"))


def carried_out(
    command: AnyCommand, onto: MemoryView | None = None, *, digest: bytes = b"asked", at: int = NOW
) -> tuple[MemoryView, Effect, Answer]:
    view = MemoryView() if onto is None else onto
    effect = carry_out(view, command, digest, Millis(at))
    answer = view.requests.get(builders.command_id())
    assert answer is not None
    return view, effect, answer


def visitor_send(message: bytes = b'{"text":"Hi"}', id: str = ID) -> VisitorSend:
    return VisitorSend(id=id, conversation_id=ADA, channel_id=PAGE, message=msgspec.Raw(message))


def connect(**fields: Any) -> ConnectChannel:
    told = {"source": "facebook", "source_channel_id": "page-1", "channel_id": PAGE} | fields
    return ConnectChannel(id=ID, **told)


def test_mark_read_is_answered_with_nothing() -> None:
    view = folded(message_received(sent_at=5))
    _, _, answer = carried_out(MarkRead(id=ID, conversation_id=ADA), view, at=6)

    assert answer == Answer(b"asked", 204, at=Millis(6))
    assert view.unread.under(b"") == []


def test_a_visitors_message_is_stored_and_answered() -> None:
    view, effect, answer = carried_out(visitor_send(b'{ "text" : "Hi" }'), at=NOW)
    [(_, stored)] = view.messages.under(b"")
    shown = json.loads(answer.body)

    assert (effect.verdict, answer.status) == ("created", 200)
    assert (stored.content, stored.sent_at, stored.from_contact) == (b'{"text":"Hi"}', NOW, True)
    assert (shown["id"], shown["content"]) == (format_id(stored.id), {"text": "Hi"})
    assert (shown["metadata"], shown["sender"]["id"]) == (None, ADA)


def test_a_visitors_message_is_in_the_slot_of_its_conversation() -> None:
    view, _, _ = carried_out(visitor_send())
    [(_, stored)] = view.messages.under(b"")

    assert slot_of(stored.id) == slot_of(builders.conversation_id())


@pytest.mark.parametrize("message", [b'"text"', b"5", b"[1]", b"false", rb'"\ud83d"', b"1e400"])
def test_a_visitor_may_send_any_json(message: bytes) -> None:
    view, _, answer = carried_out(visitor_send(message))
    [(_, stored)] = view.messages.under(b"")

    assert stored.content == message
    assert b'"content":' + message + b"," in answer.body


@pytest.mark.parametrize("message", [rb'"\ud83d"', b"1e400", b"[" * 100 + b"]" * 100])
def test_any_json_reaches_the_projection_through_the_log(message: bytes) -> None:
    partition = MemoryPartition()
    partition.append(builders.command_record(visitor_send(json_text.shield(message))))
    [(_, stored)] = partition.view.messages.under(b"")

    assert stored.content == message


def test_a_command_that_comes_twice_is_carried_out_once() -> None:
    view, _, first = carried_out(visitor_send())
    _, effect, second = carried_out(visitor_send(), view, at=NOW + 5)

    assert effect == IGNORED_REPEATED
    assert second == first
    assert len(view.messages.under(b"")) == 1


def test_an_id_that_is_used_for_something_else_keeps_its_first_answer() -> None:
    """By its digest the caller sees that this answer is not to his request, which gives a 409."""
    view, _, first = carried_out(visitor_send(b'"one"'), digest=b"one")
    _, effect, second = carried_out(visitor_send(b'"other"'), view, digest=b"other")

    assert effect == IGNORED_REPEATED
    assert second == first
    assert second.digest == b"one"


def test_two_commands_make_two_messages_of_the_same_text() -> None:
    view, _, _ = carried_out(visitor_send())
    carried_out(visitor_send(id=format_id(builders.command_id("another"))), view)

    assert len(view.messages.under(b"")) == 2


def test_a_channel_is_connected_and_answered() -> None:
    view, _, answer = carried_out(connect(token="t", metadata={"name": "Shop", "a": {"b": 1}}))
    [(_, stored)] = view.registry_channels.under(b"")

    assert (stored.connected, stored.token, stored.changed_at) == (True, "t", NOW)
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "id": PAGE,
        "source": "facebook",
        "source_channel_id": "page-1",
        "connected": True,
        "metadata": {"name": "Shop", "a": {"b": 1.0}},
    }


def test_a_channel_without_an_id_gets_a_new_one_from_each_command() -> None:
    made = []
    for seed in ("one", "two"):
        command = msgspec.structs.replace(
            connect(channel_id=None), id=format_id(builders.command_id(seed))
        )
        view = MemoryView()
        carry_out(view, command, b"", NOW)
        made += [key for key, _ in view.registry_channels.under(b"")]

    assert len(set(made)) == 2


@pytest.mark.parametrize("is_known", [True, False])
def test_disconnecting_says_whether_there_was_a_channel(is_known: bool) -> None:
    view = MemoryView()
    if is_known:
        stored = builders.channel("shop", source="chatplugin")
        view.registry_channels.put(stored.id, stored)
    _, _, answer = carried_out(DisconnectChannel(id=ID, channel_id=PAGE), view)

    assert answer == Answer(b"asked", 204 if is_known else 404, at=NOW)


def test_an_update_shows_the_channel_as_it_is_now() -> None:
    view = MemoryView()
    stored = builders.channel("shop", source="chatplugin")
    view.registry_channels.put(stored.id, stored)
    command = UpdateChannel(id=ID, channel_id=PAGE, metadata={"name": "New"})
    _, _, answer = carried_out(command, view)

    assert json.loads(answer.body)["metadata"] == {"name": "New"}


def test_an_update_of_an_unknown_channel_is_not_found() -> None:
    command = UpdateChannel(id=ID, channel_id=PAGE, metadata={"name": "New"})

    assert carried_out(command)[2] == Answer(b"asked", 404, at=NOW)


SENDS = [case for case in manifests.cases("chatplugin") if case.expected["messages"]]


@pytest.mark.parametrize("case", manifests.params(SENDS))
def test_what_a_visitor_sends_becomes_the_message_of_the_fixture(case: manifests.Case) -> None:
    [expected] = case.expected["messages"]
    sent = msgspec.json.decode(case.body(), type=dict[str, msgspec.Raw])["message"]
    command = VisitorSend(
        id=format_id(CommandId(builders.command_id())),
        conversation_id=expected["conversation_id"],
        channel_id=expected["channel_id"],
        message=sent,
    )
    partition = MemoryPartition()
    partition.append(builders.command_record(command, at=NOW))
    [(_, stored)] = partition.view.messages.under(b"")

    assert json.loads(stored.content) == expected["content"]
    assert format_id(stored.conversation_id) == expected["conversation_id"]
    assert (stored.sender_id, stored.from_contact) == (expected["sender_id"], True)
    assert (stored.source_message_id, stored.sent_at) == (None, NOW)
