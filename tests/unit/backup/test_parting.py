"""Consumers of feeds after a restore to another number of partitions: they miss nothing."""

from contextlib import closing
from pathlib import Path

import pytest

from airy_ray.clock import Millis
from airy_ray.cluster.webhook_backlog import TABLES, Backlog, standing_of
from airy_ray.model.ids import REGISTRY, PartitionIndex
from airy_ray.partition import forwarding
from airy_ray.projections import keys
from airy_ray.publishing.events import Earlier, Event, Lineage
from airy_ray.publishing.waiting import Waiting
from airy_ray.rawlog.record import Record
from airy_ray.storage.shelf import Shelf
from tests.erasing import log_of
from tests.log_builders import NOW, append, webhooks
from tests.unit.backup.backups import restored, taken
from tests.unit.backup.machine import Machine

WEBHOOK = bytes(16)
SCOPE = WEBHOOK + bytes(8)
LANE = bytes(range(16))
COUNT = 3


def event(offset: int, partition: int = 0) -> Event:
    sequence = keys.sequence(offset)
    return Event(PartitionIndex(partition), sequence, "message.created", LANE, LANE, Millis(NOW))


def first_of(log: list[Record], records: list[Record]) -> int:
    """Return the place of the first of some records in a log, or its end."""
    return keys.sequence(next((o for o, each in enumerate(log) if each in records), len(log)))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One partition with 40 messages of seven contacts, whose webhook waits with some."""
    with Machine(tmp_path / "original", 1) as made:
        append(made.specs[0].directory, webhooks(40))
        made.settle(NOW)
    (made.specs[0].directory / "bot-rasa.place").write_bytes(b"%d" % keys.sequence(30))
    with closing(Shelf(tmp_path / "original" / "webhooks", TABLES)) as shelf:
        backlog = Backlog(shelf, SCOPE)
        backlog.put_place(PartitionIndex(0), keys.sequence(20))
        backlog.put_place(REGISTRY, 7)
        backlog.keep(Waiting(event(11), Millis(NOW)), LANE)
        backlog.keep(Waiting(event(3, REGISTRY), Millis(NOW)), LANE)
        backlog.bury(Waiting(event(2), Millis(NOW)), Millis(NOW))
        backlog.put_standing()
        shelf.write(shelf.unwritten())
    taken(tmp_path / "original", tmp_path / "target")
    restored(tmp_path / "target", tmp_path / "restored", partitions=COUNT)
    return Machine(tmp_path / "restored")


def test_a_webhook_goes_on_before_all_that_it_had_not_taken(
    machine: Machine, tmp_path: Path
) -> None:
    with closing(Shelf(tmp_path / "restored" / "webhooks", TABLES)) as shelf:
        backlog = Backlog(shelf, SCOPE)
        places = {index: backlog.place(PartitionIndex(index)) for index in range(COUNT)}
        waiting = [each.event for _, each in backlog.all_waiting()]

        assert backlog.place(REGISTRY) == 7
        assert waiting == [event(3, REGISTRY)]
        assert list(backlog.all_dead()) == []
        assert (standing_of(shelf, WEBHOOK).waiting, standing_of(shelf, WEBHOOK).dead) == (1, 0)
    logs = {spec.index: log_of(spec) for spec in machine.specs[:COUNT]}
    assert places == {index: first_of(log, webhooks(40)[11:]) for index, log in logs.items()}
    assert sum(map(len, logs.values())) == 40


def test_a_bot_goes_on_before_all_that_it_was_not_asked_about(machine: Machine) -> None:
    for spec in machine.specs[:COUNT]:
        place = int((spec.directory / "bot-rasa.place").read_bytes())

        assert place == first_of(log_of(spec), webhooks(40)[30:])


def test_what_was_forwarded_is_not_forwarded_again(tmp_path: Path) -> None:
    with Machine(tmp_path / "original", 2) as made:
        append(made.specs[0].directory, webhooks(10))
        made.settle(NOW)
        for partition in made.partitions.values():
            forwarding.mark_forwarded(partition, keys.sequence(partition.tail.head) - 1)
    taken(tmp_path / "original", tmp_path / "target")
    restored(tmp_path / "target", tmp_path / "restored", partitions=COUNT)

    with Machine(tmp_path / "restored") as again:
        for index in range(COUNT):
            partition = again.partitions[PartitionIndex(index)]
            assert forwarding.forwarded_until(partition) == keys.sequence(partition.tail.head)


def test_only_the_registry_keeps_its_earlier_history(machine: Machine) -> None:
    (earlier,) = machine.layout.earlier

    assert set(earlier.ends) == {REGISTRY}


def test_places_told_before_other_partitions_were_made_mean_nothing_any_more() -> None:
    lineage = Lineage("b", (Earlier("a", {REGISTRY: 10}),))

    assert not lineage.has_kept(PartitionIndex(0), 9)
    assert lineage.has_kept(PartitionIndex(0), 10)
    assert lineage.has_kept(REGISTRY, 9)


def test_a_large_log_is_sealed_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airy_ray.backup.parting._MEMORY_BYTES", 3_000)
    with Machine(tmp_path / "original", 1) as made:
        append(made.specs[0].directory, webhooks(60))
    taken(tmp_path / "original", tmp_path / "target")
    restored(tmp_path / "target", tmp_path / "restored", partitions=2)

    with Machine(tmp_path / "restored") as again:
        logs = [log_of(spec) for spec in again.specs[:2]]
        assert all(partition.tail.segments() for partition in list(again.partitions.values())[:2])
        held = [record for log in logs for record in log]
        assert sorted(held, key=lambda each: each.received_at) == webhooks(60)
