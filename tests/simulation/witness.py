"""Somebody who forgets nothing and compares: one partition's log, archive, state and feed.

What the witness saw acknowledged must stay, whatever happens to the system.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from airy_ray.model.ids import ConversationId
from airy_ray.partition.fold import FoldError, fold, quarantine, understand
from airy_ray.partition.forwarding import forwarded_until
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections import keys
from airy_ray.projections.commands import REPEATED_WITHIN_MS
from airy_ray.rawlog import archive
from airy_ray.rawlog.record import Prepared, length_and_offset, opened, stored
from airy_ray.rawlog.tail import LogTail, Segment
from airy_ray.state.batch import Batch
from airy_ray.state.queries import Reading, reading
from airy_ray.state.tables import LedgerEntry, decoded
from airy_ray.storage.environments import Environment
from tests.fakes import MemoryTables
from tests.simulation.faults import Disk
from tests.simulation.oracle import Oracle, Talk

EXPIRING = {"changes", "requests", "ledger", "outbox", "receipts", "orphans"}
"""Tables out of which rows go when they have served their time."""

_LIMIT = 1_000_000


class Witness:
    """Knows what one partition was given, and what must come of it."""

    def __init__(self, spec: PartitionSpec, disk: Disk) -> None:
        self.spec = spec
        self.oracle = Oracle(spec.index, spec.count)
        self.values: list[bytes] = []
        self.heard: dict[int, bytes] = {}
        self.synced = (0, 0)
        self._disk = disk
        self._unsure: Counter[bytes] = Counter()
        self._tables = MemoryTables()
        self._folded = 0
        self._asked: defaultdict[bytes, list[int]] = defaultdict(list)
        self._segments: set[tuple[str, bytes]] = set()
        self._shown = 0

    # --- the log ----------------------------------------------------------------------------------

    def attempted(self, prepared: Sequence[Prepared]) -> None:
        """Note records that may be stored from now on, once each."""
        self._unsure.update(each.payload for each in prepared)

    def acknowledged(self, tail: LogTail, first: int, prepared: Sequence[Prepared]) -> None:
        """Note records that must be there from now on."""
        if first > len(self.values):
            self.look_at_log(tail)
        for offset, each in enumerate(prepared, first):
            value = stored(each, offset)
            if offset < len(self.values):
                assert self.values[offset] == value, f"offset {offset} was taken"
            else:
                assert offset == len(self.values), f"offset {offset} leaves a gap"
                self._found(offset, value)

    def look_at_log(self, tail: LogTail) -> None:
        """Check that log and archive hold all that was stored, without gaps, and nothing else."""
        first, head = tail.first, tail.head
        held = tail.read(first, _LIMIT) if head > first else []
        assert [offset for offset, _ in held] == list(range(first, head)), "the log has gaps"
        assert head >= len(self.values), f"the log ends at {head}, not {len(self.values)}"
        for offset, value in held:
            if offset < len(self.values):
                assert value == self.values[offset], f"offset {offset} is another record now"
            else:
                self._found(offset, value)
        self._look_at_archive(tail)

    def _look_at_archive(self, tail: LogTail) -> None:
        """Check that what left the tail is in synced files, and all files hold what was stored."""
        first = tail.first
        segments = tail.segments()
        for segment in segments:
            if (segment.file, segment.digest) not in self._segments:
                self._look_at_segment(segment)
        end = 0
        for segment in segments:
            assert segment.first <= end, f"offsets {end} to {segment.first - 1} are not archived"
            end = max(end, segment.last + 1)
            if segment.first < first:
                self._look_at_file(segment)
        assert first <= end or first == 0, f"offsets {end} to {first - 1} were trimmed"

    def look_at_trimming(self, before: int, generation: int) -> None:
        """Check that the synced state of a generation holds what is to leave the tail now."""
        number, applied = self.synced
        synced = applied if number == generation else 0
        assert before <= synced, (
            f"trims to {before}, synced are {synced} of generation {generation}"
        )

    def _look_at_segment(self, segment: Segment) -> None:
        held = dict(archive.read(self.spec.archive, segment, segment.first))
        assert list(held) == list(range(segment.first, segment.last + 1))
        for offset, record in held.items():
            assert record == opened(self.values[offset], offset), f"archived {offset} differs"
        self._segments.add((segment.file, segment.digest))

    def _look_at_file(self, segment: Segment) -> None:
        kept = self._disk.survives(self.spec.archive / segment.file)
        assert kept is not None, f"{segment.file} is not synced, its records are trimmed"
        digest = blake2b(kept, digest_size=32).digest()
        assert digest == segment.digest, f"{segment.file} is not synced as it is"

    def _found(self, offset: int, value: bytes) -> None:
        record = opened(value, offset)
        assert record.kind != "lost", f"offset {offset} is said to be lost"
        payload = value[-_payload_bytes(value) :]
        assert self._unsure[payload] > 0, f"offset {offset} was never appended, or is there twice"
        self._unsure[payload] -= 1
        self.values.append(value)
        self.oracle.tell(offset, record)

    # --- the state --------------------------------------------------------------------------------

    def look_at_state(self, partition: Partition, now: int) -> bool:
        """Check the state against a fold of its own; return whether it could be done yet."""
        applied = partition.applied
        assert applied <= len(self.values), f"{applied} of {len(self.values)} records are folded"
        if applied < self._folded:
            return False  # a generation that is being rebuilt
        self._fold_until(applied)
        environment = partition.state.environment
        self._look_at_rows(environment, forwarded_until(partition), now)
        self._look_at_ledger()
        if applied == len(self.values):
            with reading(environment) as view:
                self._look_at_talks(view)
        return True

    def _fold_until(self, applied: int) -> None:
        for offset in range(self._folded, applied):
            record = opened(self.values[offset], offset)
            understood = understand(offset, record, self.spec.index, self.spec.count)
            batch = Batch(self._tables)
            try:
                fold(batch, understood)
            except FoldError as error:
                batch = Batch(self._tables)
                quarantine(batch, error)
            batch.write()
            self._note_request(offset)
        self._folded = applied

    def _note_request(self, offset: int) -> None:
        key = keys.offset(offset)
        entry: LedgerEntry = decoded("ledger", key, self._tables.values["ledger"][key])
        if entry.request is not None:
            self._asked[entry.request].append(offset)

    def _look_at_rows(self, environment: Environment, forwarded: int, now: int) -> None:
        with environment.read() as transaction:
            for table, expected in self._tables.values.items():
                if table == "meta":
                    continue
                found = dict(transaction.cursor(environment.tables[table]))
                if found == expected:
                    continue
                assert table in EXPIRING, f"{table}: {_difference(found, expected)}"
                assert found.items() <= expected.items(), f"{table}: {_difference(found, expected)}"
                for key in expected.keys() - found.keys():
                    assert self._has_served(table, key, forwarded, now), f"{table} lost {key.hex()}"

    def _has_served(self, table: str, key: bytes, forwarded: int, now: int) -> bool:
        keep = self.spec.retention
        match table:
            case "outbox":
                return int.from_bytes(key, "big") < forwarded
            case "changes":
                return self._age(int.from_bytes(key, "big") >> 16, now) > keep.changes_ms
            case "ledger":
                return self._age(int.from_bytes(key, "big"), now) > keep.ledger_ms
            case "orphans":
                row = decoded(table, key, self._tables.values[table][key])
                return bool(now - row.received_at > keep.orphans_ms)
            case "requests":
                return any(self._age(asked, now) > REPEATED_WITHIN_MS for asked in self._asked[key])
        return True

    def _age(self, offset: int, now: int) -> int:
        return now - opened(self.values[offset], offset).at

    def _look_at_ledger(self) -> None:
        """Check that each record has an entry, and quarantine holds those that it says."""
        entries = self._rows("ledger")
        assert list(entries) == list(range(self._folded)), "the ledger has gaps"
        said = {each for each, entry in entries.items() if entry.verdict == "quarantined"}
        assert said == set(self._rows("quarantine"))
        assert said == {each for each in self.oracle.refused if each < self._folded}

    def _rows(self, table: str) -> dict[int, Any]:
        """Return the rows of a table that is sorted by numbers, as they must be."""
        rows = self._tables.values[table].items()
        return {int.from_bytes(key, "big"): decoded(table, key, row) for key, row in rows}

    def _look_at_talks(self, view: Reading) -> None:
        """Check every conversation against what its records told plainly."""
        talks = self.oracle.talks
        assert view.conversation_count() == len(talks), "there are other conversations"
        for identifier, talk in talks.items():
            _look_at_talk(view, ConversationId(identifier), talk)
        for identifier, is_connected in self.oracle.channels.items():
            channel = view.channel(identifier)  # type: ignore[arg-type]
            assert channel is not None
            assert channel.connected == is_connected

    # --- the feed ---------------------------------------------------------------------------------

    def told(self, sequence: int, event: bytes) -> None:
        """Note what a consumer of the feed was told, in the order that it was."""
        known = self.heard.get(sequence)
        if known is not None:
            assert known == event, f"sequence {sequence} is another change now"
            return
        assert sequence > max(self.heard, default=-1), f"sequence {sequence} came late"
        self.heard[sequence] = event

    def shown(self, applied: int) -> None:
        """Note how far readers were shown the state: never less than before."""
        assert applied >= self._shown, f"{applied} records are shown, before {self._shown}"
        self._shown = applied

    def look_at_feed(self) -> None:
        """Check that the consumer, who has heard all there is, has missed nothing."""
        changes = self._rows("changes").items()
        expected = {sequence: change.event for sequence, change in changes if change.event}
        assert self.heard == expected, f"missed {sorted(expected.keys() - self.heard.keys())}"


def _look_at_talk(view: Reading, identifier: ConversationId, talk: Talk) -> None:
    row = view.conversation(identifier)
    assert row is not None, f"no conversation {identifier.hex()}"
    last = talk.messages[talk.last]
    shown: Any = (row.unread_count, row.message_count, row.last_message_id, row.last_message_at)
    assert shown == (talk.unread_count, len(talk.messages), last.id, last.sent_at), identifier.hex()
    assert last.content in row.last_message
    ordered = sorted(talk.messages.values(), key=lambda said: (-said.sent_at, said.id))
    expected = [(m.id, m.content, m.sent_at, m.from_contact, m.updated_at) for m in ordered]
    found = [
        (m.id, m.content, m.sent_at, m.from_contact, m.updated_at)
        for m in view.messages(identifier, None, _LIMIT)
    ]
    assert found == expected, f"messages of {identifier.hex()}"


def _difference(found: dict[bytes, bytes], expected: dict[bytes, bytes]) -> str:
    missing = sorted(key.hex() for key in expected.keys() - found.keys())[:3]
    beyond = sorted(key.hex() for key in found.keys() - expected.keys())[:3]
    other = sorted(k.hex() for k in expected.keys() & found.keys() if expected[k] != found[k])[:3]
    return f"missing {missing}, too many {beyond}, different {other}"


def _payload_bytes(value: bytes) -> int:
    return length_and_offset(value)[0]
