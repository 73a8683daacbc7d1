"""Fold the whole log of a partition again and hold what comes out against its state.

The same log makes the same bytes, whoever folds it and however it was cut into batches; the tables
that lose rows by age are left out.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import lmdb

from airy_ray.partition.fold import understand
from airy_ray.partition.history import History
from airy_ray.partition.spec import PartitionSpec
from airy_ray.partition.writing import write
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.state import State
from airy_ray.state.tables import ROW_TYPES

LEFT_OUT = {
    "audit",
    "changes",
    "ledger",
    "meta",
    "orphans",
    "outbox",
    "receipts",
    "requests",
    "timers",
}
"""What loses rows by age, outside of the projection, or tells of that."""
BY_KEY = {"quarantine"}
"""Rows that tell where in our code something failed, which is elsewhere after an upgrade."""
_RECORDS_AT_ONCE = 2_048
_BYTES_AT_ONCE = 16 << 20


def fold_again(spec: PartitionSpec, fresh: Path, until: int) -> Iterator[int]:
    """Fold the log up to offset `until` into a new state in `fresh`; yield how far it is.

    Raises:
        RecordCorruptError, DamagedError: the log is not whole.
    """
    with (
        closing(LogTail(spec.directory, is_read_only=True)) as tail,
        closing(State(fresh)) as state,
    ):
        history = History(tail, spec.archive)
        for records in history.batches(state.applied, until, _RECORDS_AT_ONCE, _BYTES_AT_ONCE):
            write(state, [understand(*each, spec.index, spec.count) for each in records])
            yield state.applied


def differences(kept: Path, fresh: Path) -> Iterator[str]:
    """Yield how two states differ, a line for each table that does; nobody writes them."""
    with _opened(kept) as one, _opened(fresh) as other, one.begin() as left, other.begin() as right:
        for table in ROW_TYPES:
            if table not in LEFT_OUT:
                ours = left.cursor(one.open_db(table.encode(), txn=left, create=False))
                theirs = right.cursor(other.open_db(table.encode(), txn=right, create=False))
                yield from _table_differences(table, ours, theirs)


def _opened(path: Path) -> lmdb.Environment:
    return lmdb.open(str(path), readonly=True, lock=False, max_dbs=len(ROW_TYPES), map_size=1 << 38)


def _table_differences(
    table: str, ours: "lmdb.Cursor[bytes]", theirs: "lmdb.Cursor[bytes]"
) -> Iterator[str]:
    only_kept, only_fresh, changed = 0, 0, 0
    first = b""
    has_ours, has_theirs = ours.first(), theirs.first()
    while has_ours or has_theirs:
        key, other = ours.key(), theirs.key()
        is_ours = has_ours and (not has_theirs or key <= other)
        is_theirs = has_theirs and (not has_ours or other <= key)
        is_other = is_ours and is_theirs and table not in BY_KEY and ours.value() != theirs.value()
        only_kept += is_ours and not is_theirs
        only_fresh += is_theirs and not is_ours
        changed += is_other
        if not first and (is_other or is_ours != is_theirs):
            first = key if is_ours else other
        has_ours = ours.next() if is_ours else has_ours
        has_theirs = theirs.next() if is_theirs else has_theirs
    if first:
        yield (
            f"table {table}: folding the log again gives {changed} other rows, {only_fresh} more "
            f"and {only_kept} fewer; the first has key {first.hex()}"
        )
