"""Contacts over several partitions that hear of one another late, twice, but in order."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airy_ray.clock import Micros
from airy_ray.model import commands, ids
from airy_ray.model.commands import AnyCommand, ContactFields
from airy_ray.model.contact import Contact, Snapshot
from airy_ray.model.ids import ContactId, ConversationId, PartitionIndex, Slot, format_id
from airy_ray.partition.fold import encode_event, fold, understand
from airy_ray.projections import contacts, merges
from airy_ray.projections.view import Outgoing
from airy_ray.rawlog.record import Offset, Record, payload_id
from airy_ray.state.batch import Batch
from airy_ray.state.tables import decoded
from tests import builders
from tests.builders import NOW, conversation_described, message_received
from tests.fakes import TRIMMED, MemoryTables

COUNT = 3
PEOPLE = ("ada", "bob", "cat", "dan", "eve")
CONVERSATIONS = [builders.conversation_id(person) for person in PEOPLE]
ROUNDS_MAX = 3_000
"""More than anything that comes to an end takes."""


class Cluster:
    """Partitions whose logs take records at once, and whose forwards wait to be delivered."""

    def __init__(self) -> None:
        self.tables = [MemoryTables() for _ in range(COUNT)]
        self.logs: list[list[Record]] = [[] for _ in range(COUNT)]
        self.forwarded = [0] * COUNT
        self.contacts = [ids.contact_id(each) for each in CONVERSATIONS]
        self.waiting: list[AnyCommand] = []
        self.commands = 0

    def view(self, identifier: bytes) -> Batch:
        return Batch(self.tables[ids.owner_of(identifier, COUNT)])

    def append(self, index: int, record: Record) -> None:
        offset = len(self.logs[index])
        self.logs[index].append(record)
        batch = Batch(self.tables[index])
        fold(batch, understand(offset, record, PartitionIndex(index), COUNT))
        batch.write()

    def tell(self, event: Any, conversation: ConversationId) -> None:
        body = encode_event(event)
        record = Record(Micros(NOW * 1_000), "outcome", "", body, payload_id(body))
        self.append(ids.owner_of(conversation, COUNT), record)

    def carry_out(self, command: AnyCommand) -> None:
        record = builders.command_record(command, at=NOW)
        self.append(ids.owner_of(ids.parse_id(command.id), COUNT), record)

    def new_id(self, near: bytes) -> str:
        self.commands += 1
        return format_id(ids.command_id(ids.slot_of(near), str(self.commands).encode()))

    def outbox(self, index: int) -> list[tuple[int, Outgoing]]:
        rows = self.tables[index].values["outbox"]
        found = [(int.from_bytes(key, "big"), key) for key in sorted(rows)]
        return [(sequence, decoded("outbox", key, rows[key])) for sequence, key in found]

    def deliver(self, index: int, *, again: bool = False) -> bool:
        """Forward the next entry of an outbox, or the last one once more."""
        entries = self.outbox(index)
        place = self.forwarded[index] - again
        if not 0 <= place < len(entries):
            return False
        sequence, outgoing = entries[place]
        assert outgoing.slot is not None
        body = outgoing.body
        of = PartitionIndex(index), Offset(sequence)
        record = Record(Micros(NOW * 1_000), "forward", "", body, payload_id(body), of=of)
        self.append(ids.partition_of(outgoing.slot, COUNT), record)
        self.forwarded[index] += not again
        return True

    def settle(self) -> None:
        for _ in range(ROUNDS_MAX):
            if not sum(self.deliver(index) for index in range(COUNT)):
                return
        raise AssertionError("it goes on for ever")

    def contact(self, identifier: ContactId) -> Contact | None:
        return self.view(identifier).contacts.get(identifier)

    def resolved(self, identifier: ContactId) -> ContactId | None:
        """Return where a contact's id leads; None if nowhere, or round in a loop."""
        seen: set[ContactId] = set()
        while identifier not in seen:
            seen.add(identifier)
            found = self.contact(identifier)
            if found is None:
                return None
            if found.merged_into is None:
                return identifier
            identifier = found.merged_into
        return None

    def snapshot(self, identifier: ContactId) -> Snapshot:
        view = self.view(identifier)
        contact = view.contacts.get(identifier)
        assert contact is not None
        return merges.snapshot(view, contact)


