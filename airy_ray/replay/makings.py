"""Where one replay of one partition keeps what it makes until that takes over, and what it drops.

What it makes lies in a directory of its own; a state that is offered lies in a generation's place,
and counts once the owner has taken it.
"""

import shutil
from pathlib import Path

from airy_ray.partition import erasure, generations
from airy_ray.partition.partition import Partition
from airy_ray.replay.order import Report


class Makings:
    """The files of one run, beside those of a partition. One thread uses it: the owner's."""

    def __init__(self, partition: Partition, run: int) -> None:
        self._partition = partition
        self._directory = partition.spec.directory
        self._run = run

    @property
    def fresh(self) -> Path:
        """The state into which history is folded."""
        return self.aside("state")

    def aside(self, name: str) -> Path:
        """Return where something of the run lies."""
        return self._directory / f"{erasure.REPLAYED}{self._run}" / name

    def placed(self, report: Report) -> Path | None:
        """Return where a state is that was given a generation's place and is not taken yet."""
        if report.after is None:
            return None
        path = generations.path_of(self._directory, report.after)
        # in this order: a generation that a rebuild makes counts before it is there
        is_placed = path.exists() and report.after > self._partition.generation.number
        return path if is_placed else None

    def wipe(self, report: Report | None) -> None:
        """Delete what any run has made that has not taken over."""
        placed = None if report is None else self.placed(report)
        if placed is not None:
            shutil.rmtree(placed, ignore_errors=True)
        for left in self._directory.glob(f"{erasure.REPLAYED}*"):
            shutil.rmtree(left, ignore_errors=True)

    def close_left(self, path: Path) -> None:
        """Close a generation that was taken over from: no thread reads it any more."""
        for left in [each for each in self._partition.left if each.path == path]:
            self._partition.left.remove(left)
            left.close()

    def drop_older(self) -> None:
        """Delete the generations before the one that counts."""
        for left in [each.path for each in self._partition.left]:
            self.close_left(left)
        generations.drop_older(self._directory, self._partition.generation.number)
