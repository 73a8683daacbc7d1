"""A full disk: nothing is stored, nothing is damaged, and it works again once there is space."""

from contextlib import closing
from pathlib import Path

import pytest

from airy_ray.errors import DiskFullError
from airy_ray.partition.partition import Partition
from airy_ray.partition.repair import is_sound
from airy_ray.rawlog.record import opened
from airy_ray.rawlog.tail import LogTail
from airy_ray.storage.beacon import Beacon
from airy_ray.storage.files import write_synced
from tests import builders
from tests.log_builders import append, owned, prepared, settle, spec, webhook, webhooks
from tests.small_disks import full


def test_an_append_without_space_stores_nothing_and_works_once_there_is(small_disk: Path) -> None:
    with closing(LogTail(small_disk)) as tail:
        with full(small_disk):
            with pytest.raises(DiskFullError):
                tail.append(prepared(webhooks(20)))
            assert (tail.head, tail.beacon.is_in_doubt) == (0, False)

        assert tail.append(prepared([webhook("a")])) == 0
        assert opened(tail.read(0, 1)[0][1], 0) == webhook("a")


def test_an_owner_without_space_folds_nothing_and_goes_on_once_there_is(small_disk: Path) -> None:
    own = spec(small_disk)
    with owned(own) as partition:
        append(own.directory, webhooks(200))
        with full(small_disk), pytest.raises(DiskFullError):
            _fold_all(partition)
        applied = partition.applied

        settle(partition)

        assert (applied, partition.applied) == (0, 200)
        assert partition.generation.number == 1, "the state was not given up for it"
        with partition.state.environment.read() as transaction:
            quarantine = partition.state.environment.tables["quarantine"]
            assert transaction.stat(quarantine)["entries"] == 0


def test_a_log_that_cannot_be_checked_for_want_of_space_is_not_given_up(small_disk: Path) -> None:
    own = spec(small_disk)
    with owned(own):
        append(own.directory, webhooks(50))

    with full(small_disk):
        assert is_sound(own.directory / "log.1")
        with pytest.raises(DiskFullError), owned(own):
            pass

    with owned(own) as partition:
        assert (partition.tail.number, partition.tail.head) == (1, 50)


def test_a_beacon_is_not_begun_where_it_has_no_space(small_disk: Path) -> None:
    with full(small_disk), pytest.raises(DiskFullError):
        Beacon(small_disk / "beacon")


def test_a_file_that_cannot_be_replaced_for_want_of_space_stays_as_it_was(
    small_disk: Path,
) -> None:
    file = small_disk / "fact"
    write_synced(file, b"old")

    with full(small_disk):
        with pytest.raises(DiskFullError):
            write_synced(file, b"new")

        assert file.read_bytes() == b"old"
        assert {path.name for path in small_disk.iterdir()} == {"fact", "filler"}


def _fold_all(partition: Partition) -> None:
    while partition.project_batch(builders.NOW):
        pass


def test_a_small_disk_is_not_filled_with_room(small_disk: Path) -> None:
    with closing(LogTail(small_disk / "log")) as tail:
        tail.append(prepared(webhooks(1)))
        length = (tail.path / "data.mdb").stat().st_size
        tail.make_room()

        assert (tail.path / "data.mdb").stat().st_size == length
