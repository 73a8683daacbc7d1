"""Is a partition whole? Every page, record, file and row of it is looked at; nothing is changed.

The checks run in a child, because LMDB aborts on some damaged pages: one that dies of what it looks
at has found damage, and another child does the rest.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from airy_ray.errors import AiryError, ChildDiedError, DiskFullError
from airy_ray.partition.checks import (
    check_archive,
    check_folding,
    check_log,
    check_snapshots,
    check_state,
)
from airy_ray.partition.finding import Check, Damage, Finding
from airy_ray.partition.spec import PartitionSpec
from airy_ray.storage import child

_CHECKS: list[Check] = [check_log, check_archive, check_state, check_snapshots, check_folding]
"""In this order; the last one is the deep one."""


def verify(
    specs: Sequence[PartitionSpec],
    scratch: Path,
    *,
    deep: bool,
    further: Sequence[Check] = (),
) -> Iterator[Finding]:
    """Check partitions; `scratch` is a directory for copies, with space for log and state of one.

    With `deep` the logs are folded again too and compared with the states. What is checked
    `further` comes last, and finds the checked copy of the state in its scratch.

    Raises:
        DiskFullError: there was no space for a copy.
    """
    checks = [*(_CHECKS if deep else _CHECKS[:-1]), *further]
    tasks = [_Task(spec, check) for spec in specs for check in checks]
    unsound: set[str] = set()
    at, file = 0, ""
    while at < len(tasks):
        try:
            for number, finding in child.results(_run, tasks, at, scratch, unsound):
                at, file = number, finding.file
                _mark(unsound, tasks[at], finding)
                yield finding
            return
        except ChildDiedError as error:
            died = Damage(tasks[at].spec.name, file or str(tasks[at].spec.directory), str(error))
            _mark(unsound, tasks[at], died)
            yield died
            at += 1  # another child does the rest


class _Task(NamedTuple):
    spec: PartitionSpec
    check: Check


def _run(
    tasks: Sequence[_Task], first: int, scratch: Path, unsound: set[str]
) -> Iterator[tuple[int, Finding]]:
    """Yield what checks find, from the one numbered `first` on, each with the check's number."""
    for number, task in enumerate(tasks[first:], first):
        spec, file = task.spec, str(task.spec.directory)
        for other in scratch.iterdir():
            if other.name != spec.name:
                shutil.rmtree(other, ignore_errors=True)
        try:
            for finding in task.check(spec, scratch / spec.name, spec.name not in unsound):
                file = finding.file
                _mark(unsound, task, finding)
                yield number, finding
        except DiskFullError:
            raise
        except AiryError as error:
            damage = Damage(spec.name, file, str(error))
            _mark(unsound, task, damage)
            yield number, damage


def _mark(unsound: set[str], task: _Task, finding: Finding) -> None:
    """Note whose log is damaged."""
    if task.check is check_log and isinstance(finding, Damage):
        unsound.add(finding.partition)
