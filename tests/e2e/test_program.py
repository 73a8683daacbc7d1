"""What the program refuses to start with, and in which words (design: §10)."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import program
from tests.e2e.program import PROGRAM, Finished, Home, Running


def is_one_line_and_code_2(ended: Finished) -> bool:
    lines = ended.errors.splitlines()
    return ended.code == 2 and len(lines) == 1 and lines[0].startswith("airy-ray: ")


@pytest.fixture
def place() -> Iterator[Home]:
    """Return a place where nothing runs."""
    with program.home({}) as made:
        yield made


def files_below(directory: Path) -> dict[Path, int]:
    """Return the files of a data directory that nobody writes in, and their sizes."""
    return {
        path.relative_to(directory): path.stat().st_size
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_second_system_on_the_same_data_is_refused(platform: Running) -> None:
    other = Home(platform.home.root, {})
    other.configure({})
    ended = other.run(*other.arguments())

    assert is_one_line_and_code_2(ended)
    assert "another airy-ray runs on" in ended.errors
    assert httpx.get(f"{platform.url}/actuator/health").status_code == 200


def test_a_taken_port_is_refused(place: Home) -> None:
    with socket.create_server(("127.0.0.1", place.port)):
        ended = place.run(*place.arguments())

    assert is_one_line_and_code_2(ended)
    assert f"cannot listen on 127.0.0.1:{place.port}" in ended.errors
    assert not place.data.exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param({"sourcs": {}}, "sourcs: unknown setting", id="unknown key"),
        pytest.param({"http": {"prot": 1}}, "http.prot: unknown setting", id="unknown inner key"),
        pytest.param({"http": {"port": "x"}}, "http.port: ", id="wrong kind"),
        pytest.param({"partitions": 0}, "partitions: ", id="out of bounds"),
        pytest.param({"http": []}, "http: ", id="no section"),
        pytest.param({"security": {"jwt_secret": "-"}}, "security.jwt_secret: ", id="no key"),
        pytest.param({"http": {"host": "0.0.0.0"}}, "security.system_token", id="open to all"),
    ],
)
def test_a_wrong_setting_is_named_and_refused(
    settings: dict[str, Any], told: str, place: Home
) -> None:
    place.configure(settings)
    arguments = ["--config", str(place.settings), "--data", str(place.data)]
    ended = place.run(str(PROGRAM), "up", *arguments)

    assert is_one_line_and_code_2(ended)
    assert told in ended.errors
    assert not place.data.exists()


def write_layout(place: Home, **changed: Any) -> None:
    place.data.mkdir()
    layout = {"version": 1, "partitions": 4, "history": "0"} | changed
    (place.data / "layout.json").write_text(json.dumps(layout))


def spoil_layout(place: Home) -> None:
    place.data.mkdir()
    (place.data / "layout.json").write_bytes(b"\xff")


@pytest.mark.parametrize(
    ("prepare", "more", "told"),
    [
        pytest.param(
            lambda place: write_layout(place, version=99),
            [],
            "has layout version 99, this program knows 1",
            id="made by another version",
        ),
        pytest.param(
            write_layout, ["--partitions", "8"], "was made for 4", id="made for other partitions"
        ),
        pytest.param(spoil_layout, [], "layout.json cannot be read", id="spoilt"),
        pytest.param(
            lambda place: place.data.write_text("no directory"), [], "data: ", id="no directory"
        ),
    ],
)
def test_a_data_directory_that_does_not_fit_is_refused_and_not_touched(
    prepare: Callable[[Home], None], more: list[str], told: str, place: Home
) -> None:
    prepare(place)
    before = files_below(place.data)
    ended = place.run(*place.arguments(*more))

    assert is_one_line_and_code_2(ended)
    assert told in ended.errors
    assert files_below(place.data) == before


@pytest.mark.parametrize("content", ["- a list", "a: [", "\x00"])
def test_settings_that_are_no_yaml_of_keys_and_values_are_refused(
    content: str, place: Home
) -> None:
    place.settings.write_text(content)
    ended = place.run(*place.arguments())

    assert ended.code == 2
    assert ended.errors.startswith("airy-ray: ")
    assert "Traceback" not in ended.errors
    assert not place.data.exists()


def test_a_file_of_settings_that_is_not_there_is_refused(place: Home) -> None:
    place.settings.unlink()

    assert is_one_line_and_code_2(place.run(*place.arguments()))
