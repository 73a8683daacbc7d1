"""A directory for copies below the data directory, gone when its command ends, killed or not."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airy_ray.cli.output import fail
from airy_ray.storage.beacon import is_alive


@contextmanager
def scratch(data: Path, command: str) -> Iterator[Path]:
    """Make a directory for copies, and remove it again, with those that others left behind."""
    beginning = f".{command}-"
    for left in data.glob(f"{beginning}*"):
        pid = left.name.removeprefix(beginning)
        if pid.isdecimal() and not is_alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    made = data / f"{beginning}{os.getpid()}"
    try:
        made.mkdir(mode=0o700)
    except OSError as error:
        fail(f"{made}: {error.strerror}", code=1)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
