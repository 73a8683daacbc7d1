"""The API does what its description says, whatever it is asked (OpenAPI at `/openapi.json`).

`AIRY_SCHEMATHESIS_EXAMPLES` sets how many requests are made up for each operation.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.program import Running

EXAMPLES = os.environ.get("AIRY_SCHEMATHESIS_EXAMPLES", "3")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
"""Not among them: that what breaks the schema is refused. Numbers are taken for texts (§1)."""


@pytest.mark.parametrize("phase", ["coverage", "fuzzing", "stateful"])
def test_the_api_does_what_it_says(platform: Running, tmp_path: Path, phase: str) -> None:
    asked = subprocess.run(
        [
            sys.executable,
            "-c",
            "from schemathesis.cli import schemathesis; schemathesis()",
            "run",
            f"{platform.url}/openapi.json",
            f"--phases={phase}",
            f"--checks={','.join(CHECKS)}",
            f"--max-examples={EXAMPLES}",
            "--generation-database=none",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    print(asked.stdout[-2_000:])

    assert asked.returncode == 0, asked.stdout + asked.stderr
