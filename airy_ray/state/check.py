"""Check a state, page by page and row by row: `python -m airy_ray.state.check <directory> [copy]`.

Run in a process of its own, because LMDB aborts on some damaged pages. With a second directory the
state is copied there, compacted, and the copy checked. Prints what is wrong, a line each, and exits
with 1; or prints how many records are folded in, as JSON, and exits with 0; or exits with 2 if
there was no space for the copy.
"""

import sys
from pathlib import Path

import lmdb
import msgspec

from airy_ray.errors import RowCorruptError
from airy_ray.state.tables import ROW_TYPES, decoded
from airy_ray.storage import pages
from airy_ray.storage.files import is_no_space

_PROBLEMS_SHOWN = 20
_TOLD = ("applied", "version")


def main(path: Path, copy: Path | None = None) -> int:
    """Check the state in `path`, or a copy that is made of it first; return the exit code."""
    about: dict[str, int] = {}
    try:
        if copy is not None:
            _copy(path, copy)
        found = pages.problems(copy or path)
        if not found:
            found, about = rows(copy or path)
    except (lmdb.Error, OSError) as error:
        if is_no_space(getattr(error, "code", None) or getattr(error, "errno", None)):
            return 2
        found = [str(error)]
    if found:
        print("\n".join(found[:_PROBLEMS_SHOWN]))
        return 1
    print(msgspec.json.encode(about).decode())
    return 0


def _copy(path: Path, destination: Path) -> None:
    with lmdb.open(str(path), readonly=True, max_dbs=len(ROW_TYPES), map_size=1 << 38) as state:
        state.copy(str(destination), compact=True)


def rows(path: Path) -> tuple[list[str], dict[str, int]]:
    """Return what is wrong with the rows of a state that nobody writes, and what it tells."""
    about: dict[str, int] = {}
    environment = lmdb.open(
        str(path), readonly=True, lock=False, max_dbs=len(ROW_TYPES), map_size=1 << 38
    )
    with environment, environment.begin() as transaction:
        found = _strangers(environment, transaction)
        for table in ROW_TYPES:
            try:
                handle = environment.open_db(table.encode(), txn=transaction, create=False)
            except lmdb.NotFoundError:
                found.append(f"table {table} is missing")
                continue
            for key, value in transaction.cursor(handle):
                try:
                    row = decoded(table, key, value)
                except RowCorruptError as error:
                    found.append(str(error))
                    continue
                if table == "meta" and key.decode() in _TOLD:
                    about[key.decode()] = int.from_bytes(row, "big")
    found += [f"it does not tell what is {name}" for name in _TOLD if name not in about]
    return found, about


def _strangers(environment: lmdb.Environment, transaction: "lmdb.Transaction[bytes]") -> list[str]:
    """Return what is said of tables that no state has: the name of one of ours was damaged."""
    names = transaction.cursor(environment.open_db(None, txn=transaction, create=False))
    return [
        f"table {name!r} is unknown"
        for name in names.iternext(keys=True, values=False)
        if name.decode("ascii", "replace") not in ROW_TYPES
    ]


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
