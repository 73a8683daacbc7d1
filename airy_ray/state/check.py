"""Check a state, page by page and row by row: `python -m airy_ray.state.check <directory>`.

Run in a process of its own, because LMDB aborts on some damaged pages. Prints what is wrong, a line
each, and exits with 1; or prints how many records are folded in, as JSON, and exits with 0.
"""

import sys
from pathlib import Path

import lmdb
import msgspec

from airy_ray.errors import RowCorruptError
from airy_ray.state.tables import ROW_TYPES, decoded
from airy_ray.storage import pages

_PROBLEMS_SHOWN = 20


def main(path: Path) -> int:
    """Check the state in `path`; return the exit code."""
    found = pages.problems(path)
    if not found:
        found, about = _rows(path)
    if found:
        print("\n".join(found[:_PROBLEMS_SHOWN]))
        return 1
    print(msgspec.json.encode(about).decode())
    return 0


def _rows(path: Path) -> tuple[list[str], dict[str, int]]:
    found: list[str] = []
    about = {"applied": 0, "version": 0}
    environment = lmdb.open(
        str(path), readonly=True, lock=False, max_dbs=len(ROW_TYPES), map_size=1 << 38
    )
    with environment, environment.begin() as transaction:
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
                if table == "meta":
                    about[key.decode()] = int.from_bytes(row, "big")
    return found, about


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
