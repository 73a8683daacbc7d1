"""Which events a change makes (contract: platform API §6, §10.1), and their ids."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.model.ids import REGISTRY, PartitionIndex, format_id
from airy_ray.projections.view import Change
from airy_ray.publishing.events import Earlier, Event, Lineage, event_id, events_of, placed
from tests import builders
from tests.builders import NOW

CONVERSATION = builders.conversation_id()
MESSAGE = builders.message_id()
CHANNEL = builders.channel().id
LINEAGE = Lineage("5d41402a")


def change(kind: str, *, of_message: bool = True, at: int | None = NOW, **payload: str) -> Change:
    told = json.dumps({"type": kind, "timestamp": at, "payload": payload}).encode()
    conversation = None if payload else CONVERSATION
    return Change(kind, conversation, MESSAGE if of_message and not payload else None, told)


@pytest.mark.parametrize(
    ("told", "kinds"),
    [
        pytest.param(
            change("message.created"),
            ["message.created", "message.updated", "conversation.updated"],
            id="new",
        ),
        pytest.param(
            change("message.updated"), ["message.updated", "conversation.updated"], id="delivered"
        ),
        pytest.param(
            change("metadata.updated"),
            ["message.updated", "conversation.updated"],
            id="metadata of a message",
        ),
        pytest.param(
            change("metadata.updated", of_message=False), ["conversation.updated"], id="tagged"
        ),
        pytest.param(
            change("metadata.updated", subject="channel", identifier=format_id(CHANNEL)),
            [],
            id="metadata of a channel",
        ),
        pytest.param(
            change("channel.updated", id=format_id(CHANNEL)), ["channel.updated"], id="connected"
        ),
        pytest.param(change("tag.updated", id=format_id(CHANNEL)), [], id="tag"),
        pytest.param(change("conversation.erased", of_message=False), [], id="erased"),
        pytest.param(change("records.lost", first="1"), [], id="lost"),
    ],
)
def test_a_change_makes_these_events(told: Change, kinds: list[str]) -> None:
    found = list(events_of(PartitionIndex(1), 7, told, Millis(NOW)))

    assert [each.kind for each in found] == kinds
    assert [each.place for each in found] == sorted(each.place for each in found)


def test_what_has_no_time_happened_when_it_came() -> None:
    told = change("channel.updated", at=None, id=format_id(CHANNEL))
    [found] = events_of(REGISTRY, 7, told, Millis(NOW + 5))

    assert (found.at, found.lane, found.subject) == (NOW + 5, CHANNEL, CHANNEL)


@given(partition=st.integers(0, 65_535), sequence=st.integers(0, 1 << 62))
def test_an_id_tells_where_its_event_is(partition: int, sequence: int) -> None:
    event = Event(PartitionIndex(partition), sequence, "message.updated", b"", b"", Millis(NOW))

    assert placed(LINEAGE, event_id(LINEAGE, event)) == (partition, sequence, "message.updated")
    assert placed(Lineage("ffffffff"), event_id(LINEAGE, event)) is None


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "evt",
        "evt_5d41402a_0_1_8",
        "evt_5d41402a_0_x_1",
        "evt_5d41402a_0_1",
        "msg_5d41402a_0_1_1",
    ],
)
def test_other_ids_lead_nowhere(identifier: str) -> None:
    assert placed(LINEAGE, identifier) is None


@pytest.mark.parametrize(
    ("partition", "offset", "history"),
    [
        pytest.param(0, 9, "aaaaaaaa", id="before the first restore"),
        pytest.param(0, 10, "bbbbbbbb", id="between two"),
        pytest.param(0, 19, "bbbbbbbb", id="before the second"),
        pytest.param(0, 20, "cccccccc", id="since then"),
        pytest.param(1, 0, "cccccccc", id="of a partition that had nothing"),
    ],
)
def test_what_was_told_before_a_restore_keeps_its_id(
    partition: int, offset: int, history: str
) -> None:
    earlier = (Earlier("aaaaaaaa", {0: 10}), Earlier("bbbbbbbb", {0: 20}))
    lineage = Lineage("cccccccc", earlier)
    event = Event(PartitionIndex(partition), offset << 16, "message.created", b"", b"", Millis(NOW))

    identifier = event_id(lineage, event)

    assert identifier.startswith(f"evt_{history}_")
    assert placed(lineage, identifier) == (partition, offset << 16, "message.created")
