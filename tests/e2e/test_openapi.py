"""The API does what its description says, whatever it is asked (OpenAPI at `/openapi.json`).

`AIRY_SCHEMATHESIS_EXAMPLES` sets how many requests are made up for each operation.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Running, home, started

EXAMPLES = os.environ.get("AIRY_SCHEMATHESIS_EXAMPLES", "3")
CONFORMANCE = [
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]
"""Not among them: that what breaks the schema is refused. Numbers are taken for texts (§1)."""
CALLS_PLATFORMS = r"channels\.(facebook|instagram|whatsapp|viber|telegram)\.(connect|explore)"
CALLS_PLATFORMS += r"|facebook\.channels\.explore"
"""What their platforms refuse is answered with 500 (contract: §7.6)."""


@pytest.fixture(scope="module")
def fresh() -> Iterator[Running]:
    """A platform of its own: what is made up would be in the way of other tests, and they of it."""
    with home({}) as place, started(place) as running:
        yield running


@pytest.mark.parametrize("phase", ["examples", "coverage", "fuzzing", "stateful"])
def test_the_api_does_what_it_says(fresh: Running, tmp_path: Path, phase: str) -> None:
    checks = ["not_a_server_error", *CONFORMANCE]
    ask(fresh, tmp_path, phase, checks, f"--exclude-path-regex={CALLS_PLATFORMS}")


@pytest.mark.parametrize("phase", ["examples", "coverage", "fuzzing"])
def test_what_platforms_refuse_is_told(fresh: Running, tmp_path: Path, phase: str) -> None:
    ask(fresh, tmp_path, phase, CONFORMANCE, f"--include-path-regex={CALLS_PLATFORMS}")


def ask(platform: Running, directory: Path, phase: str, checks: list[str], *options: str) -> None:
    asked = subprocess.run(
        [
            sys.executable,
            "-c",
            "from schemathesis.cli import schemathesis; schemathesis()",
            "run",
            f"{platform.url}/openapi.json",
            f"--phases={phase}",
            f"--checks={','.join(checks)}",
            f"--max-examples={EXAMPLES}",
            "--generation-database=none",
            "--no-color",
            *options,
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    print(asked.stdout[-2_000:])

    assert asked.returncode == 0, asked.stdout + asked.stderr
