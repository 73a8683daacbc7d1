"""Check a log, page by page and record by record: `python -m airy_ray.rawlog.check <directory>`.

Run in a process of its own, because LMDB aborts on some damaged pages. It looks at a raw copy, so
others may go on appending. Prints what is wrong, a line each, and exits with 1; or with 0; or with
2 if there was no space to check it.
"""

import sys
import tempfile
from pathlib import Path

import lmdb
import msgspec

from airy_ray.errors import RecordCorruptError
from airy_ray.rawlog import facts
from airy_ray.rawlog.record import opened
from airy_ray.rawlog.tail import BASE, LOG_TABLES, Segment
from airy_ray.storage import pages
from airy_ray.storage.files import is_no_space

_PROBLEMS_SHOWN = 20


def main(path: Path) -> int:
    """Check the log in `path`; return the exit code."""
    try:
        found = _problems(path)
    except (lmdb.Error, OSError) as error:
        if is_no_space(getattr(error, "code", None) or getattr(error, "errno", None)):
            return 2
        found = [str(error)]
    print("\n".join(found[:_PROBLEMS_SHOWN]))
    return 1 if found else 0


def _problems(path: Path) -> list[str]:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".check-") as name:
        copy = Path(name)
        with lmdb.open(str(path), readonly=True, max_dbs=len(LOG_TABLES), map_size=1 << 38) as log:
            log.copy(str(copy), compact=False)
        return pages.problems(copy) or rows(copy)


def rows(path: Path) -> list[str]:
    """Return what is wrong with the rows of a log that nobody writes."""
    with (
        lmdb.open(str(path), readonly=True, lock=False, max_dbs=len(LOG_TABLES)) as log,
        log.begin() as transaction,
    ):
        tables = {
            name: log.open_db(name.encode(), txn=transaction, create=False) for name in LOG_TABLES
        }
        found = []
        for name in ("archives", "meta"):
            found += [
                f"row {key.hex()} of {name} is damaged"
                for key, value in transaction.cursor(tables[name])
                if facts.opened(name, key, value) is None
            ]
        cursor = transaction.cursor(tables["records"])
        return found or _records(cursor, _archived(transaction.cursor(tables["archives"])))


def head(path: Path) -> int:
    """Return the offset that comes next in a log that nobody writes, whose rows are sound."""
    with (
        lmdb.open(str(path), readonly=True, lock=False, max_dbs=len(LOG_TABLES)) as log,
        log.begin() as transaction,
    ):
        tables = {name: log.open_db(name.encode(), txn=transaction) for name in LOG_TABLES}
        cursor = transaction.cursor(tables["records"])
        if cursor.last():
            return int.from_bytes(cursor.key(), "big") + 1
        base = transaction.get(BASE.encode(), db=tables["meta"])
        row = None if base is None else facts.opened("meta", BASE.encode(), base)
        return 0 if row is None else int.from_bytes(row, "big")


def _archived(cursor: "lmdb.Cursor[bytes]") -> int:
    """Return the first offset that is not archived; all from there on must be records."""
    if not cursor.last():
        return 0
    row = facts.opened("archives", *cursor.item())
    assert row is not None  # it was looked at just before
    return msgspec.msgpack.decode(row, type=Segment).last + 1


def _records(cursor: "lmdb.Cursor[bytes]", archived: int) -> list[str]:
    found = []
    expected = archived
    for key, value in cursor:
        offset = int.from_bytes(key, "big")
        if offset > expected or (offset != expected and expected != archived):
            found.append(f"offsets {expected} to {offset - 1} are missing")
        expected = offset + 1
        try:
            opened(value, offset)
        except RecordCorruptError as error:
            found.append(str(error))
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
