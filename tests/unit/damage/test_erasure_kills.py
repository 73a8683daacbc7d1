"""An owner that is killed while it erases: no other record is lost, and at last nothing is left."""

import multiprocessing
import time
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest

from airy_ray.clock import Millis
from airy_ray.cluster.access import LocalAccess
from airy_ray.cluster.webhook_answers import Answers, Heard, heard_of
from airy_ray.cluster.webhook_bodies import erasure_of
from airy_ray.errors import AiryError
from airy_ray.partition.finding import Damage
from airy_ray.partition.partition import open_partition
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec, Upkeep
from airy_ray.partition.upkeep import Caretaker
from airy_ray.partition.verify import verify
from airy_ray.publishing.events import Event
from airy_ray.rawlog.record import Record, prepare
from airy_ray.rawlog.tail import LogTail
from airy_ray.state import snapshot
from tests.builders import NOW
from tests.erasing import EVA, EVAS, MARK, carry_out, erasure, log_of, shared, traces
from tests.log_builders import append, owned, settle, spec

ROUNDS = 6
LIFE_S_MAX = 2.0
"""An erasure of so little takes about one second."""
PATIENT = Upkeep(segment_bytes=1 << 14, segment_age_ms=0, tail_records=20, sync_ms=0, erasure_ms=0)


def own(directory: Path) -> None:
    """Own the partition and erase what there is to erase, until killed."""
    partition = open_partition(spec(directory, upkeep=PATIENT), Millis(NOW))
    caretaker = Caretaker(partition, Millis(0))
    now = Millis(NOW + 10**8)
    while True:
        settle(partition, now)
        now = Millis(now + 61_000)  # what failed is tried again after a minute
        caretaker.seal(now)
        caretaker.sync(now)
        caretaker.trim()
        caretaker.erase(now)
        partition.take_offered(now)


class Writer:
    """Appends to the log whoever owns it, and remembers what was acknowledged.

    Webhooks answer meanwhile with what they were told of Eva some time before.
    """

    def __init__(self, own: PartitionSpec) -> None:
        self.tail = LogTail(own.directory)
        self.taken: list[Record] = []
        self._reader = PartitionReader(self.tail)
        access = cast(LocalAccess, SimpleNamespace(reader=self._reader))
        self._answers = Answers(own.answers, {own.index: access})
        self._index = own.index
        self._number = 1_000

    def write(self) -> None:
        """Append a record of others, and one that Eva shares with them."""
        self._number += 1
        self._answers.save()
        with suppress(AiryError), self._reader.read() as view:
            self._answers.add(self._answer(erasure_of(view, EVAS)))
        for record in (
            shared(self._number, "ada"),
            shared(self._number, EVA, "bob"),
        ):
            if self.is_taken(record):
                self.taken.append(record)

    def close(self) -> None:
        self._answers.save()
        self._reader.close()
        self.tail.close()

    def _answer(self, before: int | None) -> Heard:
        event = Event(self._index, 1, "message.created", EVAS, bytes(16), Millis(NOW))
        text = f"{MARK} {self._number}".encode()
        return heard_of(bytes(16), self._number % 50, event, before, self._number, text)

    def is_taken(self, record: Record) -> bool:
        """Append a record; it is refused while an owner checks what one that was killed left."""
        try:
            self.tail.append([prepare(record)])
        except AiryError:
            return False
        return True


@pytest.mark.parametrize("seed", [1])
def test_an_owner_that_is_killed_at_any_moment_loses_nothing_and_forgets_in_the_end(
    tmp_path: Path, seed: int
) -> None:
    draw = Random(seed)
    partition = spec(tmp_path, upkeep=PATIENT)
    with owned(partition) as opened:
        append(partition.directory, [shared(number, EVA, "bob") for number in range(200)])
        settle(opened)
        snapshot.take(opened.state, partition.directory / "snapshots")
    spawn = multiprocessing.get_context("spawn")
    writer = Writer(partition)
    for number in range(ROUNDS):
        owner = spawn.Process(target=own, args=(tmp_path,))
        owner.start()
        ends_at = time.monotonic() + draw.uniform(0.5, 0.5 + LIFE_S_MAX)
        asked = erasure(NOW + 1_000 + number, f"erase {number}")
        is_asked = False
        try:
            while time.monotonic() < ends_at:
                is_asked = is_asked or writer.is_taken(asked)
                writer.write()
                owner.join(0.01)
        finally:
            owner.kill()
            owner.join()
    with owned(partition) as opened:
        settle(opened, NOW + 10**9)
        writer.tail.append([prepare(erasure(NOW + 10**7, "the last"))])
        with closing(writer):
            settle(opened, NOW + 10**9)
        carry_out(opened, NOW + 10**9, rounds=20)
        check_others(partition, writer.taken)
        assert traces(tmp_path) == []
        (tmp_path / "scratch").mkdir()
        found = verify([partition], tmp_path / "scratch", deep=True)
        assert [each for each in found if isinstance(each, Damage)] == []


def check_others(own: PartitionSpec, taken: list[Record]) -> None:
    """Check that what was acknowledged is in the log, in order, without what Eva wrote."""
    mine = {record.payload_id for record in taken}
    held = [record for record in log_of(own) if record.payload_id in mine]
    assert [record.payload_id for record in held] == [record.payload_id for record in taken]
    for before, after in zip(taken, held, strict=True):
        if len(before.routes) == 1:
            assert after == before
        else:
            assert b"of bob" in after.body
