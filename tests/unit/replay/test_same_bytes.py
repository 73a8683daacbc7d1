"""Lived through, folded again out of log or archive, restored from a backup: the same rows."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from airy_ray.partition.partition import Partition
from airy_ray.rawlog.tail import LogTail
from airy_ray.replay import building
from airy_ray.state.state import State
from tests.log_builders import care, kept_rows
from tests.unit.backup.backups import restored, taken
from tests.unit.backup.machine import Machine, live

Rows = dict[str, list[tuple[bytes, bytes]]]


@settings(max_examples=25)
@given(st.randoms(), st.integers(1, 3), st.integers(1, 60))
def test_however_history_of_all_sources_becomes_rows_they_are_the_same_bytes(
    draw: Random, partitions: int, payloads: int
) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        with Machine(directory / "lived", partitions) as machine:
            at = live(machine, draw, payloads=payloads)
            lived = _without_facts(machine.rows())

            assert _replayed(machine, directory / "replayed") == lived
            assert _replayed_from_the_archive(machine, directory / "archived", at) == lived

            taken(directory / "lived", directory / "backup")
        restored(directory / "backup", directory / "restored")
        with Machine(directory / "restored") as machine:
            machine.settle(at)
            assert _without_facts(machine.rows()) == lived


def _replayed(machine: Machine, fresh: Path) -> dict[str, Rows]:
    """Fold all history again, as the children of owners do."""
    return _without_facts(dict(_folded(machine, fresh)))


def _folded(machine: Machine, fresh: Path) -> Iterator[tuple[str, Rows]]:
    for partition in machine.partitions.values():
        own = partition.spec
        for _ in building.make_ready(own, fresh / own.name, with_index=False):
            pass
        with closing(State(fresh / own.name)) as state:
            yield own.name, kept_rows(state)


def _replayed_from_the_archive(machine: Machine, fresh: Path, at: int) -> dict[str, Rows]:
    """Fold it as if logs held nothing any more; they keep their last record."""
    for partition in machine.partitions.values():
        while partition.tail.head > _archived(partition):
            care(partition, at)
    with patch.object(LogTail, "first", property(lambda tail: tail.head)):
        return _replayed(machine, fresh)


def _archived(partition: Partition) -> int:
    segments = partition.tail.segments()
    return segments[-1].last + 1 if segments else 0


def _without_facts(rows: dict[str, Rows]) -> dict[str, Rows]:
    """Leave out the facts about a state itself, such as who made it."""
    return {
        name: {table: kept for table, kept in tables.items() if table != "meta"}
        for name, tables in rows.items()
    }
