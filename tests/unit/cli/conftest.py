"""A data directory to run commands on."""

import shutil
from pathlib import Path

import pytest

from tests.log_builders import webhooks
from tests.unit.cli.directories import Directory


@pytest.fixture
def fresh(tmp_path: Path) -> Directory:
    """A data directory that was made, and no more."""
    return Directory(tmp_path / "data")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with 40 messages of seven contacts in it, stopped in order."""
    made = Directory(tmp_path_factory.mktemp("template") / "data")
    made.project(webhooks(40))
    with made.running():
        return made.path


@pytest.fixture
def directory(template: Path, tmp_path: Path) -> Directory:
    """A data directory of one's own with 40 messages in it, stopped in order."""
    shutil.copytree(template, tmp_path / "data")
    return Directory(tmp_path / "data")
