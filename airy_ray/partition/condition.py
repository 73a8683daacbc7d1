"""How a partition is, found out by looking: nothing is written, whoever may be running it.

Each look is a handful of reads by memory map, so it costs the same for large partitions. LMDB may
abort on damaged pages: look from a child, see `storage.child`.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from airy_ray.clock import Millis, now_millis
from airy_ray.errors import AiryError, ChildDiedError, RebuildingError, StorageError
from airy_ray.partition import ownership, repair
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Record, opened
from airy_ray.rawlog.tail import BEACON, LogTail
from airy_ray.state.queries import Reading
from airy_ray.storage import child
from airy_ray.storage.beacon import Beacon


class Rebuild(msgspec.Struct, frozen=True):
    """A state that is being folded again: `applied` of `target` records are."""

    applied: int
    target: int


class Writer(msgspec.Struct, frozen=True):
    """The process that holds the log's write lock, and for how long already."""

    pid: int
    held_ms: int


class Disk(msgspec.Struct, frozen=True):
    """What a partition takes of the disk, in bytes."""

    log: int
    archive: int
    state: int
    snapshots: int


class Holding(msgspec.Struct, frozen=True):
    """What is in a readable state.

    Attributes:
        connected: channels of the registry that are connected, by source.
    """

    conversations: int
    messages: int
    quarantined: int
    channels: int
    connected: dict[str, int]


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One partition at one moment.

    Attributes:
        name: what people and files call it.
        owner: the process that projects, if one does.
        has_begun: whether its log is there.
        head: how many records the log has; None if it cannot be read.
        applied: how many of them are in the state; None if that cannot be read.
        oldest_unapplied_at: when the first record that is not applied came in.
        projection: the version that has made the state; None as long as `holding` is.
        holding: what the state holds; None while it cannot be read or is being rebuilt.
        lost: ranges of offsets that damage has taken, ends inclusive.
        is_in_doubt: whether appends are refused until the owner has checked the log.
        damage: what cannot be read, and why.
    """

    name: str
    owner: int | None
    has_begun: bool = True
    head: int | None = None
    applied: int | None = None
    oldest_unapplied_at: Millis | None = None
    last_received_at: Millis | None = None
    disk: Disk | None = None
    projection: int | None = None
    holding: Holding | None = None
    lost: list[tuple[int, int]] = []
    is_in_doubt: bool = False
    rebuild: Rebuild | None = None
    writer: Writer | None = None
    damage: str | None = None

    @property
    def lag(self) -> int:
        """How many records are in the log and not in the state."""
        return max(0, (self.head or 0) - (self.applied or 0)) if self.damage is None else 0


def conditions(specs: Sequence[PartitionSpec]) -> Iterator[Condition]:
    """Yield how each partition is, in order; one that kills who looks at it is damaged."""
    left = list(specs)
    while left:
        try:
            for condition in child.results(_look, left):
                left.pop(0)
                yield condition
        except ChildDiedError as error:
            spec = left.pop(0)
            owner = ownership.owner_of(spec.directory)
            yield Condition(name=spec.name, owner=owner, damage=str(error))


def condition(spec: PartitionSpec) -> Condition:
    """Return how a partition is now. May kill this process, if the partition is damaged."""
    owner = ownership.owner_of(spec.directory)
    try:
        tail = LogTail(spec.directory, is_read_only=True)
    except FileNotFoundError:
        missing = "its log is missing" if has_begun(spec) else None
        return Condition(name=spec.name, owner=owner, has_begun=False, damage=missing)
    except StorageError as error:
        return Condition(name=spec.name, owner=owner, damage=str(error))
    with closing(tail), closing(PartitionReader(tail)) as reader:
        found = Condition(
            name=spec.name, owner=owner, is_in_doubt=tail.beacon.is_in_doubt, writer=_writer(tail)
        )
        try:
            found = msgspec.structs.replace(found, **_of_log(spec, tail))
            return msgspec.structs.replace(found, **_of_state(tail, reader))
        except AiryError as error:
            return msgspec.structs.replace(found, damage=str(error))


def has_begun(spec: PartitionSpec) -> bool:
    """Whether there are traces of a partition, and so its log must be there."""
    with closing(Beacon(spec.directory / BEACON, is_read_only=True)) as beacon:
        known_head = beacon.head
    siblings = spec.directory.parent
    return (
        known_head > 0
        or any(spec.directory.glob("state.g*"))
        or (not spec.directory.exists() and siblings.exists() and any(siblings.iterdir()))
    )


def _look(specs: Sequence[PartitionSpec]) -> Iterator[Condition]:
    yield from map(condition, specs)


def _writer(tail: LogTail) -> Writer | None:
    writer = tail.beacon.writer
    return None if writer is None else Writer(writer[0], max(0, now_millis() - writer[1]))


def _of_log(spec: PartitionSpec, tail: LogTail) -> dict[str, object]:
    head = tail.head
    last = _record(tail, head - 1)
    archived = sum(segment.file_bytes for segment in tail.segments())
    return {
        "head": head,
        "last_received_at": None if last is None else last.at,
        "lost": repair.lost_ranges(tail),
        "disk": Disk(
            log=_bytes_in(spec.directory, "log.*"),
            archive=archived,
            state=_bytes_in(spec.directory, "state.g*"),
            snapshots=_bytes_in(spec.directory, "snapshots"),
        ),
    }


def _of_state(tail: LogTail, reader: PartitionReader) -> dict[str, object]:
    try:
        with reader.read() as view:
            applied, holding, projection = view.applied(), _holding(view), view.fact("version")
    except RebuildingError as error:
        return {"applied": error.applied, "rebuild": Rebuild(error.applied, error.head)}
    oldest = _record(tail, applied)
    return {
        "applied": applied,
        "projection": projection,
        "holding": holding,
        "oldest_unapplied_at": None if oldest is None else oldest.at,
    }


def _holding(view: Reading) -> Holding:
    counts = view.counts()
    channels = view.channels()
    connected: dict[str, int] = {}
    for channel in channels:
        if channel.connected:
            connected[channel.source] = connected.get(channel.source, 0) + 1
    return Holding(
        conversations=counts["conversations"],
        messages=counts["messages"],
        quarantined=counts["quarantine"],
        channels=len(channels),
        connected=connected,
    )


def _record(tail: LogTail, offset: int) -> Record | None:
    """Return a record of the live tail; None if it is not there."""
    if not tail.first <= offset < tail.head:
        return None
    values = tail.read(offset, 1)
    return opened(values[0][1], offset) if values else None


def _bytes_in(directory: Path, pattern: str) -> int:
    """Return how much of the disk directories take, with all that is in them."""
    found = 0
    for path in directory.glob(pattern):
        for file in path.rglob("*"):
            try:
                found += file.stat().st_blocks * 512
            except FileNotFoundError:  # a snapshot or generation that was dropped just now
                continue
    return found
