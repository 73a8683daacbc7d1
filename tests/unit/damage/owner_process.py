"""An owner in a process of its own, which LMDB may kill: it opens what is damaged and tells all."""

import shutil
from hashlib import blake2b
from pathlib import Path
from zlib import crc32

import msgspec

from airy_ray.errors import DamagedError, RowCorruptError
from airy_ray.partition.partition import Partition
from airy_ray.partition.reader import PartitionReader
from airy_ray.rawlog import archive
from airy_ray.rawlog.record import prepare
from airy_ray.state import snapshot
from tests.log_builders import NOW, TRIMMED, owned, settle, spec, webhooks
from tests.log_builders import append as append_to

LATER = NOW + 1_000_000
UNCOMPARED = {*TRIMMED, "meta"}


class Report(msgspec.Struct):
    """What a partition is like after it was damaged and opened again.

    Attributes:
        tables: digest of what is served from each table, as soon as the damage was noticed.
        refolded: the same, after all of the log was folded once more.
        records: checksum of each record of the log; None for one that is lost.
        found: what checking the archive finds wrong with it.
        appended: the offset that the next record got.
        reopened: how many records the log has when it is opened once more.
    """

    tables: dict[str, str]
    refolded: dict[str, str]
    records: list[int | None]
    found: list[str]
    appended: int
    reopened: int


def write_report(directory: Path, report: Path) -> None:
    """Own the partition in a directory and write down what it is like."""
    report.write_bytes(msgspec.json.encode(_report(directory)))


def _report(directory: Path) -> Report:
    """Do what an owner does in its first hour, and then what a replay does."""
    own = spec(directory)
    with owned(own, LATER) as partition:
        settle(partition, LATER)
        _copy(partition)
        tables = digests(partition)
        found = [
            problem
            for segment in partition.tail.segments()
            for problem in archive.problems(own.archive, segment)
        ]
        shutil.rmtree(own.directory / "snapshots", ignore_errors=True)
        partition.rebuild()
        settle(partition, LATER)
        refolded = digests(partition)
        records = _records(partition)
        appended = append_to(own.directory, webhooks(1, first=10_000))
        settle(partition, LATER)
    with owned(own, LATER) as partition:
        settle(partition, LATER)
        return Report(tables, refolded, records, found, appended, len(_records(partition)))


def _copy(partition: Partition) -> None:
    """Take a snapshot, as upkeep does: it finds whatever is still wrong with the state."""
    try:
        snapshot.take(partition.state, partition.spec.directory / "snapshots")
    except (DamagedError, RowCorruptError):
        partition.rebuild()
        settle(partition, LATER)


def _records(partition: Partition) -> list[int | None]:
    records: list[int | None] = []
    while page := partition.history.read(len(records), 500, 1 << 24):
        assert [offset for offset, _ in page] == list(range(len(records), page[-1][0] + 1))
        records += [
            None if record.kind == "lost" else prepare(record).checksum for _, record in page
        ]
    return records


def digests(partition: Partition) -> dict[str, str]:
    """Return a digest of each table, as any other process would read it."""
    reader = PartitionReader(partition.tail)
    with reader.read():
        environment = partition.state.environment
        with environment.read() as transaction:
            found = {
                name: digest_of(list(transaction.cursor(handle)))
                for name, handle in environment.tables.items()
                if name not in UNCOMPARED
            }
    reader.close()
    return found


def digest_of(items: list[tuple[bytes, bytes]]) -> str:
    """Return the digest of a table's rows."""
    digest = blake2b(digest_size=8)
    for key, value in items:
        digest.update(b"%d %d " % (len(key), crc32(value)) + key)
    return digest.hexdigest()
