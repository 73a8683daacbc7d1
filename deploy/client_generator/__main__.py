"""`python -m deploy.client_generator DESCRIPTION [--check]`."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from deploy.client_generator.source import sources

PACKAGE = Path(__file__).parents[2] / "airy_ray_client"


def main() -> None:
    """Write the modules that a description makes, or check that they are there as they would be."""
    parser = argparse.ArgumentParser(description="Make airy_ray_client of the API's description.")
    parser.add_argument("description", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it would differ")
    asked = parser.parse_args()
    made = formatted(json.loads(asked.description.read_text(encoding="utf-8")))
    if not asked.check:
        for name, text in made.items():
            (PACKAGE / name).write_text(text, encoding="utf-8")
    elif differing(made):
        sys.exit(f"not as described: {', '.join(differing(made))}; run `make clients`")


def formatted(description: dict[str, object]) -> dict[str, str]:
    """Return the modules that a description makes, formatted and without unused imports."""
    return {name: _ruff(name, text) for name, text in sources(description).items()}


def differing(made: dict[str, str]) -> list[str]:
    """Return which modules are not as they would be made."""
    return [
        name
        for name, text in made.items()
        if not (PACKAGE / name).is_file() or (PACKAGE / name).read_text(encoding="utf-8") != text
    ]


def _ruff(name: str, text: str) -> str:
    for arguments in (["check", "--fix-only", "--select=F401,I", "--quiet"], ["format"]):
        command = [
            sys.executable,
            "-m",
            "ruff",
            *arguments,
            "--stdin-filename",
            str(PACKAGE / name),
        ]
        text = subprocess.run(  # noqa: S603 -- our own arguments
            [*command, "-"], input=text, capture_output=True, text=True, check=True
        ).stdout
    return text


if __name__ == "__main__":
    main()
