"""Lists of several partitions as one, read and searched for as a serving process does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from airy_ray.cluster.machine import Machine, MachineSpec
from airy_ray.cluster.partitions import Partitions
from airy_ray.filters.fulltext import full_text
from airy_ray.filters.syntax import parse
from airy_ray.model.ids import REGISTRY, PartitionIndex, owner_of
from airy_ray.rawlog.record import Record
from airy_ray.state.search.indexer import Indexer
from tests import builders
from tests.log_builders import NOW, append, owned, settle, spec, webhook
from tests.unit.cluster.test_shared_hops import Threads

pytestmark = pytest.mark.usefixtures("unhurried")

T = TypeVar("T")
COUNT = 3
CONTACTS = [f"contact-{number}" for number in range(20)]
"""Each writes once, a millisecond after the one before."""
NEWEST_FIRST = [builders.conversation_id(contact) for contact in reversed(CONTACTS)]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> MachineSpec:
    """Return partitions that have conversations, each its own, and their indexes."""
    directory = tmp_path_factory.mktemp("machine")
    specs = [spec(directory, index=index, count=COUNT) for index in (REGISTRY, *range(COUNT))]
    records: dict[PartitionIndex, list[Record]] = {}
    for number, contact in enumerate(CONTACTS):
        owner = owner_of(builders.conversation_id(contact), COUNT)
        records.setdefault(owner, []).append(webhook(contact, contact=contact, at=NOW + number))
    assert len(records) == COUNT
    for each in specs:
        each.directory.mkdir(parents=True)
        append(each.directory, records.get(each.index, []))
        with owned(each) as partition:
            settle(partition)
            if each.index != REGISTRY:
                _index(Indexer(partition.state))
    return MachineSpec(specs, directory, append_wait_s=1, append_queue=100)


def used(machine: MachineSpec, use: Callable[[Partitions], Awaitable[T]]) -> tuple[T, int]:
    """Return what comes of a use, and how many hops to other threads that took."""
    threads = Threads(COUNT)

    async def main() -> T:
        asyncio.get_running_loop().set_default_executor(threads)
        opened = Machine(machine)
        try:
            return await use(Partitions(opened.partitions, COUNT))
        finally:
            opened.close()

    return asyncio.run(main()), threads.hops


@pytest.mark.parametrize(("offset", "limit"), [(0, 7), (7, 7), (14, 7), (0, 20), (3, 0), (30, 7)])
def test_a_page_of_what_a_filter_finds_is_the_newest_of_all_partitions(
    machine: MachineSpec, offset: int, limit: int
) -> None:
    query = parse("unread_count:[1 TO *]")
    (total, rows), hops = used(
        machine, lambda partitions: partitions.filtered_conversations(query, offset, limit)
    )

    assert total == len(CONTACTS)
    assert [row.id for _, row in rows] == NEWEST_FIRST[offset : offset + limit]
    assert [rank for rank, _ in rows] == [row.last_message_at for _, row in rows]
    assert hops == 1


def test_of_a_long_page_partitions_are_first_asked_how_much_they_have(machine: MachineSpec) -> None:
    query = parse("unread_count:[1 TO *]")
    (total, rows), hops = used(
        machine, lambda partitions: partitions.filtered_conversations(query, 5, 5_000)
    )

    assert total == len(CONTACTS)
    assert [row.id for _, row in rows] == NEWEST_FIRST[5:]
    assert hops == 2


def test_messages_that_are_found_are_the_newest_of_all_partitions(machine: MachineSpec) -> None:
    wanted = full_text("contact")
    assert wanted is not None
    (total, rows), hops = used(machine, lambda partitions: partitions.found_messages(wanted, 7))

    assert total == len(CONTACTS)
    assert [row.conversation_id for _, row in rows] == NEWEST_FIRST[:7]
    assert hops == 1


def _index(indexer: Indexer) -> None:
    while indexer.step():
        pass
    indexer.rest()
