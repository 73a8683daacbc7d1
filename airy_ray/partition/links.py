"""Which files of ours anything that is kept links to: rows, and records that are no rows yet.

Look from a child, see `storage.child`: every row of every partition is read.
"""

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain

import msgspec

from airy_ray.errors import RebuildingError
from airy_ray.partition.history import History
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections.view import Waiting
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
    "sources",
    "users",
)
"""Tables in whose rows links may be."""

_WAITING = "orphans"
"""Whose rows tell of records in the log that wait for their channel."""
_NAME = re.compile(rb"(?=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\.[A-Za-z0-9]{1,16})?))")
"""Anything that begins like a name: looked for ahead, since one may begin within another."""
_ID_CHARACTERS = 36

_decode_waiting = msgspec.msgpack.Decoder(Waiting).decode
_ROWS_AT_ONCE = 2_000
_CATCH_UP_S = 10.0
_POLL_S = 0.05


def linked(specs: Sequence[PartitionSpec], names: Sequence[str]) -> Iterator[str]:
    """Yield those of some files that are linked to by what was in the logs when this began.

    Raises:
        RebuildingError: a state is being rebuilt, or is far behind its log.
        DamagedError, RecordCorruptError: a record that waits cannot be read.
    """
    wanted: dict[bytes, list[bytes]] = defaultdict(list)
    for each in sorted(names, key=len, reverse=True):  # the longest first
        wanted[each[:_ID_CHARACTERS].encode()].append(each.encode())
    told: set[bytes] = set()
    for spec in specs:
        try:
            tail = LogTail(spec.directory, is_read_only=True)
        except FileNotFoundError:
            continue  # nothing has begun there
        with closing(tail), closing(PartitionReader(tail)) as reader:
            _catch_up(tail, reader)
            for text in chain(_rows(reader), _waiting(spec, tail, reader)):
                for name in _named(text, wanted):
                    if name not in told:
                        told.add(name)
                        yield name.decode()


def _named(text: bytes, wanted: dict[bytes, list[bytes]]) -> Iterator[bytes]:
    """Yield the wanted names in a text; of several with which one begins, the longest."""
    for found in _NAME.findall(text):
        names = wanted.get(found[:_ID_CHARACTERS], ())
        name = next((each for each in names if found.startswith(each)), None)
        if name is not None:
            yield name


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
        yield from (row for _, row in _stored(reader, table))


def _waiting(spec: PartitionSpec, tail: LogTail, reader: PartitionReader) -> Iterator[bytes]:
    history = History(tail, spec.archive)
    for _, row in _stored(reader, _WAITING):
        yield history.at(_decode_waiting(row).offset).body


def _stored(reader: PartitionReader, table: str) -> Iterator[tuple[bytes, bytes]]:
    key: bytes | None = b""
    while key is not None:
        with reader.read() as view:
            rows, key = view.stored_rows(table, key, _ROWS_AT_ONCE)
        yield from rows
