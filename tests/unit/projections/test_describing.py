"""What users keep with conversations, messages and channels; tags and templates."""

import json
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model.commands import (
    AnyCommand,
    CreateTag,
    CreateTemplate,
    DeleteTag,
    DeleteTemplate,
    DescribeConversation,
    UpdateTag,
    UpdateTemplate,
    UpsertMetadata,
)
from airy_ray.model.ids import format_id, parse_id
from airy_ray.projections.commands import carry_out
from airy_ray.projections.view import Answer
from tests import builders
from tests.builders import NOW, message_received
from tests.fakes import MemoryView, folded

ID = format_id(builders.command_id())
ADA = format_id(builders.conversation_id())


def carried_out(view: MemoryView, command: AnyCommand, at: int = NOW) -> Answer:
    view.requests.delete(parse_id(ID))
    carry_out(view, command, b"asked", Millis(at))
    answer = view.requests.get(parse_id(ID))
    assert answer is not None
    return answer


def described(view: MemoryView) -> Any:
    conversation = view.conversations.get(builders.conversation_id())
    assert conversation is not None
    return json.loads(conversation.metadata)


def test_a_conversation_is_tagged_and_untagged() -> None:
    view = folded(message_received())
    tag = DescribeConversation(id=ID, conversation_id=ADA, values={"tags.t1": ""})
    untag = DescribeConversation(id=ID, conversation_id=ADA, removed=("tags.t1",))

    assert carried_out(view, tag).status == 204
    assert described(view) == {"tags": {"t1": ""}}
    assert carried_out(view, untag, NOW + 1).status == 204
    assert described(view) == {}


def test_taking_away_what_is_not_there_changes_nothing() -> None:
    view = folded(message_received())
    view.changes.clear()
    untag = DescribeConversation(id=ID, conversation_id=ADA, removed=("state",))

    assert carried_out(view, untag).status == 204
    assert view.changes == []


def test_a_conversation_that_nobody_knows_is_not_described() -> None:
    view = MemoryView()
    command = DescribeConversation(id=ID, conversation_id=ADA, values={"state": "OPEN"})

    assert carried_out(view, command).status == 404
    assert view.metadata.under(b"") == []


def upsert(subject: Any, identifier: str, values: dict[str, Any]) -> UpsertMetadata:
    return UpsertMetadata(id=ID, subject=subject, subject_id=identifier, values=values)


def test_values_are_kept_under_user_data() -> None:
    view = folded(message_received())
    first = {"seq": 42, "sentFrom": "iPhone", "assignees": ["Alice", "Bob"], "a": {"b": True}}
    carried_out(view, upsert("conversation", ADA, first))
    carried_out(view, upsert("conversation", ADA, {"a": {"c": None}}), NOW + 1)

    assert described(view) == {
        "user_data": first | {"seq": 42.0, "a": {"b": True, "c": None}},
    }


def test_values_of_a_message_are_shown_where_it_is_the_last() -> None:
    view = folded(message_received())
    message = format_id(builders.message_id())
    carried_out(view, upsert("message", message, {"seq": 1}))
    conversation = view.conversations.get(builders.conversation_id())

    assert conversation is not None
    assert b'"user_data":{"seq":1.0}' in conversation.last_message


def test_values_may_come_before_their_message() -> None:
    view = MemoryView()
    message = format_id(builders.message_id())

    assert carried_out(view, upsert("message", message, {"seq": 1})).status == 204
    folded(message_received(), onto=view)
    [(_, stored)] = view.messages.under(b"")
    assert json.loads(stored.metadata)["user_data"] == {"seq": 1.0}


def test_values_may_come_before_their_channel() -> None:
    view = MemoryView()
    page = builders.channel()

    assert carried_out(view, upsert("channel", format_id(page.id), {"k": "v"})).status == 204
    assert [item.value for _, item in view.metadata.under(b"")] == [b'"v"']


def test_values_of_a_channel_are_shown_with_it() -> None:
    view = MemoryView()
    page = builders.channel()
    view.registry_channels.put(page.id, page)
    carried_out(view, upsert("channel", format_id(page.id), {"k": "v"}))
    stored = view.registry_channels.get(page.id)

    assert stored is not None
    assert json.loads(stored.metadata)["user_data"] == {"k": "v"}


def test_a_tag_is_made_changed_and_deleted() -> None:
    view = MemoryView()
    made = json.loads(carried_out(view, CreateTag(id=ID, name="vip", color="tag-red")).body)
    identifier = made["id"]
    renamed = carried_out(view, UpdateTag(id=ID, tag_id=identifier, name="VIP"))
    [(_, stored)] = view.tags.under(b"")

    assert made == {"id": identifier, "name": "vip", "color": "tag-red"}
    assert renamed.status == 204
    assert (stored.name, stored.color) == ("VIP", "tag-red")
    assert [json.loads(each.event)["payload"]["name"] for each in view.changes] == ["vip", "VIP"]
    assert carried_out(view, DeleteTag(id=ID, tag_id=identifier)).status == 204
    assert view.tags.under(b"") == []


def test_a_template_is_made_changed_and_deleted() -> None:
    view = MemoryView()
    create = CreateTemplate(id=ID, name="hello", source="google", content={"a": [1, 1.5]})
    made = json.loads(carried_out(view, create).body)
    identifier = made["id"]
    update = UpdateTemplate(id=ID, template_id=identifier, content="text")
    changed = json.loads(carried_out(view, update).body)

    assert made["content"] == {"a": [1, 1.5]}
    assert changed == made | {"content": "text"}
    assert carried_out(view, DeleteTemplate(id=ID, template_id=identifier)).status == 204
    assert view.templates.under(b"") == []


@pytest.mark.parametrize(
    "command",
    [
        UpdateTag(id=ID, tag_id=ADA, name="x"),
        DeleteTag(id=ID, tag_id=ADA),
        UpdateTemplate(id=ID, template_id=ADA, name="x"),
        DeleteTemplate(id=ID, template_id=ADA),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_is_not_there_is_not_found(command: AnyCommand) -> None:
    assert carried_out(MemoryView(), command).status == 404


def test_lone_surrogates_are_kept_as_they_came() -> None:
    """The door takes them out of the way; what is stored has them again."""
    view = MemoryView()
    shielded = msgspec.json.decode(b'"\xef\xb7\x90lone:d83d"')
    answer = carried_out(view, CreateTag(id=ID, name=shielded, color="tag-red"))

    assert rb'"name":"\ud83d"' in answer.body
