"""The search index of an owner at work, asked by who has access to its partition."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from airy_ray.cluster.access import LocalAccess
from airy_ray.cluster.doorbell import Ringer
from airy_ray.cluster.indexing import IndexingProcess, SearchFeeder
from airy_ray.cluster.owner import Owner
from airy_ray.errors import IndexingError, RebuildingError
from airy_ray.filters.fulltext import full_text
from airy_ray.filters.query import Query
from airy_ray.filters.syntax import parse
from airy_ray.model.commands import DescribeConversation
from airy_ray.model.ids import format_id
from airy_ray.partition import generations
from airy_ray.partition.generations import Generation
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.search import index
from tests import builders
from tests.log_builders import append, project, spec, webhook, webhooks
from tests.unit.cluster.test_owner import LONG_S, running, until, with_access

ALL, OPEN = parse("*:*"), parse("metadata.state:OPEN")


@pytest.fixture
def own(tmp_path: Path) -> PartitionSpec:
    made = spec(tmp_path)
    made.directory.mkdir(parents=True)
    return made


@contextmanager
def at_work(own: PartitionSpec) -> Iterator[Owner]:
    """Run an owner that has its partition."""
    with running(own, own.directory.parent) as owner:
        until(lambda: owner.partition)
        indexing = IndexingProcess([own], own.directory.parent)
        try:
            yield owner
        finally:
            indexing.end()


async def settled(access: LocalAccess, total: int, query: Query = ALL) -> None:
    """Wait until so many conversations are found."""
    async with asyncio.timeout(LONG_S):
        while True:
            try:
                if (await access.search(query, 10)).total == total:
                    return
            except (IndexingError, RebuildingError):
                pass
            await asyncio.sleep(0.005)


def test_an_empty_partition_has_an_index_in_which_nothing_is(own: PartitionSpec) -> None:
    with at_work(own):
        with_access(own, lambda access: settled(access, 0))


def test_a_search_without_a_state_fails_once_it_is_awaited(own: PartitionSpec) -> None:
    async def use(access: LocalAccess) -> None:
        await access.append(webhook("a"))
        searching = access.search(ALL, 10)
        with pytest.raises(RebuildingError):
            await searching

    with_access(own, use)


def test_what_is_folded_is_found_soon_also_in_an_index_built_before(own: PartitionSpec) -> None:
    append(own.directory, webhooks(300, contacts=50))

    async def use(access: LocalAccess) -> None:
        await settled(access, 50)
        await access.append(webhook("zebra", contact="somebody else"))
        await settled(access, 51)
        wanted = full_text("zeb")
        assert wanted is not None
        assert (await access.search(wanted, 10)).total == 1
        state = DescribeConversation(
            id=format_id(builders.command_id()),
            conversation_id=format_id(builders.conversation_id("somebody else")),
            values={"state": "OPEN"},
        )
        await access.append(builders.command_record(state))
        await settled(access, 1, OPEN)

    with at_work(own):
        with_access(own, use)


def test_an_index_goes_on_after_a_restart_without_being_built_again(own: PartitionSpec) -> None:
    append(own.directory, webhooks(30))
    with at_work(own):
        with_access(own, lambda access: settled(access, 7))
    (meta,) = own.directory.glob("state.g*/search/conversations/meta.json")
    before = meta.read_bytes()

    with at_work(own):
        with_access(own, lambda access: settled(access, 7))

    assert meta.read_bytes() == before


def test_a_rebuilt_state_is_indexed_again(own: PartitionSpec) -> None:
    append(own.directory, webhooks(30))
    with at_work(own) as owner:
        with_access(own, lambda access: settled(access, 7))
        assert owner.partition is not None
        before = owner.partition.state.path
        owner._is_damaged.set()
        until(lambda: owner.partition and owner.partition.state.path != before)
        with_access(own, lambda access: settled(access, 7))

        assert index.read_position(index.directory_of(owner.partition.state.path)) is not None


def test_a_state_is_indexed_also_if_its_last_commit_came_before_it_could_be_read(
    own: PartitionSpec,
) -> None:
    project(own, webhooks(30))
    ringer = Ringer(own.directory.parent)
    feeder = SearchFeeder(own.name, own.directory, ringer)
    while feeder.step(1.0):
        pass
    with closing(LogTail(own.directory)) as tail:
        before = generations.live(tail)
        assert before is not None
        number = before.number + 1
        path = generations.path_of(own.directory, number)
        shutil.copytree(generations.path_of(own.directory, before.number), path)
        shutil.rmtree(index.directory_of(path))
        generations.set_live(tail, Generation(number, target=30))
        assert not feeder.step(2.0)
        generations.set_live(tail, Generation(number))
    while feeder.step(3.0):
        pass

    assert index.read_position(index.directory_of(path)) is not None
    feeder.close()
    ringer.close()


def test_owners_are_spared_while_they_are_busy_and_not_for_a_few_records(
    own: PartitionSpec,
) -> None:
    project(own, [])
    ringer = Ringer(own.directory.parent)
    feeder = SearchFeeder(own.name, own.directory, ringer)

    def is_pressed_after(count: int, at_s: float) -> bool:
        project(own, webhooks(count))
        return feeder.is_pressed(at_s)

    assert not is_pressed_after(500, 1.0)
    assert not is_pressed_after(10, 2.0)
    assert is_pressed_after(200, 2.5)
    assert is_pressed_after(1, 2.6)
    assert not is_pressed_after(20, 3.0)
    feeder.close()
    ringer.close()


def test_it_ends_with_who_started_it(own: PartitionSpec) -> None:
    indexing = IndexingProcess([own], own.directory.parent)
    assert indexing.is_alive
    indexing.end()

    assert not indexing.is_alive


def test_a_second_one_waits_until_the_first_has_ended(own: PartitionSpec) -> None:
    """What a supervisor leaves behind that is killed may still write for a moment."""
    append(own.directory, webhooks(30))
    with at_work(own):
        with_access(own, lambda access: settled(access, 7))
        second = IndexingProcess([own], own.directory.parent)
        append(own.directory, webhooks(1, first=30, contacts=31))
        with_access(own, lambda access: settled(access, 8))
        assert second.is_alive
    append(own.directory, webhooks(1, first=31, contacts=32))
    with running(own, own.directory.parent):
        with_access(own, lambda access: settled(access, 9))
    second.end()


def test_one_that_is_killed_loses_nothing(own: PartitionSpec) -> None:
    append(own.directory, webhooks(3_000, contacts=500))
    with running(own, own.directory.parent):
        for _ in range(3):
            indexing = IndexingProcess([own], own.directory.parent)
            until(lambda: list(own.directory.glob("state.g*/search/conversations/*.store")))
            os.kill(indexing.pid, signal.SIGKILL)
            indexing.end()
        last = IndexingProcess([own], own.directory.parent)
        with_access(own, lambda access: settled(access, 500))
        last.end()
