"""Custom sources: made and deleted by the registry, their messages folded by the partitions."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Micros, Millis
from airy_ray.model.channel import Channel
from airy_ray.model.commands import AnyCommand, CreateSource, DeleteSource, UpdateSource
from airy_ray.model.custom_source import BUILT_IN, is_custom
from airy_ray.model.ids import (
    ChannelId,
    PartitionIndex,
    channel_id,
    custom_conversation_id,
    format_id,
    message_id,
    owner_of,
    parse_id,
    partition_of,
    slot_of,
)
from airy_ray.partition.fold import decode_event
from airy_ray.partition.interpret import interpret
from airy_ray.partition.routing import custom_record_of, partitions_of, reroute
from airy_ray.projections.commands import carry_out
from airy_ray.projections.custom_sources import alias_of
from airy_ray.projections.project import project
from airy_ray.projections.view import Answer
from airy_ray.rawlog.record import Record
from tests import builders
from tests.builders import NOW
from tests.fakes import MemoryView

COUNT = 8
AT = Micros(NOW * 1_000)
CONVERSATION = custom_conversation_id("crm", "c-1")
MESSAGE = message_id(CONVERSATION, "m-1")


def connected(identifier: ChannelId) -> Channel | None:
    shop = builders.channel("shop", source="crm")
    return shop if identifier == shop.id else None


def nothing(_: ChannelId) -> Channel | None:
    return None


def said(text: str = "Hi", **fields: Any) -> dict[str, Any]:
    told = {
        "source_message_id": "m-1",
        "source_conversation_id": "c-1",
        "source_channel_id": "shop",
        "source_sender_id": "ada",
        "content": {"text": text},
        "from_contact": True,
        "sent_at": NOW,
    }
    return {"messages": [told | fields]}


def told(namespace: str, source_id: str, **values: Any) -> dict[str, Any]:
    return {"metadata": [{"namespace": namespace, "source_id": source_id, "metadata": values}]}


class World:
    """Partitions in memory, which send one another what they have for each other."""

    def __init__(self) -> None:
        self.views = [MemoryView() for _ in range(COUNT)]

    def take(self, *bodies: dict[str, Any], channels: Any = connected) -> list[Record]:
        """Have the source bring something in; return what is kept of it."""
        records = []
        for body in bodies:
            record = custom_record_of("crm", json.dumps(body).encode(), channels, AT)
            self.fold(record)
            records.append(record)
        return records

    def fold(self, record: Record) -> None:
        for index in partitions_of(record, COUNT):
            for event in interpret(record, index, COUNT).events:
                project(self.views[index], event, record.at)
            self._forward(index)

    def _forward(self, index: PartitionIndex) -> None:
        view = self.views[index]
        view.position += 1
        sent, view.outgoing = view.outgoing, []
        for each in sent:
            if each.slot is None:
                continue
            target = partition_of(each.slot, COUNT)
            project(self.views[target], decode_event(each.body), Millis(NOW))
            self._forward(target)

    @property
    def home(self) -> MemoryView:
        return self.views[owner_of(CONVERSATION, COUNT)]

    def message(self) -> Any:
        [(_, stored)] = self.home.messages.under(CONVERSATION)
        return stored


def metadata_of_message(world: World) -> Any:
    return json.loads(world.message().metadata)


def test_a_message_is_stored_as_its_source_tells_it() -> None:
    world = World()
    world.take(said(from_contact=False, source_sender_id="agent-7"))
    stored = world.message()

    assert (stored.id, stored.conversation_id, stored.source) == (MESSAGE, CONVERSATION, "crm")
    assert (stored.sender_id, stored.from_contact) == ("agent-7", False)
    assert (stored.delivery_state, stored.updated_at) == ("delivered", None)
    assert stored.channel_id == channel_id("crm", "shop")
    assert slot_of(stored.id) == slot_of(CONVERSATION)


def test_the_same_ids_again_replace_what_the_message_says() -> None:
    world = World()
    world.take(said("Hi"), said("Hello"), said("Hello"))

    assert json.loads(world.message().content) == {"text": "Hello"}
    assert world.message().updated_at is None
    assert world.home.conversations.get(CONVERSATION).message_count == 1  # type: ignore[union-attr]
    kinds = [change.kind for change in world.home.changes]
    assert kinds.count("message.created") == 2


def test_what_waits_for_a_channel_is_shown_once_that_is_connected() -> None:
    world = World()
    [record] = world.take(said() | told("conversation", "c-1", state="OPEN"), channels=nothing)
    assert world.home.messages.under(CONVERSATION) == []

    again = reroute(record, connected, lambda _: None, AT)
    assert again is not None
    world.fold(again[0])

    assert json.loads(world.message().content) == {"text": "Hi"}
    conversation = world.home.conversations.get(CONVERSATION)
    assert conversation is not None
    assert json.loads(conversation.metadata) == {"state": "OPEN"}


def test_metadata_of_a_conversation_reaches_it_before_and_after_its_first_message() -> None:
    world = World()
    world.take(
        told("conversation", "c-1", contact={"display_name": "Ada"}),
        said(),
        told("conversation", "c-1", state="OPEN"),
    )
    conversation = world.home.conversations.get(CONVERSATION)

    assert conversation is not None
    assert conversation.display_name == "Ada"
    assert json.loads(conversation.metadata) == {
        "state": "OPEN",
        "contact": {"display_name": "Ada"},
    }


@given(st.permutations([said(), told("message", "m-1", a={"b": 1}), told("message", "m-1", c="d")]))
def test_metadata_of_a_message_reaches_it_in_any_order(bodies: list[dict[str, Any]]) -> None:
    world = World()
    world.take(*bodies)

    assert metadata_of_message(world) == {"a": {"b": 1}, "c": "d", "source": {"id": "m-1"}}
    left = [view.metadata.under(b"m" + alias_of("crm", "m-1")) for view in world.views]
    assert left == [[]] * COUNT


def test_metadata_in_the_body_of_its_message_reaches_it() -> None:
    world = World()
    world.take(said() | told("message", "m-1", reaction={"emoji": "❤️"}))

    assert metadata_of_message(world)["reaction"] == {"emoji": "❤️"}


def test_metadata_of_a_message_that_is_not_known_waits_where_its_alias_will_be() -> None:
    world = World()
    world.take(told("message", "m-1", a=1))
    keeps = [bool(view.metadata.under(b"")) for view in world.views]

    assert keeps.index(True) == owner_of(alias_of("crm", "m-1"), COUNT)
    assert keeps.count(True) == 1


def test_long_keys_wait_whole() -> None:
    key = "k" * 300
    world = World()
    world.take(told("message", "m-1", **{key: "v"}), said())

    assert metadata_of_message(world)[key] == "v"


def test_two_sources_may_use_the_same_names() -> None:
    assert custom_conversation_id("crm", "c-1") != custom_conversation_id("erp", "c-1")
    assert alias_of("crm", "m-1") != alias_of("erp", "m-1")


@pytest.mark.parametrize(
    "name", [*sorted(BUILT_IN), "Facebook", "api", "", "a b", "a\0b", "ä", "x" * 101]
)
def test_no_custom_source_poses_as_another(name: str) -> None:
    assert not is_custom(name)


def test_a_built_in_source_is_never_read_as_a_custom_one() -> None:
    body = json.dumps(said()).encode()

    for source in BUILT_IN:
        routes = custom_record_of("crm", body, connected, AT).routes
        record = builders.record(body, source=source, routes=routes)
        for index in range(COUNT):
            assert interpret(record, PartitionIndex(index), COUNT).events == []


def carried_out(view: MemoryView, command: AnyCommand) -> Answer:
    carry_out(view, command, b"asked", Millis(NOW))
    answer = view.requests.get(parse_id(command.id))
    assert answer is not None
    return answer


def numbered(number: int) -> str:
    return format_id(builders.command_id(str(number)))


def test_a_source_is_made_once_and_changed_as_a_whole() -> None:
    view = MemoryView()
    made = carried_out(view, CreateSource(id=numbered(1), source_id="crm", name="CRM"))
    again = carried_out(view, CreateSource(id=numbered(2), source_id="crm"))
    endpoint = "https://example.org/hook"
    changed = carried_out(
        view, UpdateSource(id=numbered(3), source_id="crm", action_endpoint=endpoint)
    )

    assert (made.status, json.loads(made.body)["name"]) == (200, "CRM")
    assert (again.status, json.loads(again.body)) == (409, {"message": "Source already exists"})
    assert json.loads(changed.body) == {
        "source_id": "crm",
        "token": None,
        "action_endpoint": endpoint,
        "name": None,
        "image_url": None,
    }


def test_a_source_made_again_has_another_token() -> None:
    view = MemoryView()
    carried_out(view, CreateSource(id=numbered(1), source_id="crm"))
    [(_, before)] = view.sources.under(b"")
    deleted = carried_out(view, DeleteSource(id=numbered(2), source_id="crm"))
    assert view.sources.under(b"") == []
    carried_out(view, CreateSource(id=numbered(3), source_id="crm"))
    [(_, after)] = view.sources.under(b"")

    assert (deleted.status, deleted.body) == (202, b"")
    assert before.token_id != after.token_id


def test_a_source_that_is_not_there_is_not_changed_and_may_be_deleted() -> None:
    view = MemoryView()

    assert carried_out(view, UpdateSource(id=numbered(1), source_id="crm")).status == 404
    assert carried_out(view, DeleteSource(id=numbered(2), source_id="crm")).status == 202
    assert [each.action for each in view.audited] == ["sources.update", "sources.delete"]
