"""What commands print: for people, or as JSON for programs; errors in one line."""

import json
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console()
error_console = Console(stderr=True)

_UNBROKEN = 10_000

WRONG_USE = 2
"""Exit code when nothing was done, because what was asked for cannot be."""


def fail(reason: object, code: int = WRONG_USE) -> NoReturn:
    """Say in one line what is wrong, and end."""
    complain(f"airy-ray: {reason}")
    sys.exit(code)


def complain(line: str) -> None:
    """Say in one line, however long, what is not as it should be."""
    error_console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)


def say(line: str, style: str = "none") -> None:
    """Print a line for people, however long, as it is."""
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value for programs."""
    print(json.dumps(value, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows for people."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    if console.is_terminal:
        console.print(table)
    else:  # programs that read it, such as grep, want each row in one line, however long
        Console(width=_UNBROKEN).print(table)
