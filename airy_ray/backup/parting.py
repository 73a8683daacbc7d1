"""Logs of a backup written anew for another number of partitions.

1. The registry's log stays as it is. The others' records go where `partition.repartitioning` says:
   into archive files, as owners would have sealed them, and the newest into live tails.
2. Who follows the old feeds goes on in each new one before the first record that they had not seen:
   they miss nothing, and see again what is behind it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing

from airy_ray.backup.taking import Step, Tell
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.history import History
from airy_ray.partition.repair import FORWARDED
from airy_ray.partition.repartitioning import Placed, repartitioned
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections import keys
from airy_ray.rawlog.record import Record, prepare, stored
from airy_ray.rawlog.tail import LogTail, Segment, create
from airy_ray.storage.files import write_synced

Places = Mapping[str, Mapping[PartitionIndex, int]]
"""By consumer and partition, from where its feed is read on."""

_READ_BYTES = 4 << 20
_MEMORY_BYTES = 256 << 20
"""What all new logs together keep in memory before they seal it."""
_RECORDS_MAX = 200_000
_TELL_EVERY = 1_000


def part(
    old: Sequence[PartitionSpec], new: Sequence[PartitionSpec], places: Places, tell: Tell
) -> Places:
    """Write the records of old partitions into the logs of new ones, which are not there yet.

    Return from where the new feeds are read on by those who had read the old ones up to `places`.

    Raises:
        RecordCorruptError, DamagedError: an old log is not whole.
    """
    with ExitStack() as stack:
        tails = {spec.index: stack.enter_context(closing(LogTail(spec.directory))) for spec in old}
        heads = {index: tail.head for index, tail in tails.items()}
        logs = {
            spec.index: History(tails[spec.index], spec.archive).records(
                0, heads[spec.index], _READ_BYTES
            )
            for spec in old
        }
        forwarded = {index: _forwarded(tail) for index, tail in tails.items()}
        marks = _Marks({**places, FORWARDED: forwarded})
        writers = [_Writer(spec, _MEMORY_BYTES // len(new)) for spec in new]
        for placed in _told(repartitioned(logs, len(new)), sum(heads.values()), tell):
            if not placed.is_copy:
                writers[placed.target[0]].add(placed.record)
            marks.pass_by(placed)
    found = {
        name: {writer.spec.index: marks.place(name, writer) for writer in writers}
        for name in (*places, FORWARDED)
    }
    for writer in writers:
        writer.finish(found[FORWARDED][writer.spec.index])
    return {name: found[name] for name in places}


class _Writer:
    """A new log on its way to the disk."""

    def __init__(self, spec: PartitionSpec, memory_bytes: int) -> None:
        self.spec = spec
        self.head = 0
        self._segments: list[Segment] = []
        self._values: list[tuple[int, bytes]] = []
        self._bytes = 0
        self._bytes_max = min(spec.upkeep.segment_bytes, memory_bytes)

    def add(self, record: Record) -> None:
        """Take the next record."""
        value = stored(prepare(record), self.head)
        if self._bytes >= self._bytes_max or len(self._values) >= _RECORDS_MAX:
            self._seal()
        self._values.append((self.head, value))
        self._bytes += len(value)
        self.head += 1

    def finish(self, forwarded: int) -> None:
        """Make it a log, from whose outbox everything before a sequence was forwarded."""
        facts = {FORWARDED: forwarded.to_bytes(8, "big")}
        self.spec.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        create(self.spec.directory, 1, self._values, self._segments, facts)

    def _seal(self) -> None:
        from airy_ray.rawlog import archive  # loads Arrow: half a second

        segment = archive.seal(self.spec.archive, self.spec.index, self._values)
        self._segments.append(segment)
        self._values, self._bytes = [], 0


class _Marks:
    """Where the first records went that consumers of the old feeds had not settled."""

    def __init__(self, places: Places) -> None:
        self._unseen = {
            name: {index: keys.position(place) for index, place in own.items()}
            for name, own in places.items()
        }
        self._first: dict[tuple[str, PartitionIndex], int] = {}

    def pass_by(self, placed: Placed) -> None:
        """Take note of a record."""
        (index, offset), (target, fresh) = placed.origin, placed.target
        for name, unseen in self._unseen.items():
            if index in unseen and offset >= unseen[index]:
                known = self._first.get((name, target), fresh)
                self._first[name, target] = min(known, fresh)

    def place(self, name: str, writer: _Writer) -> int:
        """Return from where a new feed is read on by a consumer."""
        return keys.sequence(self._first.get((name, writer.spec.index), writer.head))


def _told(records: Iterator[Placed], total: int, tell: Tell) -> Iterator[Placed]:
    for number, placed in enumerate(records):
        if number % _TELL_EVERY == 0:
            tell(Step("records", min(number, total), total))
        yield placed


def _forwarded(tail: LogTail) -> int:
    row = tail.get(FORWARDED)
    return 0 if row is None else int.from_bytes(row, "big")


def places_in(specs: Sequence[PartitionSpec]) -> dict[str, dict[PartitionIndex, int]]:
    """Return the places that consumers keep in files beside logs, by the files' names."""
    found: dict[str, dict[PartitionIndex, int]] = {}
    for spec in specs:
        for file in spec.directory.glob("*.place"):
            found.setdefault(file.name, {})[spec.index] = int(file.read_bytes())
    return found


def put_places(specs: Sequence[PartitionSpec], places: Places) -> None:
    """Write such files."""
    for spec in specs:
        for name, own in places.items():
            write_synced(spec.directory / name, b"%d" % own[spec.index])
