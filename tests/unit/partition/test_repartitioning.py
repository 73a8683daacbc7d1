"""Logs as other partitions take them: who takes what, once, and what that makes."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airy_ray.clock import Micros
from airy_ray.model.events import ChannelSeen, ConversationRead, RecordsLost, RetentionDue
from airy_ray.model.ids import PartitionIndex, first_slot_of, owner_of
from airy_ray.partition.fold import decode_event, encode_event, fold, understand
from airy_ray.partition.repartitioning import Placed, merged, repartitioned
from airy_ray.projections import keys
from airy_ray.rawlog.record import Kind, Offset, Record, payload_id
from airy_ray.state.batch import Batch
from airy_ray.state.tables import decoded
from tests import builders
from tests.builders import NOW
from tests.erasing import shared
from tests.fakes import MemoryTables
from tests.log_builders import webhooks
from tests.unit.projections.test_contact_properties import PEOPLE, Act
from tests.unit.projections.test_erasure_properties import TimedCluster, acts, lived

Logs = dict[PartitionIndex, list[tuple[int, Record]]]

BY_ID = (
    "contact_of",
    "contacts",
    "contacts_by_name",
    "conversations",
    "conversations_by_time",
    "identities",
    "messages",
    "message_keys",
    "metadata",
    "profiles",
    "unread",
)
"""Tables whose rows tell nothing of where records are."""


def logs_of(*held: list[Record]) -> Logs:
    return {PartitionIndex(index): list(enumerate(log)) for index, log in enumerate(held)}


def told(event: Any, *, kind: Kind = "outcome", at: int = NOW, of: int | None = None) -> Record:
    body = encode_event(event)
    origin = None if of is None else (PartitionIndex(0), Offset(of))
    return Record(Micros(at * 1_000), kind, "", body, payload_id(body), of=origin)


def taken(placed: list[Placed], count: int) -> list[list[Record]]:
    """Return what each new log holds."""
    found: list[list[Record]] = [[] for _ in range(count)]
    for each in placed:
        if not each.is_copy:
            assert each.target[1] == len(found[each.target[0]])
            found[each.target[0]].append(each.record)
    return found


def rows(tables: list[MemoryTables]) -> dict[str, Any]:
    """Return what partitions hold together, without what tells of places in logs."""
    found: dict[str, Any] = {
        name: dict(sorted(row for each in tables for row in each.values[name].items()))
        for name in BY_ID
    }
    merges = sorted(row for each in tables for row in each.values["merges"].items())
    found["merges"] = [(key[:16], decoded("merges", key, value)) for key, value in merges]
    return found


def folded(logs: list[list[Record]]) -> list[MemoryTables]:
    found = []
    for index, log in enumerate(logs):
        tables = MemoryTables()
        for offset, record in enumerate(log):
            batch = Batch(tables)
            fold(batch, understand(offset, record, PartitionIndex(index), len(logs)))
            batch.write()
        found.append(tables)
    return found


def told_apart(cluster: TimedCluster, count: int) -> list[MemoryTables]:
    return folded(taken(list(repartitioned(logs_of(*cluster.logs), count)), count))


@settings(max_examples=200, deadline=None)
@given(story=st.lists(acts, min_size=5, max_size=40), count=st.sampled_from([1, 2, 5, 16]))
def test_contacts_merged_parted_and_erased_are_the_same_in_other_partitions(
    story: list[Act], count: int
) -> None:
    cluster = lived(story)
    assert rows(told_apart(cluster, count)) == rows(cluster.tables)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_a_body_about_several_people_is_in_each_log_once(count: int) -> None:
    record = shared(1, "ada", "bob", "cy", "dan", "eve")
    owners = {owner_of(route.conversation_id, 4) for route in record.routes}
    held = [[record] if index in owners else [] for index in range(4)]

    found = taken(list(repartitioned(logs_of(*held), count)), count)

    wanted = {owner_of(route.conversation_id, count) for route in record.routes}
    assert found == [[record] if index in wanted else [] for index in range(count)]


def test_the_same_body_taken_in_twice_is_there_twice() -> None:
    one = shared(1, "ada", "bob", "cy")
    again = msgspec.structs.replace(one, received_at=Micros(one.received_at + 1))

    found = taken(list(repartitioned(logs_of([one, again], [one, again]), 1)), 1)

    assert found == [[one, again]]


def test_what_all_are_told_is_told_to_all_once() -> None:
    seen = ChannelSeen(builders.channel().id, "facebook", "a page", connected=True)
    record = told(seen, kind="channel", of=7)

    found = taken(list(repartitioned(logs_of([record], [record]), 3)), 3)

    assert found == [[record], [record], [record]]


def test_a_copy_tells_where_what_it_copies_is() -> None:
    record = told(ChannelSeen(builders.channel().id, "f", "p", connected=True), of=7)

    one, other = repartitioned(logs_of([record], [record]), 1)

    assert (one.is_copy, other.is_copy) == (False, True)
    assert (one.target, other.target) == ((0, 0), (0, 0))
    assert (one.origin, other.origin) == ((0, 0), (1, 0))


def test_a_log_keeps_its_order_though_a_clock_was_set_back() -> None:
    early, late, later = webhooks(3)
    held = logs_of([late, early], [later])

    found = [record for _, record in merged(held)]

    assert found == [late, early, later]


def test_logs_are_merged_by_the_time_that_records_came_in() -> None:
    first, second, third = webhooks(3)

    assert [record for _, record in merged(logs_of([second], [first, third]))] == [
        first,
        second,
        third,
    ]


def test_what_was_due_together_is_parted_among_the_owners() -> None:
    due = tuple((builders.conversation_id(person), None) for person in PEOPLE)
    held = logs_of([told(RetentionDue(due, NOW))])

    found = taken(list(repartitioned(held, 4)), 4)

    for index, log in enumerate(found):
        own = tuple(each for each in due if owner_of(each[0], 4) == index)
        events = [decode_event(record.body) for record in log]
        assert events == ([RetentionDue(own, NOW)] if own else [])


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(told(RecordsLost(1, 2), kind="lost"), id="lost"),
        pytest.param(builders.record(b"", kind="swap"), id="swap"),
    ],
)
def test_what_tells_of_a_log_itself_stays_behind(record: Record) -> None:
    assert list(repartitioned(logs_of([record]), 3)) == []


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(builders.record(b"no command", kind="command"), id="command"),
        pytest.param(builders.record(b"no event", kind="outcome"), id="outcome"),
        pytest.param(builders.record(b"no timer", kind="timer"), id="timer"),
        pytest.param(builders.record(b'{"erased":true}', kind="command"), id="erased"),
    ],
)
def test_what_nobody_understands_goes_where_its_first_neighbours_went(record: Record) -> None:
    (found,) = repartitioned(logs_of([], [record]), 4)

    assert found.target == (2, 0)


def test_a_timer_falls_where_its_conversation_is() -> None:
    conversation = builders.conversation_id("ada")
    body = msgspec.msgpack.encode([keys.timer(NOW, conversation)])
    held = logs_of([builders.record(body, kind="timer")])

    (found,) = repartitioned(held, 64)

    assert found.target[0] == owner_of(conversation, 64)


def test_an_event_goes_to_the_owner_of_its_conversation() -> None:
    conversation = builders.conversation_id("ada")

    (found,) = repartitioned(logs_of([told(ConversationRead(conversation, NOW))]), 64)

    assert found.target[0] == owner_of(conversation, 64)
    assert first_slot_of(found.target[0], 64) <= int.from_bytes(conversation[:2], "big")
