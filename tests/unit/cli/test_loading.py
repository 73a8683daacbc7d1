"""What the program loads before it knows which command it is: it takes time, and memory of `up`."""

import subprocess
import sys

_HEAVY = ("pyarrow", "numpy", "ray", "fastapi")
_LOADED = f"import airy_ray.cli.app, sys; print([n for n in {_HEAVY} if n in sys.modules])"


def test_no_command_waits_for_what_another_one_needs() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True
    )

    assert loaded.stdout == "[]\n"
