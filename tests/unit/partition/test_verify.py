"""Checks run in a child that may die of one: that is damage, and the rest is checked anyway."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from airy_ray.errors import DamagedError, DiskFullError
from airy_ray.partition import verify
from airy_ray.partition.finding import Check, Damage, Finding, Note, Step
from airy_ray.partition.spec import PartitionSpec
from tests.log_builders import spec


def _dies(own: PartitionSpec, _: Path, __: bool) -> Iterator[Finding]:
    yield Step(own.name, "the file")
    os.kill(os.getpid(), signal.SIGABRT)


def _dies_for_00(own: PartitionSpec, _: Path, __: bool) -> Iterator[Finding]:
    yield Step(own.name, "the file")
    if own.name == "00":
        os.kill(os.getpid(), signal.SIGBUS)


def _raises(own: PartitionSpec, _: Path, __: bool) -> Iterator[Finding]:
    yield Step(own.name, "the file")
    raise DamagedError("the file", "a reason")


def _finds_no_space(_: PartitionSpec, scratch: Path, __: bool) -> Iterator[Finding]:
    yield from ()
    raise DiskFullError(str(scratch))


def _copies(own: PartitionSpec, scratch: Path, _: bool) -> Iterator[Finding]:
    scratch.mkdir()
    yield Note(own.name, "", ",".join(sorted(each.name for each in scratch.parent.iterdir())))


def _tells_whether_the_log_is_sound(
    own: PartitionSpec, _: Path, is_log_sound: bool
) -> Iterator[Finding]:
    yield Note(own.name, "", f"sound: {is_log_sound}")


def _deep(own: PartitionSpec, _: Path, __: bool) -> Iterator[Finding]:
    yield Note(own.name, "", "deep")


def checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *checks: Check, deep: bool = False
) -> list[Finding]:
    """Return what checks find in two partitions, steps apart."""
    monkeypatch.setattr(verify, "_CHECKS", [*checks, _deep])
    own = [spec(tmp_path, index=index, count=2) for index in range(2)]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return [
        finding
        for finding in verify.verify(own, scratch, deep=deep)
        if not isinstance(finding, Step)
    ]


def test_a_death_is_damage_of_the_file_that_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "the process that read it ended with signal 6"

    assert checked(monkeypatch, tmp_path, _dies) == [
        Damage("00", "the file", told),
        Damage("01", "the file", told),
    ]


def test_after_a_death_the_rest_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = checked(monkeypatch, tmp_path, _dies_for_00, _raises)

    assert found == [
        Damage("00", "the file", "the process that read it ended with signal 7"),
        Damage("00", "the file", "the file is damaged: a reason"),
        Damage("01", "the file", "the file is damaged: a reason"),
    ]


def test_checks_are_told_of_the_partition_whose_log_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "check_log", _dies_for_00)

    found = checked(monkeypatch, tmp_path, _dies_for_00, _tells_whether_the_log_is_sound)

    assert found[1:] == [Note("00", "", "sound: False"), Note("01", "", "sound: True")]


def test_copies_of_one_partition_are_gone_before_the_next_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked(monkeypatch, tmp_path, _copies) == [Note("00", "", "00"), Note("01", "", "01")]


def test_only_a_deep_check_does_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked(monkeypatch, tmp_path, deep=True) == [
        Note("00", "", "deep"),
        Note("01", "", "deep"),
    ]


def test_without_space_for_a_copy_nothing_is_said_to_be_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DiskFullError):
        checked(monkeypatch, tmp_path, _finds_no_space)
