"""People erased in stories of contacts: what is left of the logs makes what is left of the rows."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from airy_ray.clock import Micros, Millis
from airy_ray.model import ids
from airy_ray.model.commands import EraseContact
from airy_ray.model.contact import taken_over
from airy_ray.model.events import RetentionDue
from airy_ray.model.ids import ContactId, PartitionIndex, format_id
from airy_ray.partition.forgetting import Forgotten
from airy_ray.rawlog.record import Offset, Record, payload_id
from airy_ray.state.batch import Batch
from airy_ray.state.tables import decoded
from tests import builders
from tests.builders import NOW, conversation_described, message_received
from tests.unit.projections.test_contact_properties import (
    COUNT,
    PEOPLE,
    Act,
    Cluster,
    create,
    delete,
    indexes,
    merge,
    people,
    picked,
    said,
    unmerge,
    update,
)


class TimedCluster(Cluster):
    """Partitions in which time passes: who writes after an erasure begins anew."""

    def __init__(self) -> None:
        super().__init__()
        self.now: int = NOW
        self.messages = 0

    def append(self, index: int, record: Record) -> None:
        self.now += 10
        received_at = Micros(self.now * 1_000)
        super().append(index, msgspec.structs.replace(record, received_at=received_at))

    def deliver(self, index: int, *, again: bool = False) -> bool:
        entries = self.outbox(index)
        place = self.forwarded[index] - again
        if not 0 <= place < len(entries):
            return False
        sequence, outgoing = entries[place]
        of = PartitionIndex(index), Offset(sequence)
        body = outgoing.body
        record = Record(Micros(0), "forward", outgoing.source, body, payload_id(body), of=of)
        owner = None if outgoing.slot is None else ids.partition_of(outgoing.slot, COUNT)
        for target in range(COUNT) if owner is None else [owner]:
            self.append(target, record)
        self.forwarded[index] += not again
        return True


def write(person: str) -> Act:
    def act(cluster: Any) -> None:
        cluster.messages += 1
        event = message_received(f"m{cluster.messages}", contact=person, sent_at=cluster.now)
        cluster.tell(event, builders.conversation_id(person))

    return act


def call(person: str) -> Act:
    def act(cluster: Any) -> None:
        values = {"contact.display_name": b'"Ada"'}
        event = conversation_described(values, contact=person, at=cluster.now)
        cluster.tell(event, builders.conversation_id(person))

    return act


def erase(index: int) -> Act:
    def act(cluster: Cluster) -> None:
        contact = picked(cluster, index)
        if contact is None:
            return
        whole = cluster.snapshot(contact)
        people = dict.fromkeys([contact, *taken_over(whole)])
        command = EraseContact(
            id=cluster.new_id(contact),
            contact_ids=tuple(format_id(each) for each in people),
            conversation_ids=tuple(format_id(each) for each, _ in whole.identities),
        )
        cluster.carry_out(command)

    return act


def retain(person: str) -> Act:
    def act(cluster: Any) -> None:
        conversation = builders.conversation_id(person)
        view = cluster.view(conversation)
        holder = view.contact_of.get(conversation)
        if view.conversations.get(conversation) is not None:
            contact = None if holder is None else ContactId(holder[:16])
            due = RetentionDue(((conversation, contact),), Millis(cluster.now))
            cluster.tell(due, conversation)

    return act


acts: st.SearchStrategy[Act] = st.one_of(
    st.builds(write, people),
    st.builds(call, people),
    st.builds(create, st.integers(0, 65_535), said("shop")),
    st.builds(update, indexes, said("shop")),
    st.builds(delete, indexes),
    st.builds(merge, indexes, indexes, is_late=st.just(False)),
    st.builds(unmerge, indexes, indexes),
    st.builds(erase, indexes),
    st.builds(retain, people),
)


def lived(story: list[Act]) -> TimedCluster:
    """Return what a story makes, in which each act is heard of everywhere before the next."""
    cluster = TimedCluster()
    for act in [*map(write, PEOPLE), *story]:
        act(cluster)
        cluster.settle()
    return cluster


def refolded(cluster: TimedCluster, index: int) -> TimedCluster:
    """Return what is left of a partition's log, folded."""
    rows = Batch(cluster.tables[index]).erasures.under(b"")
    forgotten = Forgotten([(int.from_bytes(key, "big"), row) for key, row in rows])
    for offset, record in enumerate(cluster.logs[index]):
        forgotten.learn(offset, record)
    again = TimedCluster()
    for offset, record in enumerate(cluster.logs[index]):
        Cluster.append(again, index, forgotten.cut(offset, record) or record)
    return again


def told(cluster: TimedCluster, index: int) -> dict[str, Any]:
    """Return who is there and whose what is; names that erased conversations gave are not kept."""
    values = cluster.tables[index].values
    rows = {
        name: {key: decoded(name, key, value) for key, value in values[name].items()}
        for name in ("contacts", "merges", "identities", "contact_of", "conversations", "messages")
    }
    taken = [(key[:16], entry.source.id) for key, entry in rows["merges"].items()]
    led = {key: contact.merged_into for key, contact in rows["contacts"].items()}
    return rows | {"contacts": led, "merges": sorted(taken)}


@settings(max_examples=200, deadline=None)
@given(story=st.lists(acts, min_size=5, max_size=40))
def test_what_is_left_of_a_log_makes_the_rows_that_were_left(story: list[Act]) -> None:
    cluster = lived(story)

    for index in range(COUNT):
        assert told(refolded(cluster, index), index) == told(cluster, index)
