"""A backup taken while others go on: whole, of one moment, and only what is new is copied."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from airy_ray.backup.taking import Step
from airy_ray.backup.target import open_target
from airy_ray.errors import ConfigError, DamagedError
from airy_ray.rawlog.tail import path_of
from tests.erasing import EVA, carry_out, erasure, log_of, shared, traces
from tests.log_builders import NOW, append, webhooks
from tests.unit.backup.backups import newest, places, put_places, restored, taken
from tests.unit.backup.machine import Machine, live


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def meanwhile(what: str, act: Callable[[], object]) -> Callable[[Step], None]:
    """Return a listener that does something when a step comes for the first time."""
    done: list[object] = []

    def tell(step: Step) -> None:
        if step.what == what and not done:
            done.append(act())

    return tell


def test_of_what_is_archived_and_uploaded_nothing_is_copied_again(data: Path, target: Path) -> None:
    with Machine(data, 1) as machine:
        append(machine.specs[0].directory, webhooks(50))
        machine.settle(NOW)
        machine.care(NOW + 10**6)
        (data / "media").mkdir()
        (data / "media" / "00000000-0000-8000-8000-000000000000").write_bytes(b"a file")
        first = taken(data, target)
        append(machine.specs[0].directory, webhooks(1, first=50))

        second = taken(data, target)

    assert first.sent_files == len(first.manifest.files)
    assert second.sent_files == 1  # the log that has got a record
    assert len(second.manifest.files) == len(first.manifest.files)


def test_what_is_acknowledged_before_is_in_it_and_what_comes_meanwhile_does_no_harm(
    data: Path, target: Path, tmp_path: Path
) -> None:
    with Machine(data, 1) as machine:
        own = machine.specs[0]
        append(own.directory, webhooks(20))

        taken(data, target, tell=lambda _: append(own.directory, webhooks(1, first=100)))

    restored(target, tmp_path / "restored")
    with Machine(tmp_path / "restored") as again:
        held = log_of(again.specs[0])
        assert held[:20] == webhooks(20)
        assert held[20:] == webhooks(1, first=100) * (len(held) - 20)


def test_no_place_is_ahead_of_the_log_that_it_is_in(
    data: Path, target: Path, tmp_path: Path
) -> None:
    with Machine(data, 1) as machine:
        own = machine.specs[0].directory
        append(own, webhooks(5))
        put_places(data, 5)

        def go_on() -> None:
            append(own, webhooks(5, first=5))
            put_places(data, 10)

        taken(data, target, tell=meanwhile("logs", go_on))

    restored(target, tmp_path / "restored")
    assert places(tmp_path / "restored") == (5, 5)
    assert newest(target).records["00"] == 10


def test_an_erasure_that_replaces_archive_files_meanwhile_is_in_it(
    data: Path, target: Path, tmp_path: Path
) -> None:
    with Machine(data, 1) as machine:
        own = machine.specs[0]
        append(own.directory, [shared(number, EVA, "bob") for number in range(30)])
        machine.settle(NOW)
        machine.care(NOW + 10**6)

        def erase() -> None:
            append(own.directory, [erasure(NOW + 100)])
            carry_out(machine.partitions[own.index], NOW + 10**7)

        taken(data, target, tell=meanwhile("archive", erase))

    restored(target, tmp_path / "restored")
    assert traces(tmp_path / "restored") == []
    with Machine(tmp_path / "restored") as again:
        again.settle(NOW + 10**7)


def test_a_directory_that_nothing_ever_ran_on_is_backed_up(
    data: Path, target: Path, tmp_path: Path
) -> None:
    layout = Machine(data, 2).layout

    taken(data, target)

    assert restored(target, tmp_path / "restored").partitions == layout.partitions


def test_a_damaged_log_is_named_and_makes_no_backup(data: Path, target: Path) -> None:
    with Machine(data, 1) as machine:
        append(machine.specs[0].directory, webhooks(20))
    file = path_of(data / "partitions" / "00", 1) / "data.mdb"
    file.write_bytes(file.read_bytes().replace(b"text of 7", b"text of 8"))

    with pytest.raises(DamagedError, match="the log of 00 is damaged: the record at offset 7 is"):
        taken(data, target)
    assert open_target(str(target)).ids() == []


def test_a_damaged_archive_file_is_named_and_makes_no_backup(data: Path, target: Path) -> None:
    with Machine(data, 1) as machine:
        append(machine.specs[0].directory, webhooks(20))
        machine.settle(NOW)
        machine.care(NOW + 10**6)
    file = next((data / "archive").rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-1] + b"!")

    with pytest.raises(DamagedError, match=rf"{file.name}: its bytes are not those that were"):
        taken(data, target)
    assert open_target(str(target)).ids() == []


def test_only_the_newest_are_kept_and_what_they_need(
    data: Path, target: Path, tmp_path: Path
) -> None:
    for number in range(3):
        with Machine(data, 2) as machine:
            live(machine, Random(number), first_at=NOW + number * 10**6, payloads=3)
            machine.care(NOW + number * 10**6)
            rows = machine.rows()
        taken(data, target)
    place = open_target(str(target))
    known = place.ids()

    assert place.keep_newest(1) == known[:2]

    assert place.ids() == known[2:]
    assert set(place.sizes()) == {file.digest for file in newest(target).files}
    restored(target, tmp_path / "restored")
    with Machine(tmp_path / "restored") as again:
        again.settle(NOW + 10**7)
        assert again.rows() == rows


@pytest.mark.parametrize(
    ("place", "told"),
    [
        pytest.param("ftp://host/path", "expected a directory or one of s3, gs, az", id="scheme"),
        pytest.param("/dev/null", "is not a directory", id="a file"),
        pytest.param("/nowhere/at/all", "is not a directory", id="nothing"),
    ],
)
def test_what_is_no_target_is_refused(place: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        open_target(place)