class Telling(Cluster):
    """One that looks after each record whether the feed names every row that is another now."""

    def append(self, index: int, record: Record) -> None:
        before = self._rows(index)
        super().append(index, record)
        after = self._rows(index)
        different = {each for each in before.keys() | after if before.get(each) != after.get(each)}
        rows = self.tables[index].values["changes"]
        newest = (len(self.logs[index]) - 1 << 16).to_bytes(8)
        changes = [decoded("changes", key, rows[key]) for key in rows if key >= newest]
        assert different <= {
            each for told in changes for each in (told.contact_id, told.conversation_id)
        }

    def _rows(self, index: int) -> dict[bytes, Any]:
        """Return what is shown of contacts, and whose conversations are, by id."""
        view = Batch(self.tables[index])
        held = {key: holder[: ids.ID_BYTES] for key, holder in view.contact_of.under(b"")}
        found = view.contacts.under(b"")
        return held | {key: (row, contacts.identities_of(view, row.id)) for key, row in found}


Act = Callable[[Cluster], None]
people = st.sampled_from(PEOPLE)
indexes = st.integers(0, 7)
partitions = st.integers(0, COUNT - 1)


def said(source: str) -> st.SearchStrategy[dict[str, str]]:
    keys = st.sampled_from([format_id(each) for each in CONVERSATIONS])
    return st.dictionaries(keys, st.sampled_from([source, ""]), max_size=2)


def write(person: str) -> Act:
    def act(cluster: Cluster) -> None:
        name = f"m{len(cluster.logs[0]) + len(cluster.logs[1]) + len(cluster.logs[2])}"
        event = message_received(name, contact=person, sent_at=NOW)
        cluster.tell(event, builders.conversation_id(person))

    return act


def call(person: str, name: str) -> Act:
    def act(cluster: Cluster) -> None:
        values = {"contact.display_name": f'"{name}"'.encode()}
        event = conversation_described(values, contact=person)
        cluster.tell(event, builders.conversation_id(person))

    return act


def create(slot: int, conversations: dict[str, str]) -> Act:
    def act(cluster: Cluster) -> None:
        identifier = cluster.new_id(Slot(slot).to_bytes(2, "big"))
        fields = ContactFields(title="Dr", conversations=conversations)
        cluster.carry_out(commands.CreateContact(id=identifier, fields=fields))
        made = ids.derived_id(ids.CommandId(ids.parse_id(identifier)), "contact")
        cluster.contacts.append(ContactId(made))

    return act


def update(index: int, conversations: dict[str, str]) -> Act:
    def act(cluster: Cluster) -> None:
        contact = picked(cluster, index)
        if contact is not None:
            fields = ContactFields(locale="de", conversations=conversations)
            told = {"id": cluster.new_id(contact), "contact_id": format_id(contact)}
            cluster.carry_out(commands.UpdateContact(**told, fields=fields))

    return act


def delete(index: int) -> Act:
    def act(cluster: Cluster) -> None:
        contact = picked(cluster, index)
        if contact is not None:
            told = {"id": cluster.new_id(contact), "contact_id": format_id(contact)}
            cluster.carry_out(commands.DeleteContact(**told))

    return act


def merge(source: int, destination: int, *, is_late: bool) -> Act:
    def act(cluster: Cluster) -> None:
        one, other = picked(cluster, source), picked(cluster, destination)
        if one is None or other is None or one == other:
            return
        command = commands.MergeContacts(
            id=cluster.new_id(other),
            destination_id=format_id(other),
            source=cluster.snapshot(one),
        )
        if is_late:
            cluster.waiting.append(command)
        else:
            cluster.carry_out(command)

    return act


def unmerge(destination: int, source: int) -> Act:
    def act(cluster: Cluster) -> None:
        contact = picked(cluster, destination)
        if contact is None:
            return
        taken = [entry.source.id for entry in cluster.snapshot(contact).history]
        if taken:
            command = commands.UnmergeContacts(
                id=cluster.new_id(contact),
                destination_id=format_id(contact),
                source_id=format_id(taken[source % len(taken)]),
            )
            cluster.carry_out(command)

    return act


