"""`airy-ray verify`: whole data directories pass, each damage is named, nothing is changed."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.partition import generations, repair
from airy_ray.partition.generations import Generation
from airy_ray.partition.spec import Upkeep
from airy_ray.partition.upkeep import Caretaker
from airy_ray.projections import keys
from airy_ray.rawlog.tail import LogTail, path_of
from airy_ray.state.state import State
from airy_ray.state.tables import sealed
from tests import builders
from tests.builders import NOW
from tests.log_builders import append, owned, prepared, settle, webhooks
from tests.unit.cli.directories import Directory, run, told

PAGE = 4_096
ALWAYS_DUE = Upkeep(sync_ms=0, segment_age_ms=0, tail_records=1, snapshot_records=1)


def log_file(directory: Directory) -> Path:
    return path_of(directory.specs[0].directory, 1) / "data.mdb"


def state_file(directory: Directory) -> Path:
    (path,) = directory.specs[0].directory.glob("state.g*")
    return path / "data.mdb"


def archive_file(directory: Directory) -> Path:
    return next((directory.path / "archive").rglob("p00-*.parquet"))


def snapshot_file(directory: Directory) -> Path:
    return next((directory.specs[0].directory / "snapshots").rglob("data.mdb"))


def flip(file: Path, text: bytes) -> None:
    """Turn over one bit of a text wherever it is stored."""
    file.write_bytes(file.read_bytes().replace(text, bytes([text[0] ^ 1]) + text[1:]))


def spoil_middle(file: Path) -> None:
    """Put noise between the beginning and the footer of a file."""
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes(content[:100] + b"\xa5" * (half - 100) + content[half:])


def spoil(file: Path) -> None:
    """Put noise in the place of all pages but the first two."""
    content = file.read_bytes()
    file.write_bytes(content[: 2 * PAGE] + b"\xa5" * (len(content) - 2 * PAGE))


@pytest.fixture(scope="module")
def archived_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Partition 00 with 40 records in two archive files, a snapshot, and one in its tail alone."""
    made = Directory(tmp_path_factory.mktemp("archived") / "data")
    spec = dataclasses.replace(made.specs[0], upkeep=ALWAYS_DUE)
    with owned(spec) as partition:
        caretaker = Caretaker(partition, NOW)
        for first in (0, 20):
            partition.tail.append(prepared(webhooks(20, first=first)))
            settle(partition)
            caretaker.work(Millis(NOW + 1_000))
        partition.tail.append(prepared(webhooks(1, first=40)))
        settle(partition)
    with made.running():
        return made.path


@pytest.fixture
def archived(archived_template: Path, tmp_path: Path) -> Directory:
    shutil.copytree(archived_template, tmp_path / "archived")
    return Directory(tmp_path / "archived")


def damages(directory: Directory, *arguments: str) -> dict[str, list[str]]:
    """Return what is damaged in a data directory: file to problems."""
    found: dict[str, list[str]] = {}
    for damage in told(directory, "verify", *arguments)["damages"]:
        file = str(Path(damage["file"]).relative_to(directory.path))
        found.setdefault(file, []).append(damage["problem"])
    return found


def test_a_whole_data_directory_passes(directory: Directory) -> None:
    checked = run(directory, "verify", "--deep")

    assert checked.exit_code == 0
    assert checked.stdout == "all is whole: 2 partitions and the registry\n"


def test_a_data_directory_that_nothing_ever_ran_on_passes(fresh: Directory) -> None:
    assert run(fresh, "verify", "--deep").exit_code == 0


def test_a_system_that_runs_and_goes_on_appending_passes(directory: Directory) -> None:
    with directory.running():
        append(directory.specs[0].directory, webhooks(3, first=200))

        assert run(directory, "verify", "--deep").exit_code == 0


def test_nothing_is_changed_and_nothing_left_behind(directory: Directory) -> None:
    before = directory.digest()

    run(directory, "verify", "--deep")

    assert directory.digest() == before


def test_copies_that_a_killed_check_left_are_removed_and_others_are_not(
    directory: Directory,
) -> None:
    dead, alive = directory.path / ".verify-4194305", directory.path / f".verify-{os.getppid()}"
    dead.mkdir()
    alive.mkdir()

    run(directory, "verify")

    assert (dead.exists(), alive.exists()) == (False, True)


@pytest.mark.parametrize(
    ("file_of", "damage", "problem"),
    [
        pytest.param(
            log_file,
            lambda file: flip(file, b"text of 40"),
            "the record at offset 40 is damaged: its checksum is wrong",
            id="record",
        ),
        pytest.param(log_file, spoil, "the record at offset 40 is", id="pages of the log"),
        pytest.param(
            log_file,
            lambda file: os.truncate(file, 3 * PAGE),
            "it ends before page",
            id="end of the log",
        ),
        pytest.param(log_file, Path.unlink, "the log is missing", id="log"),
        pytest.param(
            archive_file,
            spoil_middle,
            "its bytes are not those that were sealed",
            id="archive file",
        ),
        pytest.param(archive_file, spoil_middle, "offsets 0 to 19 are lost", id="archived records"),
        pytest.param(
            archive_file, Path.unlink, "missing, it held offsets 0 to 19", id="no archive file"
        ),
        pytest.param(
            state_file, lambda file: flip(file, b"text of 35"), "of messages is damaged", id="row"
        ),
        pytest.param(state_file, spoil, "page", id="pages of the state"),
        pytest.param(state_file, Path.unlink, "the state is missing", id="state"),
        pytest.param(snapshot_file, spoil, "page", id="snapshot"),
    ],
)
def test_a_damage_is_named_with_its_file_and_what_is_wrong(
    archived: Directory,
    file_of: Callable[[Directory], Path],
    damage: Callable[[Path], None],
    problem: str,
) -> None:
    file = file_of(archived)
    damage(file)

    place = file.parent if file.name == "data.mdb" else file
    assert problem in "\n".join(damages(archived)[str(place.relative_to(archived.path))])


