"""What commands print: for people, or as JSON for programs; errors in one line."""

import json
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

console = Console()
error_console = Console(stderr=True)

WRONG_USE = 2
"""Exit code when nothing was done, because what was asked for cannot be."""


def fail(reason: object, code: int = WRONG_USE) -> NoReturn:
    """Say in one line what is wrong, and end."""
    error_console.print(f"airy-ray: {reason}", style="red", markup=False, highlight=False)
    sys.exit(code)


def print_json(value: Any) -> None:
    """Print a value for programs."""
    print(json.dumps(value, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows for people."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console.print(table)
