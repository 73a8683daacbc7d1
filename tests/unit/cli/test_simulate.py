"""`airy-ray simulate`: what it needs to be told, and what a run comes to as an exit code."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from airy_ray.cli.app import app
from airy_ray.serve.ports import free_port
from tests.unit.simulator.small_platform import Faults, SmallPlatform, serving

SECRETS: dict[str, Any] = {
    "facebook": {"app_id": "4711", "app_secret": "s", "api_url": "http://127.0.0.1:1"},
    "google": {"partner_key": "k"},
}
BRIEF = ["--rate", "200", "--duration", "0.2", "--duplicates", "0", "--disorder", "0"]


def simulate(directory: Path, sources: dict[str, Any], *arguments: str) -> Result:
    config = directory / "airy.yaml"
    config.write_text(json.dumps({"sources": sources}))  # which is YAML too
    return CliRunner().invoke(app, ["simulate", "--config", str(config), *arguments])


def without(source: str, key: str) -> dict[str, Any]:
    left = {name: value for name, value in SECRETS[source].items() if name != key}
    return SECRETS | {source: left}


@pytest.mark.parametrize(
    ("source", "key"),
    [("facebook", "app_id"), ("facebook", "app_secret"), ("google", "partner_key")],
)
def test_a_secret_that_is_missing_is_named(source: str, key: str, tmp_path: Path) -> None:
    refused = simulate(tmp_path, without(source, key))

    assert refused.exit_code == 2
    assert f"sources.{source}.{key}: is needed" in " ".join(refused.stderr.split())


def test_traffic_is_not_sent_while_the_system_calls_the_real_meta(tmp_path: Path) -> None:
    refused = simulate(tmp_path, without("facebook", "api_url"))

    assert refused.exit_code == 2
    assert "sources.facebook.api_url" in refused.stderr


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        pytest.param(Faults(), 0, id="all found"),
        pytest.param(Faults(loses_one=True), 1, id="one lost"),
    ],
)
def test_the_exit_code_tells_whether_all_was_found(
    faults: Faults, code: int, tmp_path: Path
) -> None:
    with serving(SmallPlatform(faults)) as url:
        ports = ["--url", url, "--platform-port", str(free_port())]
        told = simulate(tmp_path, SECRETS, *ports, *BRIEF, "--settle", "0", "--json")

    assert told.exit_code == code
    assert json.loads(told.stdout)["wrong"]["missing"] == code


def test_a_system_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()!s}"

    told = simulate(
        tmp_path,
        SECRETS,
        "--url",
        nowhere,
        "--platform-port",
        str(free_port()),
        "--give-up-after",
        "0",
    )

    assert told.exit_code == 2
    assert "does not answer" in told.stderr


def test_which_sources_are_not_played_and_why_is_told(tmp_path: Path) -> None:
    here = SECRETS["facebook"]["api_url"]
    viber = {"viber": {"auth_token": "v", "api_url": here}}
    elsewhere = {"whatsapp": {"app_secret": "w"}}
    with serving(SmallPlatform(Faults())) as url:
        ports = ["--url", url, "--platform-port", str(free_port())]
        told = simulate(tmp_path, SECRETS | viber | elsewhere, *ports, *BRIEF, "--settle", "0")

    left_out = [line for line in told.stderr.splitlines() if line.startswith("not played: ")]
    assert told.exit_code == 0
    assert left_out == [
        f"not played: whatsapp: sources.whatsapp.api_url is not {here}",
        "not played: twilio.sms: sources.twilio.auth_token is not set",
        "not played: twilio.whatsapp: sources.twilio.auth_token is not set",
        f"not played: telegram: sources.telegram.api_url is not {here}",
    ]
