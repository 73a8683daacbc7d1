"""A partition is damaged at random places and opened again: nothing wrong is ever served.

`AIRY_DAMAGE_SEEDS=100-1100` draws other damages, or more of them.
"""

import multiprocessing
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec
import pyarrow.parquet as pq
import pytest

from airy_ray.clock import Millis
from airy_ray.model.commands import MarkRead
from airy_ray.model.ids import format_id
from airy_ray.partition import ownership
from airy_ray.partition.fold import encode_event
from airy_ray.partition.spec import PartitionSpec, Upkeep
from airy_ray.partition.upkeep import Caretaker
from airy_ray.rawlog.record import Record, prepare, stored
from airy_ray.state import snapshot
from tests import builders
from tests.fakes import MemoryPartition
from tests.log_builders import NOW, append, owned, settle, spec, webhook
from tests.unit.damage.damages import Damage, damage
from tests.unit.damage.owner_process import UNCOMPARED, Report, digest_of, write_report

RECORDS, UNFOLDED = 1_800, 60
"""So many records, of which the last are not in the state yet."""
CONTACTS = 25
ATTEMPTS_MAX = 6
"""LMDB may kill so many owners before the partition is up again."""
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.unit.damage.owner_process"])


def _seeds() -> Iterable[int]:
    first, _, last = os.environ.get("AIRY_DAMAGE_SEEDS", "0-60").partition("-")
    return range(int(first), int(last))


@dataclass(frozen=True)
class Sound:
    """A partition before anything happens to it."""

    directory: Path
    records: list[Record]
    tail_first: int
    tables: dict[str, str]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    directory = tmp_path_factory.mktemp("sound")
    records = _records()
    upkeep = Upkeep(sync_ms=0, segment_bytes=1 << 18, segment_age_ms=0, tail_records=700)
    own = spec(directory, upkeep=upkeep)
    append(own.directory, records[:1_000])
    with owned(own) as partition:
        settle(partition)
        snapshot.take(partition.state, own.directory / "snapshots")
        append(own.directory, records[1_000:-UNFOLDED])
        settle(partition)
        caretaker = Caretaker(partition, Millis(0))
        for _ in range(5):
            caretaker.work(Millis(NOW + RECORDS))
        tail_first = partition.tail.first
        assert 700 <= tail_first < partition.tail.segments()[-1].last
    append(own.directory, records[-UNFOLDED:])
    ownership.mark_running(own.directory, ownership.here(own.directory))
    return Sound(directory, records, tail_first, _folded(records, ()))


@pytest.mark.parametrize("seed", _seeds())
def test_after_any_damage_all_that_is_whole_somewhere_is_served_and_the_rest_is_named(
    sound: Sound, tmp_path: Path, seed: int
) -> None:
    shutil.copytree(sound.directory, tmp_path, dirs_exist_ok=True)
    own = spec(tmp_path)
    done = damage(own.directory, own.archive, Random(seed))
    may_be_lost = _gone_everywhere(sound, own, done)

    report = _opened_again(tmp_path)

    lost = {offset for offset, checksum in enumerate(report.records) if checksum is None}
    expected = [prepare(record).checksum for record in sound.records]
    assert [c for c in report.records if c is not None] == [
        checksum for offset, checksum in enumerate(expected) if offset not in lost
    ]
    assert lost <= may_be_lost, done
    folded = RECORDS - UNFOLDED
    assert report.tables == _folded(sound.records, {o for o in lost if o >= folded}, sound), done
    assert report.refolded == _folded(sound.records, lost, sound), done
    assert report.appended == RECORDS
    assert report.reopened == RECORDS + 1
    if done.target == "archive" and lost:
        assert report.found


def _records() -> list[Record]:
    random = Random(1)
    records = []
    for number in range(RECORDS):
        contact = f"contact-{random.randrange(CONTACTS)}"
        records.append(_record(number, contact, random))
    return records


def _record(number: int, contact: str, random: Random) -> Record:
    at = NOW + number
    if number % 40 == 39:
        conversation = format_id(builders.conversation_id(contact))
        command = format_id(builders.command_id(str(number)))
        return builders.command_record(MarkRead(id=command, conversation_id=conversation), at=at)
    if number % 10 == 9:
        values = {"contact.display_name": b'"Name %d"' % number, "note": b'"%d"' % number}
        described = builders.conversation_described(values, contact=contact, at=at)
        return builders.record(encode_event(described), kind="outcome", source="", at=at)
    length = random.choice([1, 10, 40, 40, 600])
    return webhook(f"m{number}" + random.randbytes(length).hex(), contact=contact, at=at)


def _folded(
    records: list[Record], lost: Iterable[int], sound: Sound | None = None
) -> dict[str, str]:
    """Return what the tables come to without the lost records: folded in memory."""
    without = set(lost)
    if not without and sound is not None:
        return sound.tables
    partition = MemoryPartition()
    for offset, record in enumerate(records):
        if offset in without:
            partition.applied += 1
        else:
            partition.append(record)
    return {
        name: digest_of(sorted(values.items()))
        for name, values in partition.tables.values.items()
        if name not in UNCOMPARED
    }


def _gone_everywhere(sound: Sound, own: PartitionSpec, done: Damage) -> set[int]:
    """Return the offsets whose records are in neither file any more, looked at by other means."""
    gone = set(range(RECORDS))
    if done.target not in ("log", "archive"):
        return set()
    for log in own.directory.glob("log.*/data.mdb"):
        content = log.read_bytes()
        for offset in range(sound.tail_first, RECORDS):
            if stored(prepare(sound.records[offset]), offset) in content:
                gone.discard(offset)
    for file in own.archive.rglob("*.parquet"):
        gone -= _readable(file)
    return gone


def _readable(file: Path) -> set[int]:
    try:
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
        groups = parquet.metadata.num_row_groups
    except Exception:
        return set()
    found: set[int] = set()
    for index in range(groups):
        try:
            found |= set(parquet.read_row_group(index).column("offset").to_pylist())
        except Exception:
            continue
    return found


def _opened_again(directory: Path) -> Report:
    ended = []
    for _ in range(ATTEMPTS_MAX):
        ended.append(_own(directory))
        if ended[-1] == 0:
            return msgspec.json.decode((directory / "report").read_bytes(), type=Report)
        assert ended[-1] < 0, "an error of ours; only LMDB may end the process"
    raise AssertionError(f"the owner never came up: {ended}")


def _own(directory: Path) -> int:
    """Have a process own the partition for a while; return how it ended."""
    owner = _PROCESSES.Process(target=write_report, args=(directory, directory / "report"))
    owner.start()
    owner.join(timeout=300)
    if owner.exitcode is None:
        owner.kill()
        raise AssertionError("the owner does not come to rest")
    return owner.exitcode
