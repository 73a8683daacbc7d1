"""`airy-ray status`: what it shows, and what it finds to need attention."""

from contextlib import closing
from pathlib import Path

import pytest

from airy_ray.cli.running import Running
from airy_ray.cli.status import attention
from airy_ray.clock import Millis
from airy_ray.model.events import ChannelStored
from airy_ray.partition import generations, repair
from airy_ray.partition.condition import Condition, Holding, Rebuild, Writer
from airy_ray.partition.fold import encode_event
from airy_ray.partition.generations import Generation
from airy_ray.rawlog.record import Record
from airy_ray.rawlog.tail import LogTail, path_of
from tests import builders
from tests.builders import NOW
from tests.log_builders import append, owned, settle
from tests.unit.cli.directories import URL, Directory, run, told

RUNNING = Running(pid=1, started=1, url=URL, since=NOW, ready_at=NOW)
STARTING = Running(pid=1, started=1, url=URL, since=NOW)


def holding(*, quarantined: int = 0) -> Holding:
    return Holding(conversations=1, messages=2, quarantined=quarantined, channels=0, connected={})


def condition(**fields: object) -> Condition:
    whole: dict[str, object] = {
        "name": "03",
        "owner": 7,
        "head": 10,
        "applied": 10,
        "holding": holding(),
    }
    return Condition(**{**whole, **fields})  # type: ignore[arg-type]  # names of fields, checked


def channel_record(page: str, *, connected: bool = True) -> Record:
    stored = ChannelStored(builders.channel(page, connected=connected), {})
    return builders.record(encode_event(stored), kind="channel")


def test_a_running_system_that_is_well_is_told_so(directory: Directory) -> None:
    with directory.running():
        shown = run(directory, "status")

    assert shown.exit_code == 0
    assert f"running at {URL}" in shown.output
    assert "all is well" in shown.output


def test_programs_hear_how_each_partition_is(directory: Directory) -> None:
    with directory.running():
        status = told(directory, "status")

    assert (status["healthy"], status["attention"]) == (True, [])
    heads = [each["head"] for each in status["partitions"]]
    assert heads == [each["applied"] for each in status["partitions"]]
    assert sum(heads) == 40
    assert sum(each["holding"]["messages"] for each in status["partitions"]) == 40
    assert sum(each["holding"]["conversations"] for each in status["partitions"]) == 7
    assert max(each["last_received_at"] for each in status["partitions"]) == NOW + 39


def test_a_stopped_system_is_shown_and_needs_attention(directory: Directory) -> None:
    shown = run(directory, "status")

    assert shown.exit_code == 1
    assert "not running: nothing is received" in shown.output


def test_nothing_in_the_data_directory_is_changed(directory: Directory) -> None:
    before = directory.digest()

    run(directory, "status")

    assert directory.digest() == before


def test_a_data_directory_that_nothing_ever_ran_on_is_only_not_running(fresh: Directory) -> None:
    assert told(fresh, "status")["attention"] == [
        "it is not running: nothing is received; start it with airy-ray up"
    ]


def test_connected_channels_are_counted_by_source(fresh: Directory) -> None:
    records = [
        channel_record("one"),
        channel_record("two"),
        channel_record("three", connected=False),
    ]
    append(fresh.registry.directory, records)
    with owned(fresh.registry) as registry:
        settle(registry)

    status = told(fresh, "status")

    assert status["registry"]["holding"]["connected"] == {"facebook": 2}
    assert status["registry"]["holding"]["channels"] == 3


def test_what_is_appended_and_not_applied_is_the_lag(directory: Directory) -> None:
    append(directory.specs[0].directory, [builders.record(), builders.record()])

    assert told(directory, "status")["partitions"][0]["lag"] == 2


def test_a_rebuild_is_told_with_its_progress(directory: Directory) -> None:
    with closing(LogTail(directory.specs[0].directory)) as tail:
        number = generations.live(tail)
        assert number is not None
        generations.set_live(tail, Generation(number.number, target=60))
        applied = tail.head

    status = told(directory, "status")

    assert status["partitions"][0]["rebuild"] == {"applied": applied, "target": 60}
    assert any("is being rebuilt" in each for each in status["attention"])


