"""What cannot be done is refused by every command: one clear line, exit code 2, nothing changed."""

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from airy_ray.cli.app import app
from airy_ray.cli.running import only_one
from airy_ray.serve.ports import free_port
from tests.unit.cli.directories import URL, Directory

LOOKING = [
    pytest.param(["status"], id="status"),
    pytest.param(["ledger"], id="ledger"),
    pytest.param(["ledger", "show", "00:1"], id="ledger show"),
    pytest.param(["ledger", "resend", "00:1"], id="ledger resend"),
    pytest.param(["quarantine"], id="quarantine"),
    pytest.param(["quarantine", "list"], id="quarantine list"),
    pytest.param(["quarantine", "show", "00:1"], id="quarantine show"),
    pytest.param(["quarantine", "retry", "00:1"], id="quarantine retry"),
    pytest.param(["quarantine", "drop", "00:1"], id="quarantine drop"),
    pytest.param(["verify"], id="verify"),
    pytest.param(["retention", "--dry-run"], id="retention"),
]
ALL = [*LOOKING, pytest.param(["up", "--port", "0"], id="up")]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def assert_refused(refused: Result, said: str) -> None:
    assert refused.exit_code == 2
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert line.startswith("airy-ray: ")
    assert said in line


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run where no airy.yaml is."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", LOOKING)
def test_what_is_no_data_directory_is_not_made_one(command: list[str], tmp_path: Path) -> None:
    assert_refused(run(*command, "--data", str(tmp_path / "none")), "is not a data directory")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", LOOKING)
def test_without_flags_it_is_the_data_directory_of_the_settings(
    command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "airy.yaml").write_text("data: elsewhere\n")

    assert_refused(run(*command), "data: elsewhere is not a data directory")


@pytest.mark.parametrize("command", LOOKING)
def test_a_layout_of_another_version_is_refused(command: list[str], fresh: Directory) -> None:
    layout = {"version": 99, "partitions": 2, "history": "x"}
    (fresh.path / "layout.json").write_text(json.dumps(layout))
    before = fresh.digest()

    refused = run(*command, "--data", str(fresh.path))

    assert_refused(refused, "has layout version 99, this program knows 1")
    assert fresh.digest() == before


@pytest.mark.parametrize("command", LOOKING)
def test_a_layout_that_cannot_be_read_is_refused(command: list[str], fresh: Directory) -> None:
    (fresh.path / "layout.json").write_text("{")

    assert_refused(run(*command, "--data", str(fresh.path)), "layout.json cannot be read")


@pytest.mark.parametrize("command", ALL)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param("colour: red", "colour: unknown setting", id="unknown key"),
        pytest.param("http: {prot: 80}", "http.prot: unknown setting", id="unknown nested key"),
        pytest.param("http: {port: high}", "http.port: input should be", id="wrong value"),
        pytest.param("- data", "expected keys and values", id="no keys"),
    ],
)
def test_wrong_settings_are_refused_with_their_key(
    command: list[str], settings: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "airy.yaml").write_text(settings)
    arguments = [each for each in command if each not in ("--port", "0")]

    assert_refused(run(*arguments), said)
    assert [each.name for each in tmp_path.iterdir()] == ["airy.yaml"]


@pytest.mark.parametrize("command", ALL)
def test_a_settings_file_that_is_named_must_be_there(command: list[str]) -> None:
    arguments = [each for each in command if each not in ("--port", "0")]

    assert_refused(run(*arguments, "--config", "gone.yaml"), "gone.yaml: No such file")


def test_up_refuses_a_port_that_is_taken_and_makes_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        refused = run("up", "--data", str(tmp_path / "data"), "--port", str(port))

    assert_refused(refused, f"http.port: cannot listen on 127.0.0.1:{port}")
    assert not (tmp_path / "data").exists()


def test_up_refuses_a_data_directory_that_another_runs_on(fresh: Directory) -> None:
    with only_one(fresh.path, URL):
        before = fresh.digest()
        refused = run("up", "--data", str(fresh.path), "--port", str(free_port()))
        assert fresh.digest() == before

    assert_refused(refused, f"another airy-ray runs on {fresh.path}")


def test_up_refuses_another_number_of_partitions(fresh: Directory) -> None:
    before = fresh.digest()

    refused = run("up", "--data", str(fresh.path), "--port", str(free_port()), "--partitions", "3")

    assert_refused(refused, "was made for 2, which cannot be changed")
    assert fresh.digest() == before


def test_up_refuses_a_layout_of_another_version(fresh: Directory) -> None:
    layout = {"version": 99, "partitions": 2, "history": "x"}
    (fresh.path / "layout.json").write_text(json.dumps(layout))
    before = fresh.digest()

    refused = run("up", "--data", str(fresh.path), "--port", str(free_port()))

    assert_refused(refused, "has layout version 99, this program knows 1")
    assert fresh.digest() == before


def test_up_refuses_to_be_reached_from_elsewhere_without_a_token(tmp_path: Path) -> None:
    refused = run("up", "--data", str(tmp_path / "data"), "--host", "0.0.0.0")

    assert_refused(refused, "which needs security.system_token (or --insecure)")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", LOOKING)
def test_an_unknown_option_is_wrong_use(command: list[str]) -> None:
    assert run(*command, "--nonsense").exit_code == 2


@pytest.mark.parametrize("command", LOOKING)
def test_the_help_teaches_with_an_example_and_tells_every_common_option(command: list[str]) -> None:
    help_text = run(*command, "--help").stdout

    assert f"Example: airy-ray {command[0]}" in help_text
    assert all(option in help_text for option in ("--config", "--data", "--json"))
