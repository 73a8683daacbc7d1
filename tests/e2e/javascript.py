"""What tests of the TypeScript client run: Node, npm and Chromium."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

UI = Path(__file__).parents[2] / "ui"
NODE_MIN = 20
CHROMIUM = "chromium"


def npm(*command: str, **environment: str) -> str:
    """Return what npm prints in `ui/`, where all packages are installed then."""
    if shutil.which("npm") is None or _node_version() < NODE_MIN:
        _lack(f"npm and Node {NODE_MIN} or newer")
    if _is_newer(UI / "package-lock.json", UI / "node_modules/.package-lock.json"):
        _run("npm", "ci", "--no-audit", "--no-fund")
    return _run("npm", *command, **environment)


def chromium() -> str:
    """Return where Chromium is."""
    found = shutil.which(CHROMIUM)
    if found is None:
        _lack("Chromium")
    return found


def _lack(what: str) -> NoReturn:
    """Skip a test for want of a program."""
    pytest.skip(f"needs {what}")


def _node_version() -> int:
    node = shutil.which("node")
    if node is None:
        return 0
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(shown.removeprefix("v").partition(".")[0])


def _is_newer(file: Path, than: Path) -> bool:
    return not than.exists() or file.stat().st_mtime > than.stat().st_mtime


def _run(*command: str, **environment: str) -> str:
    ended = subprocess.run(
        command,
        cwd=UI,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4_000:] + ended.stderr[-4_000:]
    return ended.stdout
