"""Snapshots: proven when they are taken, and again before they are used."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from airy_ray.errors import DamagedError
from airy_ray.partition.partition import Partition
from airy_ray.state import snapshot
from airy_ray.state.snapshot import About
from airy_ray.state.state import State
from airy_ray.state.tables import PROJECTION_VERSION
from tests.log_builders import append, rows, settle, webhooks


@pytest.fixture
def kept(partition: Partition, tmp_path: Path) -> Path:
    """The directory of a snapshot of 50 records."""
    snapshot.take(partition.state, tmp_path / "kept")
    return tmp_path / "kept"


def restored(kept: Path, *, before: int = 1_000) -> int:
    return snapshot.restore_newest(kept, kept.parent / "restored", before=before)


def test_a_snapshot_is_the_state_it_was_taken_from(partition: Partition, kept: Path) -> None:
    assert restored(kept) == 50

    state = State(kept.parent / "restored")
    assert rows(state) == rows(partition.state)
    state.close()


def test_a_snapshot_is_taken_while_records_are_folded(partition: Partition, kept: Path) -> None:
    append(partition.spec.directory, webhooks(20, first=50))
    settle(partition)

    assert snapshot.take(partition.state, kept) == About(70, PROJECTION_VERSION)
    assert restored(kept) == 70


def test_the_two_newest_are_kept(partition: Partition, kept: Path) -> None:
    for first in (50, 51, 52):
        append(partition.spec.directory, webhooks(1, first=first))
        settle(partition)
        snapshot.take(partition.state, kept)

    assert sorted(int(path.name) for path in kept.iterdir()) == [52, 53]


def test_a_damaged_snapshot_is_passed_over_for_the_one_before(
    partition: Partition, kept: Path
) -> None:
    append(partition.spec.directory, webhooks(1, first=50))
    settle(partition)
    snapshot.take(partition.state, kept)
    file = kept / f"{51:020}" / "data.mdb"
    file.write_bytes(file.read_bytes()[:-4_096])

    assert restored(kept) == 50


@pytest.mark.parametrize(
    "about",
    [
        pytest.param(About(50, PROJECTION_VERSION + 1), id="other projections"),
        pytest.param(About(1_001, PROJECTION_VERSION), id="a longer log"),
        pytest.param(None, id="unknown"),
    ],
)
def test_what_a_snapshot_says_of_itself_can_rule_it_out(kept: Path, about: About | None) -> None:
    told = kept / f"{50:020}" / "snapshot.json"
    told.write_bytes(b"{" if about is None else msgspec.json.encode(about))

    assert restored(kept) == 0
    assert not (kept.parent / "restored").exists()


def test_what_a_snapshot_says_of_itself_is_not_believed_against_its_rows(kept: Path) -> None:
    told = kept / f"{50:020}" / "snapshot.json"
    told.write_bytes(msgspec.json.encode(About(3, PROJECTION_VERSION)))

    assert restored(kept, before=49) == 0


def test_without_a_snapshot_nothing_is_restored(tmp_path: Path) -> None:
    assert snapshot.restore_newest(tmp_path / "none", tmp_path / "restored", before=9) == 0


def test_a_damaged_state_makes_no_snapshot(partition: Partition, kept: Path) -> None:
    messages = partition.state.environment.tables["messages"]
    with partition.state.environment.write() as transaction:
        key, value = next(iter(transaction.cursor(messages)))
        transaction.put(key, value[:-1] + bytes([value[-1] ^ 1]), db=messages)

    with pytest.raises(DamagedError, match="of messages is damaged"):
        snapshot.take(partition.state, kept)

    assert restored(kept) == 50


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        pytest.param(lambda all_: all_[:-4_096], "beyond", id="cut"),
        pytest.param(lambda all_: bytes(4_096) + all_[4_096:], "LMDB", id="no header"),
        pytest.param(lambda all_: all_.replace(b"unread\0", b"unreaD\0"), "unknown", id="name"),
    ],
)
def test_a_check_says_what_is_wrong(
    kept: Path, edit: Callable[[bytes], bytes], problem: str
) -> None:
    copy = kept.parent / "copy"
    shutil.copytree(kept / f"{50:020}", copy)
    file = copy / "data.mdb"
    file.write_bytes(edit(file.read_bytes()))

    with pytest.raises(DamagedError, match=problem):
        snapshot.check_in_child(copy)