def test_a_log_in_doubt_is_told(directory: Directory) -> None:
    with closing(LogTail(directory.specs[1].directory)) as tail:
        tail.distrust()

    status = told(directory, "status")

    assert [each["is_in_doubt"] for each in status["partitions"]] == [False, True]


def test_offsets_that_damage_took_are_named(directory: Directory) -> None:
    own = directory.specs[0]
    with closing(LogTail(own.directory)) as tail:
        repair.fill_gap(own, tail, 100, 104, NOW)

    status = told(directory, "status")

    assert status["partitions"][0]["lost"] == [[100, 104]]
    assert "partition 00: 5 records were lost by damage: offsets 100-104" in status["attention"]


def test_a_damaged_partition_is_named_and_the_others_are_shown(directory: Directory) -> None:
    own = directory.specs[0]
    file = path_of(own.directory, 1) / "data.mdb"
    content = bytearray(file.read_bytes())
    content[2 * 4_096 :] = b"\xa5" * (len(content) - 2 * 4_096)
    file.write_bytes(content)

    status = told(directory, "status")

    assert any(each.startswith("partition 00: it cannot be read") for each in status["attention"])
    assert status["partitions"][1]["holding"] is not None


def test_a_log_that_is_gone_is_damage_and_not_a_beginning(directory: Directory) -> None:
    for file in path_of(directory.specs[0].directory, 1).iterdir():
        file.unlink()

    assert (
        "partition 00: it cannot be read: its log is missing; airy-ray verify says more"
        in told(directory, "status")["attention"]
    )


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"owner": None}, ["nobody owns it"], id="no owner"),
        pytest.param({"is_in_doubt": True}, ["a write to its log failed"], id="doubt"),
        pytest.param(
            {"writer": Writer(99, 2_500)}, ["process 99 holds up all appends"], id="frozen writer"
        ),
        pytest.param({"writer": Writer(99, 3)}, [], id="writer at work"),
        pytest.param(
            {"rebuild": Rebuild(5, 10), "holding": None},
            ["being rebuilt: 5 of 10 records (50 %)"],
            id="rebuild",
        ),
        pytest.param(
            {"applied": 8, "oldest_unapplied_at": NOW},
            ["2 records wait to be applied, the oldest for 10.0 s"],
            id="behind for long",
        ),
        pytest.param({"applied": 8, "oldest_unapplied_at": NOW + 9_000}, [], id="behind just now"),
        pytest.param(
            {"holding": holding(quarantined=3)}, ["3 records are in quarantine"], id="quarantine"
        ),
        pytest.param(
            {"lost": [(4, 4), (7, 9)]}, ["4 records were lost by damage: offsets 4, 7-9"], id="lost"
        ),
        pytest.param({"damage": "a bad page"}, ["cannot be read: a bad page"], id="damage"),
    ],
)
def test_what_needs_attention_in_a_partition_is_said(
    fields: dict[str, object], needed: list[str]
) -> None:
    said = list(attention(RUNNING, [condition(**fields)], Millis(NOW + 10_000)))

    assert [each for each in said if not each.startswith("partition 03: ")] == []
    assert len(said) == len(needed)
    assert all(text in each for text, each in zip(needed, said, strict=True))


@pytest.mark.parametrize(
    ("running", "owner", "killed", "said"),
    [
        pytest.param(RUNNING, 7, False, "", id="running"),
        pytest.param(STARTING, None, False, "", id="starting"),
        pytest.param(None, None, False, "it is not running", id="stopped"),
        pytest.param(None, None, True, "it was killed, or crashed", id="killed"),
        pytest.param(None, 7, True, "1 of its processes still work here", id="just killed"),
    ],
)
def test_whether_it_runs_is_said_first(
    running: Running | None, owner: int | None, killed: bool, said: str
) -> None:
    needed = list(attention(running, [condition(owner=owner)], Millis(NOW + 1), killed=killed))

    assert len(needed) == (1 if said else 0)
    assert said in "".join(needed)


def test_a_start_that_takes_for_ever_needs_attention() -> None:
    assert list(attention(STARTING, [], Millis(NOW + 121_000))) == [
        "it has been starting for 2 m 1 s"
    ]


def test_the_example_of_the_help_works_as_it_stands(directory: Directory, tmp_path: Path) -> None:
    shown = run(directory, "status", "--json")

    assert '"attention": [' in shown.stdout
