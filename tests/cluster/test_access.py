"""A partition is used alike from its own machine and from another."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol
from uuid import uuid4

import pytest

from airy_ray.clock import Millis
from airy_ray.cluster.access import PartitionAccess
from airy_ray.cluster.partition_actor import find_partition
from airy_ray.errors import IndexingError, PartitionUnavailableError, RebuildingError
from airy_ray.filters.fulltext import full_text
from airy_ray.model import ids
from airy_ray.model.commands import ConnectChannel
from airy_ray.model.ids import REGISTRY, ChannelId, ConversationId, PartitionIndex
from airy_ray.rawlog.record import Offset, Record
from airy_ray.state.queries import Reading
from airy_ray.state.search.documents import rank
from airy_ray.state.search.searching import Found, Hit
from tests import builders
from tests.cluster.running import Cluster, used_locally, used_remotely
from tests.e2e.program import until
from tests.log_builders import messenger_item

LONG_S = 30.0
HERE = PartitionIndex(0)
Use = Callable[[PartitionAccess], Awaitable[Any]]


class Used(Protocol):
    def __call__(self, cluster: Cluster, index: PartitionIndex, use: Use) -> Any: ...


@pytest.fixture(params=[used_locally, used_remotely])
def used(request: pytest.FixtureRequest) -> Used:
    """Each way to use a partition."""
    way: Used = request.param
    return way


@pytest.fixture(scope="module", autouse=True)
def _connected(cluster: Cluster) -> None:
    """Have the channel that the records are for."""
    command = ConnectChannel(
        id=ids.format_id(builders.command_id("connect")),
        principal="a test",
        source=builders.SOURCE,
        source_channel_id=builders.PAGE,
        channel_id=ids.format_id(builders.channel().id),
        token=None,
        metadata={"name": "A page"},
    )

    async def use(access: PartitionAccess) -> bool:
        return await access.wait(await access.append(builders.command_record(command)), LONG_S)

    assert used_locally(cluster, REGISTRY, use)


def contact_of(index: PartitionIndex, partitions: int) -> str:
    """Return somebody nobody has heard of, whose conversation is in a partition."""
    while True:
        contact = uuid4().hex
        slot = ids.slot_of(builders.conversation_id(contact))
        if ids.partition_of(slot, partitions) == index:
            return contact


def record(contact: str, name: str) -> Record:
    body = messenger_item(name, contact, at=builders.NOW)
    return builders.record(body, routes=(builders.route(contact),))


def test_what_was_appended_can_be_asked_for_once_it_is_applied(
    cluster: Cluster, used: Used
) -> None:
    contact = contact_of(HERE, cluster.machine.count)

    async def use(access: PartitionAccess) -> object:
        offset = await access.append(record(contact, "m1"))
        assert await access.wait(offset, LONG_S)
        return await access.ask(Reading.message, builders.message_id("m1", contact=contact))

    message = used(cluster, HERE, use)

    assert message is not None
    assert message.sender_id == contact
    assert message.source_message_id == "m1"


def test_records_get_offsets_in_their_order(cluster: Cluster, used: Used) -> None:
    contact = contact_of(HERE, cluster.machine.count)

    async def use(access: PartitionAccess) -> list[int]:
        return [await access.append(record(contact, f"m{index}")) for index in range(5)]

    offsets = used(cluster, HERE, use)

    assert offsets == sorted(set(offsets)), "others may append between them"


def test_records_appended_at_once_are_all_stored(cluster: Cluster, used: Used) -> None:
    contact = contact_of(HERE, cluster.machine.count)
    conversation = builders.conversation_id(contact)
    names = [f"m{index}" for index in range(50)]

    async def use(access: PartitionAccess) -> list[Any]:
        appending = [access.append(record(contact, name)) for name in names]
        offsets = [await each for each in appending]
        assert len(set(offsets)) == len(names)
        assert await access.wait(max(offsets), LONG_S)
        return await access.ask(Reading.messages, conversation, None, limit=100)

    messages = used(cluster, HERE, use)

    assert sorted(each.source_message_id for each in messages) == sorted(names)


def test_who_waits_for_what_nobody_appends_waits_no_longer_than_wanted(
    cluster: Cluster, used: Used
) -> None:
    async def use(access: PartitionAccess) -> bool:
        return await access.wait(Offset(10**9), 0.2)

    assert used(cluster, HERE, use) is False


def test_many_can_wait_at_once(cluster: Cluster, used: Used) -> None:
    contact = contact_of(HERE, cluster.machine.count)

    async def use(access: PartitionAccess) -> list[bool]:
        offset = await access.append(record(contact, "m1"))
        return await asyncio.gather(*(access.wait(offset, LONG_S) for _ in range(20)))

    assert used(cluster, HERE, use) == [True] * 20


def test_what_was_appended_is_found_by_its_words(cluster: Cluster, used: Used) -> None:
    contact = contact_of(HERE, cluster.machine.count)
    wanted = full_text(contact)
    assert wanted is not None

    async def use(access: PartitionAccess) -> Found:
        await access.append(record(contact, contact))
        async with asyncio.timeout(LONG_S):
            while True:
                with suppress(IndexingError, RebuildingError):
                    found = await access.search(wanted, 10)
                    if found.total:
                        return found
                await asyncio.sleep(0.01)

    found = used(cluster, HERE, use)

    message = builders.message_id(contact, contact=contact)
    assert found.total == 1
    assert list(found.hits()) == [Hit(rank(Millis(builders.NOW), message), message)]


@pytest.mark.parametrize(
    ("query", "arguments", "answer"),
    [
        pytest.param(Reading.conversation, (ConversationId(bytes(16)),), None, id="conversation"),
        pytest.param(Reading.messages, (ConversationId(bytes(16)), None, 10), [], id="messages"),
        pytest.param(Reading.channel, (ChannelId(bytes(16)),), None, id="channel"),
        pytest.param(Reading.answer, (bytes(16),), None, id="command"),
    ],
)
def test_what_nobody_stored_is_not_there(
    query: Any, arguments: tuple[Any, ...], answer: object, cluster: Cluster, used: Used
) -> None:
    async def use(access: PartitionAccess) -> object:
        return await access.ask(query, *arguments)

    assert used(cluster, HERE, use) == answer


def test_both_ways_tell_the_same(cluster: Cluster) -> None:
    contact = contact_of(HERE, cluster.machine.count)
    conversation = builders.conversation_id(contact)

    async def write(access: PartitionAccess) -> None:
        assert await access.wait(await access.append(record(contact, "m1")), LONG_S)

    async def read(access: PartitionAccess) -> Any:
        return await access.ask(Reading.conversation, conversation)

    used_remotely(cluster, HERE, write)

    def is_told_alike() -> bool:  # the contact's profile may come between the two
        told = used_locally(cluster, HERE, read)
        return told is not None and told == used_remotely(cluster, HERE, read)

    until(is_told_alike)


def test_a_partition_that_nobody_started_cannot_be_used(cluster: Cluster) -> None:
    with pytest.raises(PartitionUnavailableError):
        find_partition(PartitionIndex(cluster.machine.count))
