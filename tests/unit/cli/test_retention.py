"""`airy-ray retention`: what the rules would have erased."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cli.directories import Directory, run


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of settings that no test leaves to its directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "rules.yaml"


def rule(settings: Path, *rules: dict[str, Any]) -> tuple[str, ...]:
    settings.write_text(yaml.safe_dump({"retention": list(rules)}))
    return ("retention", "--dry-run", "--config", str(settings))


def test_without_rules_nothing_would_go(directory: Directory, settings: Path) -> None:
    answer = run(directory, *rule(settings))

    assert (answer.exit_code, answer.stdout) == (0, "Nothing would go.\n")


def test_what_would_go_is_counted_by_source(directory: Directory, settings: Path) -> None:
    answer = run(directory, *rule(settings, {"source": "facebook", "after_days": 1}))
    words = answer.stdout.split()

    assert words[-3:] == ["facebook", "7", "2025-11-21T08:00:00.033Z"]


def test_programs_are_told_each_conversation(directory: Directory, settings: Path) -> None:
    answer = run(directory, *rule(settings, {"after_days": 1}), "--json")
    told = json.loads(answer.stdout)

    assert len({each["id"] for each in told["conversations"]}) == 7
    assert {each["source"] for each in told["conversations"]} == {"facebook"}
    assert told["unreadable"] == []


def test_what_is_younger_than_the_rule_stays(directory: Directory, settings: Path) -> None:
    answer = run(directory, *rule(settings, {"after_days": 100_000}))

    assert answer.stdout == "Nothing would go.\n"


def test_looking_changes_nothing(directory: Directory, settings: Path) -> None:
    before = directory.digest()
    run(directory, *rule(settings, {"after_days": 1}))

    assert directory.digest() == before


def test_a_damaged_state_is_told(directory: Directory, settings: Path) -> None:
    (state,) = directory.specs[0].directory.glob("state.g*/data.mdb")
    state.write_bytes(b"x" * state.stat().st_size)
    answer = run(directory, *rule(settings, {"after_days": 1}))

    assert answer.exit_code == 1
    assert "partition 00 cannot be read" in answer.stderr


def test_it_erases_nothing_itself(directory: Directory) -> None:
    answer = run(directory, "retention")

    assert answer.exit_code == 2
    assert "--dry-run" in answer.stderr
