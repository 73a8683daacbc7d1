"""`airy-ray openapi` prints what `/openapi.json` serves."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from airy_ray.cli.app import app
from airy_ray.serve.api.app import description
from airy_ray.serve.api.documentation import Documentation


@pytest.fixture(scope="module")
def served() -> object:
    page = Documentation(description).page("/openapi.json")
    assert page is not None
    return json.loads(page.body)


def test_the_description_is_printed(served: object) -> None:
    assert json.loads(CliRunner().invoke(app, ["openapi"]).stdout) == served


def test_the_description_is_written_to_a_file(served: object, tmp_path: Path) -> None:
    output = tmp_path / "openapi.json"

    assert CliRunner().invoke(app, ["openapi", "--output", str(output)]).exit_code == 0
    assert json.loads(output.read_text()) == served


def test_a_file_that_cannot_be_written_is_wrong_use(tmp_path: Path) -> None:
    output = tmp_path / "missing" / "openapi.json"

    assert CliRunner().invoke(app, ["openapi", "--output", str(output)]).exit_code == 2
