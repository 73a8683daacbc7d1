"""What checking a partition finds: damage, what is worth knowing, and how far it is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from airy_ray.partition.spec import PartitionSpec

PROBLEMS_MAX = 1_000
"""Of one file; whoever has more than that does not read them one by one."""


class Damage(msgspec.Struct, frozen=True):
    """Something that is not what was written; the text names offset, page or row."""

    partition: str
    file: str
    problem: str


class Note(msgspec.Struct, frozen=True):
    """Something worth knowing that is no damage."""

    partition: str
    file: str
    note: str


class Step(msgspec.Struct, frozen=True):
    """What is looked at now, and how far that is, if it can be told."""

    partition: str
    file: str
    done: int = 0
    total: int = 0


Finding = Damage | Note | Step
Check = Callable[[PartitionSpec, Path, bool], Iterator[Finding]]
"""A check is told whether the log was found sound: if not, it does without."""
