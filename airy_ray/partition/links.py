"""Which files of ours anything that is kept links to.

Look from a child, see `storage.child`: every row of every partition is read.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing

from airy_ray.errors import RebuildingError
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.tail import LogTail

LINKING = (
    "messages",
    "metadata",
    "conversations",
    "contacts",
    "merges",
    "held",
    "timers",
    "templates",
    "registry_channels",
    "users",
)
"""Tables in whose rows links may be."""

_ROWS_AT_ONCE = 2_000
_CATCH_UP_S = 10.0
_POLL_S = 0.05


def linked(specs: Sequence[PartitionSpec], names: Sequence[str]) -> Iterator[str]:
    """Yield those of some files that are linked to by what was in the logs when this began.

    Raises:
        RebuildingError: a state is being rebuilt, or is far behind its log.
    """
    longest_first = sorted(names, key=len, reverse=True)  # one may begin with another
    wanted = re.compile(b"|".join(re.escape(name.encode()) for name in longest_first))
    told: set[str] = set()
    for spec in specs:
        try:
            tail = LogTail(spec.directory, is_read_only=True)
        except FileNotFoundError:
            continue  # nothing has begun there
        with closing(tail), closing(PartitionReader(tail)) as reader:
            _catch_up(tail, reader)
            for text in _rows(reader):
                found = {name.decode() for name in wanted.findall(text)} - told
                told |= found
                yield from found


def _catch_up(tail: LogTail, reader: PartitionReader) -> None:
    """Wait until all that is in the log now is in the state."""
    head = tail.head
    until = time.monotonic() + _CATCH_UP_S
    while (applied := _applied(reader)) < head:
        if time.monotonic() > until:
            raise RebuildingError(applied, head)
        time.sleep(_POLL_S)  # a child process has no doorbell to wait at


def _applied(reader: PartitionReader) -> int:
    with reader.read() as view:
        return view.applied()


def _rows(reader: PartitionReader) -> Iterator[bytes]:
    for table in LINKING:
        key: bytes | None = b""
        while key is not None:
            with reader.read() as view:
                rows, key = view.stored_rows(table, key, _ROWS_AT_ONCE)
            yield from (row for _, row in rows)
