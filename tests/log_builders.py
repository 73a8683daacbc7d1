"""Partitions on disk for tests: their records, how an owner brings them up to date, their rows."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from airy_ray.clock import Millis
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.partition import Partition, open_partition
from airy_ray.partition.spec import PartitionSpec, Upkeep
from airy_ray.partition.upkeep import Caretaker
from airy_ray.rawlog.record import Offset, Prepared, Record, prepare
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.state import State
from tests import builders

NOW = builders.NOW

TRIMMED = {
    "audit",
    "changes",
    "requests",
    "ledger",
    "outbox",
    "orphans",
    "receipts",
    "timers",
}
"""Tables that lose rows by age, outside of the projection."""

BUSY = Upkeep(sync_ms=0, segment_bytes=1 << 15, segment_age_ms=0, tail_records=1)
"""Upkeep that syncs, seals and trims each time."""


def spec(
    directory: Path, *, index: int = 0, count: int = 1, upkeep: Upkeep | None = None
) -> PartitionSpec:
    """Return a partition below `directory`, which it shares with its siblings."""
    return PartitionSpec(
        index=PartitionIndex(index),
        count=count,
        directory=directory / "partitions" / f"{index:02}",
        archive=directory / "archive",
        answers=directory / "answers",
        upkeep=upkeep or Upkeep(),
    )


def messenger_item(name: str, contact: str, *, at: int, page: str = builders.PAGE) -> bytes:
    """Return the body of a Messenger webhook that tells of one message."""
    message = {"mid": name, "text": f"text of {name}"}
    party = {"sender": {"id": contact}, "recipient": {"id": page}}
    item = party | {"timestamp": at, "message": message}
    entry = {"id": page, "time": at, "messaging": [item]}
    return json.dumps({"object": "page", "entry": [entry]}).encode()


def webhook(name: str, *, contact: str = builders.ADA, at: int = NOW) -> Record:
    """Return the record of a message that came in at `at`."""
    body = messenger_item(name, contact, at=at)
    return builders.record(body, at=at, routes=(builders.route(contact),))


def webhooks(count: int, *, first: int = 0, contacts: int = 7) -> list[Record]:
    """Return records of messages, a millisecond apart, whose names are their offsets."""
    return [
        webhook(str(number), contact=f"contact-{number % contacts}", at=NOW + number)
        for number in range(first, first + count)
    ]


def prepared(records: Iterable[Record]) -> list[Prepared]:
    """Return records ready to be stored."""
    return [prepare(record) for record in records]


def append(directory: Path, records: Iterable[Record]) -> Offset:
    """Append records to the log in `directory`, as any process may."""
    with closing(LogTail(directory)) as tail:
        return tail.append(prepared(records))


@contextmanager
def owned(spec: PartitionSpec, now: int = NOW) -> Iterator[Partition]:
    """Own a partition for a while, and leave in order."""
    partition = open_partition(spec, Millis(now))
    try:
        yield partition
    finally:
        partition.close()


def settle(partition: Partition, now: int = NOW) -> None:
    """Do what an owner does until there is nothing left to do."""
    for _ in range(10_000):
        is_repaired = partition.settle_doubt(Millis(now))
        folded = partition.project_batch(Millis(now))
        if not is_repaired and not folded and partition.is_readable and _is_level(partition):
            return
    raise AssertionError("the partition does not come to rest")


def _is_level(partition: Partition) -> bool:
    return partition.applied == partition.tail.head and not partition.tail.beacon.is_in_doubt


def care(partition: Partition, now: int = NOW) -> None:
    """Do all upkeep that is due, as its owner would after its start."""
    caretaker = Caretaker(partition, Millis(0))
    caretaker.work(Millis(now))


def project(spec: PartitionSpec, records: Iterable[Record]) -> None:
    """Append records to a partition and fold them, then leave it in order."""
    append(spec.directory, records)
    with owned(spec) as partition:
        settle(partition)


def rows(state: State) -> dict[str, list[tuple[bytes, bytes]]]:
    """Return the stored bytes of all tables, but for where the state comes from."""
    with state.environment.read() as transaction:
        held = {
            name: list(transaction.cursor(handle))
            for name, handle in state.environment.tables.items()
        }
    return held | {"meta": [each for each in held["meta"] if each[0] != b"origin"]}


def kept_rows(state: State) -> dict[str, list[tuple[bytes, bytes]]]:
    """Return the stored bytes of the tables of which "the same log, the same bytes" is said."""
    return {name: held for name, held in rows(state).items() if name not in TRIMMED}
