"""What an earlier release has written is served at once, and repaired by a replay beside it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.model.ids import REGISTRY
from airy_ray.partition import opening, reader, refold
from airy_ray.partition.partition import Partition
from airy_ray.partition.reader import PartitionReader
from airy_ray.rawlog.record import prepare
from airy_ray.replay import replayer
from airy_ray.replay.order import Order, give_order, read_report
from airy_ray.replay.replayer import Replayer
from airy_ray.replay.selection import Selection
from airy_ray.state import check, snapshot, state, tables
from airy_ray.state.state import State
from airy_ray.state.tables import PROJECTION_VERSION, READABLE_SINCE
from airy_ray.storage import child
from tests.log_builders import kept_rows, owned, rows, settle, webhooks
from tests.replaying import replayed
from tests.upgrading import AT, unpacked

DIFFERING = {5: {"aliases", "profiles"}, 6: {"aliases"}}
"""Which rows of each version the present code makes otherwise."""
EARLIER = range(READABLE_SINCE, PROJECTION_VERSION)
LAST = EARLIER[-1]


def folded_from_nothing(partition: Partition, to: Path) -> dict[str, list[tuple[bytes, bytes]]]:
    """Return the rows that the present code makes of a partition's log."""
    fresh = to / f"fresh-{partition.spec.name}"
    for _ in refold.fold_again(partition.spec, fresh, partition.applied):
        pass
    with closing(State(fresh)) as made:
        return kept_rows(made) | {"meta": []}


def served(partition: Partition) -> dict[str, list[tuple[bytes, bytes]]]:
    """Return the rows of a partition that the same log always makes."""
    return kept_rows(partition.state) | {"meta": []}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[int], list[Partition]]]:
    with ExitStack() as stack:
        yield lambda version: [
            stack.enter_context(owned(own, AT)) for own in unpacked(version, tmp_path)
        ]


@pytest.mark.parametrize("version", EARLIER)
def test_every_version_that_is_said_to_be_readable_is(version: int, tmp_path: Path) -> None:
    for own in unpacked(version, tmp_path):
        found, about = check.rows(own.directory / "state.g1")

        assert (found, about["version"]) == ([], version)


@pytest.mark.parametrize("version", EARLIER)
def test_it_is_served_as_it_was_and_then_as_if_we_had_made_it(
    version: int, tmp_path: Path, opened: Callable[[int], list[Partition]]
) -> None:
    for partition in opened(version):
        kept = rows(partition.state)
        with closing(PartitionReader(partition.tail)) as reading, reading.read() as view:
            assert view.counts()["conversations"] == len(kept["conversations"])
        settle(partition, AT)
        assert rows(partition.state) == kept
        assert (partition.state.version, partition.generation.number) == (version, 1)

        report = replayed(partition, Order(1, "swap"), until="swapped")

        assert {each.table for each in report.counts} <= DIFFERING[version]
        origin = partition.state.origin
        assert origin is not None
        assert (partition.state.version, origin.kind) == (PROJECTION_VERSION, "replay")
        assert served(partition) == folded_from_nothing(partition, tmp_path)


def test_what_comes_in_meanwhile_is_folded_into_both(
    tmp_path: Path, opened: Callable[[int], list[Partition]]
) -> None:
    partition = opened(READABLE_SINCE)[0]
    partition.tail.append([prepare(each) for each in webhooks(10)])
    settle(partition, AT)
    replayed(partition, Order(1, "compare"), until="ready")
    messages = rows(partition.state)["messages"]
    partition.tail.append([prepare(each) for each in webhooks(10, first=10)])
    settle(partition, AT)
    assert len(rows(partition.state)["messages"]) > len(messages)

    replayed(partition, Order(1, "swap"), until="swapped")

    assert served(partition) == folded_from_nothing(partition, tmp_path)


def test_a_part_of_it_stays_of_the_version_that_made_the_rest(
    opened: Callable[[int], list[Partition]],
) -> None:
    partition = opened(READABLE_SINCE)[0]

    replayed(partition, Order(1, "swap", Selection(sources=("viber",))), until="swapped")

    origin = partition.state.origin
    assert origin is not None
    assert origin.selection == {"sources": ["viber"]}
    assert partition.state.version == READABLE_SINCE


def test_it_is_served_while_its_successor_is_made(
    opened: Callable[[int], list[Partition]],
) -> None:
    partition = next(each for each in opened(LAST) if each.spec.index != REGISTRY)
    with closing(PartitionReader(partition.tail)) as reading:
        versions: list[int] = []
        give_order(partition.spec.directory, Order(1, "swap"))
        owner = Replayer(partition)
        while not versions or versions[-1] == LAST:
            owner.work(Millis(AT))
            partition.take_offered(Millis(AT))
            settle(partition, AT)
            with reading.read() as view:
                assert view.counts()["conversations"] > 0
                versions.append(view.fact("version"))

    report: Any = read_report(partition.spec.directory)
    assert len(versions) > 2
    assert (versions[-1], report.error) == (PROJECTION_VERSION, None)


def planted(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """Have the code be of another version, here and where replays are done."""
    for module in (opening, reader, replayer, snapshot, state, tables):
        monkeypatch.setattr(module, "PROJECTION_VERSION", version)
    # a child would be of the version in the file
    monkeypatch.setattr(child, "results", lambda work, *args: work(*args))


@pytest.mark.parametrize("wanted", ["compare", "swap"])
def test_what_an_earlier_version_has_begun_is_not_put_in_place(
    wanted: Any, opened: Callable[[int], list[Partition]], monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = opened(LAST)[0]
    with monkeypatch.context() as before:
        planted(before, LAST)
        replayed(partition, Order(1, "compare"), until="ready")

    report = replayed(partition, Order(1, wanted), until="failed")

    assert report.error is not None
    assert "another release" in report.error
    assert list(partition.spec.directory.glob(".replay-*")) == []
    assert partition.generation.number == 1


def test_nobody_rolls_back_to_what_cannot_be_read(
    opened: Callable[[int], list[Partition]], monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = opened(READABLE_SINCE)[0]
    replayed(partition, Order(1, "swap"), until="swapped")
    monkeypatch.setattr(tables, "READABLE_SINCE", PROJECTION_VERSION)

    report = replayed(partition, Order(1, "roll back"), until="failed")

    assert report.error is not None
    assert "cannot read" in report.error
    assert partition.state.version == PROJECTION_VERSION
