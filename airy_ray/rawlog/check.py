"""Check a log, page by page and record by record: `python -m airy_ray.rawlog.check <directory>`.

Run in a process of its own, because LMDB aborts on some damaged pages. It looks at a raw copy, so
others may go on appending. Prints what is wrong, a line each, and exits with 1; or with 0.
"""

import sys
import tempfile
from pathlib import Path

import lmdb

from airy_ray.errors import RecordCorruptError
from airy_ray.rawlog.record import opened
from airy_ray.rawlog.tail import LOG_TABLES
from airy_ray.storage import pages

_PROBLEMS_SHOWN = 20


def main(path: Path) -> int:
    """Check the log in `path`; return the exit code."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".check-") as name:
        copy = Path(name)
        with lmdb.open(str(path), readonly=True, max_dbs=len(LOG_TABLES), map_size=1 << 38) as log:
            log.copy(str(copy), compact=False)
        found = pages.problems(copy) or _records(copy)
    print("\n".join(found[:_PROBLEMS_SHOWN]))
    return 1 if found else 0


def _records(path: Path) -> list[str]:
    found = []
    expected = None
    with (
        lmdb.open(str(path), readonly=True, lock=False, max_dbs=len(LOG_TABLES)) as log,
        log.begin() as transaction,
    ):
        records = log.open_db(b"records", txn=transaction, create=False)
        for key, value in transaction.cursor(records):
            offset = int.from_bytes(key, "big")
            if expected is not None and offset != expected:
                found.append(f"offsets {expected} to {offset - 1} are missing")
            expected = offset + 1
            try:
                opened(value, offset)
            except RecordCorruptError as error:
                found.append(str(error))
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
