"""An owner at work, with the access that serving processes have to its partition; without Ray."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from airy_ray.clock import now_millis
from airy_ray.cluster.access import LocalAccess
from airy_ray.cluster.appender import Appender
from airy_ray.cluster.applied_waiters import AppliedWaiters
from airy_ray.cluster.owner import Owner
from airy_ray.cluster.shared_hops import SharedHops
from airy_ray.errors import RebuildingError, RowCorruptError
from airy_ray.model.channel import Channel
from airy_ray.model.events import Event
from airy_ray.model.ids import ChannelId
from airy_ray.partition.fold import encode_event
from airy_ray.partition.forwarding import Forward
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Record
from airy_ray.state.queries import Reading, reading
from tests import builders
from tests.log_builders import append, owned, settle, spec, webhook, webhooks

T = TypeVar("T")
LONG_S = 30.0


@contextmanager
def running(own: PartitionSpec, run_directory: Path) -> Iterator[Owner]:
    """Run an owner on its threads."""
    owner = _owner(own, run_directory)
    owner.start()
    try:
        yield owner
    finally:
        owner.stop()


def until(is_so: Callable[[], object]) -> None:
    """Wait for a condition; fail if it does not come true."""
    deadline = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def with_access(own: PartitionSpec, use: Callable[[LocalAccess], Awaitable[T]]) -> T:
    """Use a partition as a serving process does."""
    run_directory = own.directory.parent

    async def main() -> T:
        appender = Appender([own], run_directory, wait_s=LONG_S, queue_records=100)
        waiters = AppliedWaiters(run_directory)
        access = LocalAccess(own, appender, waiters, SharedHops(), run_directory)
        try:
            return await use(access)
        finally:
            access.close()
            waiters.close()
            appender.close()

    return asyncio.run(main())


@pytest.fixture
def own(tmp_path: Path) -> PartitionSpec:
    made = spec(tmp_path)
    made.directory.mkdir(parents=True)
    return made


def test_what_was_appended_can_be_read_once_it_is_applied(own: PartitionSpec) -> None:
    async def use(access: LocalAccess) -> object:
        offset = await access.append(webhook("a"))
        assert await access.wait(offset, LONG_S)
        return await access.ask(Reading.message, builders.message_id("a"))

    with running(own, own.directory.parent):
        assert with_access(own, use) is not None


def test_waiting_without_an_owner_ends_in_time(own: PartitionSpec) -> None:
    async def use(access: LocalAccess) -> bool:
        return await access.wait(await access.append(webhook("a")), 0.05)

    assert with_access(own, use) is False


def test_asking_without_a_state_says_that_it_is_being_built(own: PartitionSpec) -> None:
    async def use(access: LocalAccess) -> None:
        await access.append(webhook("a"))
        await access.ask(Reading.conversation_count)

    with pytest.raises(RebuildingError):
        with_access(own, use)


def test_a_damaged_row_is_refused_and_the_owner_that_hears_of_it_rebuilds(
    own: PartitionSpec,
) -> None:
    append(own.directory, [webhook("a")])
    with owned(own) as partition:
        settle(partition)
        _damage(partition, "messages")

    async def use(access: LocalAccess) -> object:
        with pytest.raises(RowCorruptError):
            await access.ask(Reading.message, builders.message_id("a"))
        while True:  # the test has a deadline
            try:
                return await access.ask(Reading.message, builders.message_id("a"))
            except (RebuildingError, RowCorruptError):
                await asyncio.sleep(0.01)

    with running(own, own.directory.parent) as owner:
        until(lambda: owner.partition)
        found = with_access(own, lambda access: asyncio.wait_for(use(access), LONG_S))
        assert found is not None


def test_a_log_in_doubt_is_mended_by_its_owner_while_it_runs(own: PartitionSpec) -> None:
    append(own.directory, webhooks(20))
    with running(own, own.directory.parent) as owner:
        until(lambda: owner.partition and owner.partition.applied == 20)
        assert owner.partition is not None
        owner.partition.tail.distrust()
        until(lambda: owner.partition and not owner.partition.tail.beacon.is_in_doubt)

        assert append(own.directory, webhooks(1)) == 20
        until(lambda: owner.partition and owner.partition.applied == 21)


@pytest.mark.parametrize("table", ["timers", "outbox"])
def test_a_damaged_row_that_an_errand_meets_has_the_state_rebuilt(
    own: PartitionSpec, table: str
) -> None:
    events: dict[str, Event] = {
        "timers": builders.echo_received("e"),
        "outbox": builders.waiting_for(builders.channel().id),
    }
    records = [_told(builders.channel_seen()), _told(events[table])]
    with owned(own) as partition:
        append(own.directory, records)
        settle(partition)
        if table == "timers":  # a key that tells no time
            _damage_key(partition, table)
        else:
            _damage(partition, table)

    with running(own, own.directory.parent) as owner:
        until(lambda: owner.partition and owner.partition.generation.number > 1)
        until(lambda: owner.partition and owner.partition.is_readable)


def test_an_owner_that_waits_for_another_takes_over_when_that_leaves(own: PartitionSpec) -> None:
    with owned(own):
        second = _owner(own, own.directory.parent)
        second.start()
        append(own.directory, [webhook("a")])
        assert second.partition is None

    until(lambda: second.partition and second.partition.applied == 1)
    second.stop()


def test_stopping_leaves_in_order(own: PartitionSpec) -> None:
    append(own.directory, webhooks(300))
    with running(own, own.directory.parent) as owner:
        until(lambda: owner.partition)

    assert not (own.directory / "running.json").exists()
    assert not [path.name for path in own.directory.parent.iterdir() if path.is_socket()]


def test_an_echo_becomes_a_message_when_its_timer_falls_due(own: PartitionSpec) -> None:
    long_ago = now_millis() - 60_000
    append(own.directory, [_told(builders.echo_received("e", sent_at=long_ago), at=long_ago)])

    with running(own, own.directory.parent) as owner:
        until(lambda: owner.partition and owner.partition.applied == 2)
        assert owner.partition is not None
        with reading(owner.partition.state.environment) as view:
            assert view.message(builders.message_id("e")) is not None


def _told(event: Event, at: int = builders.NOW) -> Record:
    return builders.record(encode_event(event), kind="outcome", source="", at=at)


def _damage(partition: Partition, table: str) -> None:
    handle = partition.state.environment.tables[table]
    with partition.state.environment.write() as transaction:
        key, value = next(iter(transaction.cursor(handle)))
        transaction.put(key, value[:-1] + bytes([value[-1] ^ 1]), db=handle)


def _damage_key(partition: Partition, table: str) -> None:
    handle = partition.state.environment.tables[table]
    with partition.state.environment.write() as transaction:
        key, value = next(iter(transaction.cursor(handle)))
        transaction.delete(key, db=handle)
        transaction.put(bytes(8) + key[8:], value, db=handle)


def _owner(own: PartitionSpec, run_directory: Path) -> Owner:
    return Owner(
        own,
        run_directory,
        channels=_connected,
        aliases=lambda _: None,
        deliver=_deliver_nowhere,
    )


def _connected(_: ChannelId) -> Channel | None:
    return builders.channel()


def _deliver_nowhere(forwards: list[Forward]) -> None:
    del forwards
