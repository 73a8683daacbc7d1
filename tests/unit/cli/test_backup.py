"""`airy-ray backup` and `restore`: what they say, and how they end."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from airy_ray.cli.app import app
from tests.log_builders import append, webhooks
from tests.unit.cli.directories import Directory, run, told


def asked(*arguments: str | Path) -> Result:
    """Run a command that looks at no data directory."""
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def backup(directory: Directory, target: Path) -> Any:
    """What programs are told of a backup of a system that runs."""
    with directory.running():
        return told(directory, "backup", "--to", str(target))


def test_a_backup_is_taken_listed_checked_and_restored(
    backup: Any, target: Path, tmp_path: Path
) -> None:
    records = sum(backup["records"].values())

    listed = json.loads(asked("backup", "list", "--from", target, "--json").stdout)
    checked = asked("backup", "verify", "--from", target)
    restored = asked("restore", "--from", target, "--data", tmp_path / "restored")

    assert [each["backup"] for each in listed] == [backup["backup"]]
    assert (checked.exit_code, restored.exit_code) == (0, 0)
    assert checked.stdout.startswith(f"backup {backup['backup']} is whole: ")
    first, _ = restored.stdout.splitlines()
    assert first.startswith(f"backup {backup['backup']} is restored: {records} records in 2")
    assert run(Directory(tmp_path / "restored"), "verify", "--deep").exit_code == 0


def test_a_backup_changes_nothing_and_leaves_nothing_behind(
    directory: Directory, target: Path
) -> None:
    before = directory.digest()

    assert run(directory, "backup", "--to", str(target)).exit_code == 0

    assert directory.digest() == before


def test_so_many_are_kept(directory: Directory, target: Path) -> None:
    first = told(directory, "backup", "--to", str(target))
    append(directory.specs[0].directory, webhooks(1, first=100))

    second = told(directory, "backup", "--to", str(target), "--keep", "1")

    assert second["deleted"] == [first["backup"]]
    rows = asked("backup", "list", "--from", target).stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["backup", second["backup"]]


def test_a_damaged_file_of_a_backup_is_named_with_what_it_is(backup: Any, target: Path) -> None:
    largest = max((target / "files").iterdir(), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])

    checked = asked("backup", "verify", "--from", target)

    assert checked.exit_code == 1
    assert f"files/{largest.name} is damaged: its bytes are not those of part" in checked.stderr


def test_a_damaged_manifest_is_told(backup: Any, target: Path, tmp_path: Path) -> None:
    (file,) = (target / "backups").iterdir()
    file.write_bytes(file.read_bytes().replace(b'"partitions":2', b'"partitions":3'))

    restored = asked("restore", "--from", target, "--data", tmp_path / "restored")

    assert restored.exit_code == 2
    assert restored.stderr == f"airy-ray: backup {backup['backup']}: its manifest is damaged\n"
    assert not (tmp_path / "restored").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(["backup", "--data", "{data}"], "--to: say where", id="to nowhere"),
        pytest.param(
            ["backup", "--data", "{nothing}", "--to", "{target}"],
            "data: {nothing} is not a data directory",
            id="of nothing",
        ),
        pytest.param(
            ["backup", "--data", "{data}", "--to", "ftp://a/b"],
            "ftp://a/b: expected a directory or one of s3, gs, az",
            id="to what is no store",
        ),
        pytest.param(
            ["restore", "--from", "{nothing}", "--data", "{nothing}"],
            "{nothing} is not a directory",
            id="from nowhere",
        ),
        pytest.param(
            ["restore", "--from", "{data}", "--data", "{nothing}"],
            "there is no backup",
            id="from what is no target",
        ),
        pytest.param(
            ["restore", "--from", "{data}", "--data", "{nothing}", "--backup", "7"],
            "there is no backup 7",
            id="one that is not there",
        ),
    ],
)
def test_wrong_use_is_told_in_one_line_and_changes_nothing(
    directory: Directory, tmp_path: Path, arguments: list[str], line: str
) -> None:
    names = {"data": directory.path, "nothing": tmp_path / "nothing", "target": tmp_path / "target"}
    before = sorted(tmp_path.rglob("*"))

    ended = asked(*(each.format_map(names) for each in arguments))

    assert ended.exit_code == 2
    assert ended.stderr.startswith(f"airy-ray: {line.format_map(names)}")
    assert len(ended.stderr.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before
