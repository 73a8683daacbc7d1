"""`python -m benchmarks [names]`: all benchmarks, or some, each in a process of its own."""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import console

_SHARED = {
    "__init__", "__main__", "all_sources", "bare_loop", "doors", "endpoints", "hostile",
    "installation", "listeners", "load", "measuring", "played", "receivers", "store", "subscribers",
    "system", "timing", "traffic", "writers",
}  # fmt: skip
_OWN_OPTIONS = {"chaos", "replay_chaos", "simulation"}
"""Those that neither time nor repeat, and whose options are only for themselves."""
NAMES = sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - _SHARED)


def main() -> int:
    """Run what was asked for; return 1 if a requirement is missed or could not be measured."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    arguments.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}")
    arguments.add_argument("--seconds", help="of load for each figure")
    arguments.add_argument("--repeats", help="of everything, in turn")
    asked = arguments.parse_args()
    unknown = sorted(set(asked.names) - set(NAMES))
    if unknown:
        arguments.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    options = [
        f"--{name}={value}"
        for name, value in (("seconds", asked.seconds), ("repeats", asked.repeats))
        if value is not None
    ]
    codes = {}
    for name in asked.names or NAMES:
        console.rule(name)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        codes[name] = subprocess.call(command if name in _OWN_OPTIONS else command + options)
    verdicts = {0: "[green]met[/]", 1: "[bold red]missed[/]"}
    console.rule("verdicts")
    for name, code in codes.items():
        console.print(f"{name}: {verdicts.get(code, '[bold red]not measured[/]')}")
    return 1 if any(codes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
