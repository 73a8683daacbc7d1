"""`airy-ray export`: what it prints, while the system runs and when it is stopped."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest

from airy_ray.analytics import files
from airy_ray.analytics.export import FIRST_TIME, Done, Step, exported
from airy_ray.analytics.manifest import Manifest
from airy_ray.errors import ChildDiedError
from airy_ray.partition.generations import path_of as state_path
from airy_ray.partition.spec import PartitionSpec
from airy_ray.storage import child
from tests.log_builders import webhooks
from tests.unit.analytics.exports import manifest_in
from tests.unit.cli.directories import Directory, run, told


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "export"


def test_each_run_adds_what_came_since_the_last_while_the_system_runs(
    directory: Directory, to: Path
) -> None:
    with directory.running():
        first = told(directory, "export", "--to", str(to))["partitions"]
    directory.project(webhooks(5, first=100))
    with directory.running():
        second = told(directory, "export", "--to", str(to))["partitions"]

    assert [each["partition"] for each in first] == ["00", "01"]
    assert sum(each["rows"]["messages"] for each in first) == 40
    assert {each["reason"] for each in first} == {FIRST_TIME}
    assert sum(each["rows"]["messages"] for each in second) == 5
    assert {each["reason"] for each in second} == {None}
    assert len(pq.read_table(to / "messages", partitioning=None)["id"].unique()) == 45


def test_people_are_told_what_was_exported_and_why_all_of_it(
    directory: Directory, to: Path
) -> None:
    first = run(directory, "export", "--to", str(to))
    assert first.exit_code == 0
    head, *rows = first.stdout.splitlines()
    assert head.split() == ["partition", "conversations", "messages", "contacts", "events", "files"]
    assert [row.split()[0] for row in rows[:2]] == ["00", "01"]
    assert rows[2:] == [f"partition {name}: all of it, for {FIRST_TIME}" for name in ("00", "01")]

    assert "all of it" not in run(directory, "export", "--to", str(to)).stdout
    assert "for that was asked for" in run(directory, "export", "--to", str(to), "--full").stdout


def test_a_data_directory_that_nothing_ever_ran_on_has_nothing_to_export(
    fresh: Directory, to: Path
) -> None:
    assert told(fresh, "export", "--to", str(to))["partitions"] == []


def test_nothing_in_the_data_directory_is_changed(directory: Directory, to: Path) -> None:
    before = directory.digest()

    run(directory, "export", "--to", str(to))

    assert directory.digest() == before


def test_a_directory_of_something_else_is_wrong_use(directory: Directory, to: Path) -> None:
    to.mkdir()
    (to / "thesis.txt").write_text("years of work")

    refused = run(directory, "export", "--to", str(to))

    assert refused.exit_code == 2
    assert "--to: there is something, but no export.json" in refused.stderr


def test_a_partition_that_cannot_be_read_is_named_and_those_before_it_are_exported(
    directory: Directory, to: Path
) -> None:
    file = state_path(directory.specs[1].directory, 1) / "data.mdb"
    content = file.read_bytes()
    file.write_bytes(content[:8_192] + b"\xa5" * (len(content) - 8_192))

    failed = run(directory, "export", "--to", str(to))

    assert failed.exit_code == 1
    assert "not everything was exported: " in failed.stderr
    assert list(manifest_in(to).partitions) == ["00"]


def test_a_run_that_is_killed_is_done_again_by_the_next(directory: Directory, to: Path) -> None:
    run(directory, "export", "--to", str(to))
    before = manifest_in(to)
    directory.project(webhooks(20, first=100))

    with pytest.raises(ChildDiedError):
        list(child.results(killed, directory.specs, before.history, str(to)))
    assert manifest_in(to) == before
    assert left_in(to, before)

    run(directory, "export", "--to", str(to))
    after = manifest_in(to)
    assert not left_in(to, after)
    assert sum(each.rows for each in after.files if each.table == "messages") == 60


def killed(specs: list[PartitionSpec], history: str, to: str) -> Iterator[Step | Done]:
    """Export, and be killed in the middle of a file; in a process of its own."""
    write = files.Files._write

    def write_and_die(*arguments: Any) -> None:
        write(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    with patch.object(files.Files, "_write", write_and_die):
        yield from exported(specs, history, to, False)


def left_in(to: Path, manifest: Manifest) -> set[str]:
    """Return the files that do not count."""
    found = {str(file.relative_to(to)) for file in to.rglob("*.parquet")}
    return found - {each.path for each in manifest.files}