def catch_up(cluster: Cluster) -> None:
    """Carry out the commands that are late."""
    for command in cluster.waiting:
        cluster.carry_out(command)
    cluster.waiting.clear()


def deliver(index: int, *, again: bool) -> Act:
    def act(cluster: Cluster) -> None:
        cluster.deliver(index, again=again)

    return act


def picked(cluster: Cluster, index: int) -> ContactId | None:
    return cluster.resolved(cluster.contacts[index % len(cluster.contacts)])


acts: st.SearchStrategy[Act] = st.one_of(
    st.builds(write, people),
    st.builds(call, people, st.sampled_from(["Ada", "Bob"])),
    st.builds(create, st.integers(0, 65_535), said("shop")),
    st.builds(update, indexes, said("shop")),
    st.builds(delete, indexes),
    st.builds(merge, indexes, indexes, is_late=st.booleans()),
    st.builds(merge, indexes, indexes, is_late=st.just(True)),
    st.builds(unmerge, indexes, indexes),
    st.just(catch_up),
    st.builds(deliver, partitions, again=st.booleans()),
    st.builds(deliver, partitions, again=st.just(False)),
)
stories = st.lists(acts, min_size=10, max_size=60)


def lived(story: list[Act], cluster: Cluster | None = None) -> Cluster:
    cluster = cluster or Cluster()
    for person in PEOPLE:
        write(person)(cluster)
    for act in story:
        act(cluster)
    catch_up(cluster)
    cluster.settle()
    for person in PEOPLE:
        write(person)(cluster)
    cluster.settle()
    return cluster


@settings(max_examples=300, deadline=None)
@given(story=stories)
def test_every_conversation_ends_with_one_contact_and_both_agree(story: list[Act]) -> None:
    cluster = lived(story)

    holders = {}
    for conversation in CONVERSATIONS:
        held = cluster.view(conversation).contact_of.get(conversation)
        assert held is not None
        holders[conversation] = ContactId(held[: ids.ID_BYTES])
        contact = cluster.contact(holders[conversation])
        assert contact is not None
        assert contact.merged_into is None
    identities = [
        (ContactId(key[:16]), ConversationId(key[16:]))
        for tables in cluster.tables
        for key in tables.values["identities"]
    ]

    assert sorted(identities) == sorted((held, each) for each, held in holders.items())


@settings(max_examples=200, deadline=None)
@given(story=stories)
def test_redirects_never_stay_a_loop_and_only_contacts_are_listed(story: list[Act]) -> None:
    cluster = lived(story)

    for tables in cluster.tables:
        rows = Batch(tables).contacts.under(b"")
        listed = sorted(key[-16:] for key in tables.values["contacts_by_name"])
        assert listed == sorted(key for key, contact in rows if contact.merged_into is None)
        for _, contact in rows:
            assert not is_in_loop(cluster, contact)


def is_in_loop(cluster: Cluster, contact: Contact) -> bool:
    seen = set()
    found: Contact | None = contact
    while found is not None and found.merged_into is not None:
        if found.id in seen:
            return True
        seen.add(found.id)
        found = cluster.contact(found.merged_into)
    return False


@settings(max_examples=100, deadline=None)
@given(story=stories)
def test_the_feed_names_each_contact_that_is_another_now(story: list[Act]) -> None:
    lived(story, Telling())


@settings(max_examples=100, deadline=None)
@given(story=stories)
def test_the_same_logs_make_the_same_rows(story: list[Act]) -> None:
    cluster = lived(story)

    for index in range(COUNT):
        again = Cluster()
        for record in cluster.logs[index]:
            again.append(index, record)
        assert kept(again, index) == kept(cluster, index)


def kept(cluster: Cluster, index: int) -> dict[str, dict[bytes, bytes]]:
    values = cluster.tables[index].values
    return {name: rows for name, rows in values.items() if name not in TRIMMED}
