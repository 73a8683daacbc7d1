"""A data directory restored from a backup: the same rows, another history, nothing half."""

from pathlib import Path
from random import Random

import pytest

from airy_ray.backup.restoring import restore
from airy_ray.backup.target import open_target
from airy_ray.cluster.layout import jwt_secret, prepare_data, read_layout
from airy_ray.errors import ConfigError, DamagedError
from airy_ray.model.ids import REGISTRY
from airy_ray.publishing.events import Earlier
from tests.log_builders import NOW
from tests.unit.backup.backups import newest, places, put_places, quiet, restored, taken
from tests.unit.backup.machine import Machine, live, settings_of, told


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a machine that has lived for a while, with all that a backup holds."""
    root = tmp_path_factory.mktemp("lived")
    data = root / "data"
    with Machine(data, 2) as machine:
        live(machine, Random(1), payloads=20)
        machine.care(NOW + 10**6)
        live(machine, Random(2), first_at=NOW + 10**6, payloads=5)
    jwt_secret(settings_of(data))
    put_places(data, 77)
    (data / "media").mkdir()
    (data / "media" / "00000000-0000-8000-8000-000000000000.png").write_bytes(b"a picture")
    taken(data, root / "target")
    return root / "target"


@pytest.mark.parametrize("seed", range(3))
def test_what_is_restored_is_the_original_row_for_row(tmp_path: Path, seed: int) -> None:
    with Machine(tmp_path / "original", 3) as machine:
        at = live(machine, Random(seed))
        taken(tmp_path / "original", tmp_path / "target")
        rows = machine.rows()
    restored(tmp_path / "target", tmp_path / "restored")

    with Machine(tmp_path / "restored") as again:
        again.settle(at)

        assert again.rows() == rows


def test_what_no_log_tells_is_restored_too(target: Path, tmp_path: Path) -> None:
    restored(target, tmp_path / "data")

    assert places(tmp_path / "data") == (77, 77)
    (picture,) = (tmp_path / "data" / "media").iterdir()
    assert picture.read_bytes() == b"a picture"
    original = settings_of(target.parent / "data")
    assert jwt_secret(settings_of(tmp_path / "data")) == jwt_secret(original)


def test_a_restored_system_goes_on_in_a_history_of_its_own(target: Path, tmp_path: Path) -> None:
    before = newest(target)
    heads = {0: before.records["00"], 1: before.records["01"], REGISTRY: before.records["registry"]}

    layout = restored(target, tmp_path / "data")

    assert layout == read_layout(tmp_path / "data")
    assert layout.history != before.layout.history
    assert layout.earlier == (Earlier(before.layout.history, heads),)


def test_restored_once_more_it_knows_both_histories_before(target: Path, tmp_path: Path) -> None:
    first = restored(target, tmp_path / "first")
    taken(tmp_path / "first", tmp_path / "again")

    second = restored(tmp_path / "again", tmp_path / "second")

    histories = [each.history for each in second.earlier]
    assert histories == [newest(target).layout.history, first.history]


def test_everything_restored_is_for_its_owner_alone(target: Path, tmp_path: Path) -> None:
    restored(target, tmp_path / "data")

    found = [*target.rglob("*"), tmp_path / "data", *(tmp_path / "data").rglob("*")]
    assert {path.stat().st_mode & 0o077 for path in found if path.name != "lock.mdb"} == {0}


def test_nothing_is_written_over(target: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a file").touch()

    with pytest.raises(ConfigError, match=r"data: .* is not an empty directory"):
        restored(target, tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["a file"]


@pytest.mark.parametrize(
    ("path", "damage"),
    [
        pytest.param("partitions/01/log/data.mdb", "its bytes are not those", id="log"),
        pytest.param("archive/raw/", "its bytes are not those", id="archive"),
        pytest.param("media/", "missing, it is media/", id="media"),
    ],
)
def test_damage_in_a_backup_is_named_and_leaves_nothing_to_start_on(
    target: Path, tmp_path: Path, path: str, damage: str
) -> None:
    file = next(file for file in newest(target).files if file.path.startswith(path))
    kept = target / "files" / file.digest
    content = kept.read_bytes()
    if damage.startswith("missing"):
        kept.unlink()
    else:
        kept.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        with pytest.raises(DamagedError, match=f"files/{file.digest} is damaged: {damage}"):
            restored(target, tmp_path / "data")
    finally:
        kept.write_bytes(content)

    with pytest.raises(ConfigError, match="did not come to its end; restore it again"):
        prepare_data(settings_of(tmp_path / "data"))
    with pytest.raises(ConfigError, match="did not come to its end; restore it again"):
        read_layout(tmp_path / "data")
    restored(target, tmp_path / "data")  # once the backup is whole again
    assert prepare_data(settings_of(tmp_path / "data")).partitions == 2


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("seed", range(2))
def test_another_number_of_partitions_tells_readers_the_same(
    tmp_path: Path, seed: int, count: int
) -> None:
    with Machine(tmp_path / "original", 3) as machine:
        at = live(machine, Random(seed))
        taken(tmp_path / "original", tmp_path / "target")
        before = told(machine)
    restored(tmp_path / "target", tmp_path / "restored", partitions=count)

    with Machine(tmp_path / "restored") as again:
        again.settle(at + 1)

        assert len(again.specs) == count + 1
        assert all(before.values())
        assert told(again) == before
    left = {path.name for path in (tmp_path / "restored").iterdir()}
    assert left <= {"archive", "layout.json", "partitions"}


def test_an_archive_of_others_is_left_alone_also_by_a_restore_that_goes_on(
    target: Path, tmp_path: Path
) -> None:
    data, others = (
        tmp_path / "data",
        tmp_path / "others" / "raw" / "date=2025-11-21" / "p00.parquet",
    )
    others.parent.mkdir(parents=True)
    others.touch()
    settings = settings_of(data, archive=tmp_path / "others")
    place = open_target(str(target))
    for is_begun in (False, True):
        if is_begun:
            data.mkdir()
            (data / "restoring").touch()

        with pytest.raises(ConfigError, match="has an archive already"):
            restore(settings, place, newest(target), quiet)
    assert others.exists()
