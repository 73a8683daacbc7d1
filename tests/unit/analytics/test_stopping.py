"""Runs that are stopped at any step: what was there stays whole, and the next run goes on."""

from pathlib import Path

import pytest

from airy_ray.analytics.destination import Directory
from airy_ray.analytics.export import into
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec
from tests.unit.analytics.exports import (
    HISTORY,
    as_served,
    export,
    manifest_in,
    more,
    newest_in,
    served,
)


class StoppedError(Exception):
    """What a kill is to a run that is in this process."""


class StoppingDirectory(Directory):
    """A directory whose writer is stopped at a step: before it, or right after it."""

    def __init__(self, path: Path, steps: int) -> None:
        super().__init__(path)
        self._left = steps

    def keep(self, name: str, written: Path) -> None:
        self._step()
        super().keep(name, written)
        self._step()

    def write(self, name: str, content: bytes) -> None:
        self._step()
        super().write(name, content)
        self._step()

    def delete(self, name: str) -> None:
        self._step()
        super().delete(name)
        self._step()

    def _step(self) -> None:
        if self._left == 0:
            raise StoppedError
        self._left -= 1


@pytest.mark.parametrize("is_full", [True, False])
def test_a_run_that_is_stopped_anywhere_leaves_what_was_there_whole(
    own: PartitionSpec, partition: Partition, to: Path, is_full: bool
) -> None:
    export(to, own)
    steps = 0
    while True:
        more(partition, 2, first=2_000 + 10 * steps)
        before = newest_in(to)
        try:
            list(into(StoppingDirectory(to, steps), [own], HISTORY, is_full=is_full))
        except StoppedError:
            steps += 1
        else:
            break
        assert newest_in(to) in (before, newest_in_fresh(own, to.parent / f"fresh-{steps}"))
        if steps % 3 == 0:  # sometimes the next run is not stopped
            export(to, own)
            named = {each.path for each in manifest_in(to).files}
            found = (str(file.relative_to(to)) for file in to.rglob("*") if file.is_file())
            assert {*named, "export.json"} == set(found)
            assert as_served(newest_in(to)) == served([own])

    assert steps > 8
    assert as_served(newest_in(to)) == served([own])


def newest_in_fresh(own: PartitionSpec, to: Path) -> object:
    export(to, own)
    return newest_in(to)