def test_damage_is_shown_with_partition_and_file_and_fails_the_command(
    archived: Directory,
) -> None:
    archive_file(archived).unlink()

    checked = run(archived, "verify")

    line, summary, _ = checked.stdout.splitlines()
    assert checked.exit_code == 1
    assert line.startswith("partition 00, archive/raw/date=2025-11-21/p00-")
    assert line.endswith(".parquet: missing, it held offsets 0 to 19")
    assert summary == "one file is damaged"


def test_a_gap_in_the_archive_names_the_offsets_that_are_in_no_file(archived: Directory) -> None:
    own = archived.specs[0]
    with closing(LogTail(own.directory)) as tail:
        environment = tail._environment
        with environment.write() as transaction:
            transaction.delete((0).to_bytes(8, "big"), db=environment.tables["archives"])

    found = damages(archived)

    assert ["offsets 0 to 19, before it, are in no file"] in found.values()


def test_a_log_that_lost_its_end_is_damaged(directory: Directory) -> None:
    own = directory.specs[0]
    with closing(LogTail(own.directory)) as tail:
        head = tail.head
        tail.beacon.reach(head + 2)

    problems = damages(directory)["partitions/00/log.1"]

    assert f"the records at offsets {head} to {head + 1} are damaged or missing" in problems


def test_a_state_that_is_ahead_of_its_log_is_damaged(directory: Directory) -> None:
    with closing(State(state_file(directory).parent)) as state:
        applied = state.applied
        with state.environment.write() as transaction:
            state.set_fact(transaction, "applied", applied + 5)

    (problems,) = damages(directory).values()

    assert f"it holds {applied + 5} records, the log only {applied}" in problems


def test_a_log_in_doubt_is_damaged(directory: Directory) -> None:
    with closing(LogTail(directory.specs[0].directory)) as tail:
        tail.distrust()

    (problems,) = damages(directory).values()

    assert problems == ["a write failed: nobody may append before its owner checks it"]


def test_a_row_that_the_log_does_not_make_is_found_by_folding_again(directory: Directory) -> None:
    with closing(State(state_file(directory).parent)) as state:
        table = state.environment.tables["aliases"]
        key = keys.alias("facebook", "user", "ada")
        row = msgspec.msgpack.encode(builders.place())
        with state.environment.write() as transaction:
            transaction.put(key, sealed(key, row), db=table)

    assert damages(directory) == {}
    ((problem,),) = damages(directory, "--deep").values()
    assert problem.startswith(
        "table aliases: folding the log again gives 0 other rows, 0 more and 1"
    )


def test_what_was_lost_earlier_is_told_and_is_no_damage(directory: Directory) -> None:
    own = directory.specs[0]
    with closing(LogTail(own.directory)) as tail:
        tail.put(repair.LOST, b"\x91\x92\x03\x05")

    checked = run(directory, "verify")

    assert checked.exit_code == 0
    assert "offsets 3 to 5 were lost earlier, and are marked so" in checked.stdout


def test_a_state_that_is_being_rebuilt_is_told_and_is_no_damage(directory: Directory) -> None:
    own = directory.specs[0]
    with closing(LogTail(own.directory)) as tail:
        generation = generations.live(tail)
        assert generation is not None
        generations.set_live(tail, Generation(generation.number, target=99))

    checked = run(directory, "verify")

    assert checked.exit_code == 0
    assert "it is being rebuilt out of the log, and was not checked" in checked.stdout


def test_a_file_that_the_manifest_does_not_list_is_told_and_is_no_damage(
    archived: Directory,
) -> None:
    file = archive_file(archived)
    shutil.copy(file, file.with_name("p00-unlisted.parquet"))

    checked = run(archived, "verify")

    assert checked.exit_code == 0
    assert "p00-unlisted.parquet: not in the manifest" in checked.stdout


def test_a_partition_without_a_directory_beside_others_is_damaged(directory: Directory) -> None:
    shutil.rmtree(directory.specs[1].directory)

    assert damages(directory) == {"partitions/01/log.1": ["the log is missing"]}


def test_of_many_problems_people_see_the_first_ones_and_programs_all(
    directory: Directory,
) -> None:
    flip(log_file(directory), b"text of")

    shown = run(directory, "verify").stdout.splitlines()

    assert len(shown) == 13
    assert shown[10].endswith("more; --json tells them")
    assert len(damages(directory)["partitions/00/log.1"]) > 20


def test_a_repaired_log_is_whole_and_the_damaged_one_is_told(directory: Directory) -> None:
    spoil(log_file(directory))
    with owned(directory.specs[0], NOW) as partition:
        settle(partition)

    checked = run(directory, "verify")

    assert checked.exit_code == 0
    assert "partitions/00/log.1: left by a repair" in checked.stdout
    assert "were lost earlier" in checked.stdout
