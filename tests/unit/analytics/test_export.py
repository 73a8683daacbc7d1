"""What was exported in many steps is what is there, whatever came between them."""

from itertools import pairwise
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from airy_ray.analytics import export as export_module
from airy_ray.analytics import reading
from airy_ray.analytics.destination import Directory
from airy_ray.analytics.export import (
    ANOTHER_GENERATION,
    ANOTHER_HISTORY,
    ASKED,
    ERASED,
    FIRST_TIME,
    TRIMMED,
    Done,
    into,
)
from airy_ray.clock import Millis
from airy_ray.errors import ConfigError
from airy_ray.model.commands import DeleteContact
from airy_ray.model.ids import contact_id, format_id
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec
from airy_ray.partition.upkeep import Caretaker
from airy_ray.projections import keys
from airy_ray.state.expiry import Cutoffs, expire
from tests import builders
from tests.builders import NOW
from tests.erasing import EVA, EVAS, MARK, carry_out, erasure, traffic
from tests.log_builders import append, owned, prepared, settle, spec, webhook, webhooks
from tests.unit.analytics.exports import (
    HISTORY,
    as_served,
    export,
    manifest_in,
    more,
    newest_in,
    served,
    tables_in,
)

ERASED_AT = NOW + 10_000


def reasons(done: list[Done]) -> list[str | None]:
    return [each.reason for each in done]


def seal(partition: Partition) -> None:
    caretaker = Caretaker(partition, Millis(NOW))
    caretaker.seal(Millis(NOW + 1_000))
    caretaker.sync(Millis(NOW + 1_000))
    caretaker.trim()


def forget_changes(partition: Partition) -> None:
    """Let all of the change feed go by age."""
    late, never = Millis(NOW + 1_000_000), Millis(0)
    expire(partition.state, Cutoffs(late, never, never, never, never, never), forwarded=0)


@pytest.mark.parametrize("seed", range(6))
def test_many_exports_tell_what_one_does_and_what_the_api_shows(
    own: PartitionSpec, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    records = [*traffic(90), *webhooks(20, first=500)]
    for name in random.sample(["ada", "bob", "cy", EVA], 2):
        delete = DeleteContact(
            id=format_id(builders.command_id(f"delete {name}")),
            contact_id=format_id(contact_id(builders.conversation_id(name))),
        )
        place = random.randrange(len(records))
        records.insert(place, builders.command_record(delete, at=NOW + 400))
    cuts = [0, *sorted(random.sample(range(1, len(records)), 5)), len(records)]

    with owned(own) as partition:
        for first, last in pairwise(cuts):
            append(own.directory, records[first:last])
            settle(partition)
            (done,) = export(tmp_path / "many", own)
            assert done.reason == (FIRST_TIME if first == 0 else None)
            if random.random() < 0.5:
                seal(partition)
    export(tmp_path / "one", own)

    many, one = newest_in(tmp_path / "many"), newest_in(tmp_path / "one")
    assert many == one
    assert as_served(many) == served([own])
    assert sorted(row["offset"] for row in many["events"].values()) == list(range(len(records)))


def test_only_what_changed_is_added(own: PartitionSpec, partition: Partition, to: Path) -> None:
    export(to, own)
    partition.tail.append(prepared([webhook("new", contact="bob", at=NOW + 5_000)]))
    settle(partition)

    (done,) = export(to, own)

    assert done.rows == {"conversations": 1, "messages": 1, "contacts": 0, "events": 1}
    assert done.reason is None
    assert done.files == 3


def test_where_nothing_changed_nothing_is_written(
    own: PartitionSpec, partition: Partition, to: Path
) -> None:
    export(to, own)
    before = manifest_in(to)

    (done,) = export(to, own)

    assert done.files == 0
    assert manifest_in(to) == before


def test_a_deleted_contact_is_told_and_everybody_else_stays(
    own: PartitionSpec, partition: Partition, to: Path
) -> None:
    export(to, own)
    bobs = format_id(contact_id(builders.conversation_id("bob")))
    before = newest_in(to)["contacts"]
    command = DeleteContact(id=format_id(builders.command_id("delete")), contact_id=bobs)
    append(own.directory, [builders.command_record(command, at=NOW + 500)])
    settle(partition)

    export(to, own)

    assert before.keys() - newest_in(to)["contacts"] == {bobs}


def test_rows_that_are_written_while_an_export_reads_are_in_the_next(
    own: PartitionSpec, partition: Partition, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "_ROWS_PER_STEP", 1)
    monkeypatch.setattr(reading, "_ROWS_AT_ONCE", 3)
    to.mkdir()

    for number, _ in enumerate(into(Directory(to), [own], HISTORY, is_full=False)):
        if number % 20 == 0 and number < 400:
            more(partition, 1, first=1_000 + number)
    export(to, own)

    assert as_served(newest_in(to)) == served([own])


def test_all_is_written_anew_when_the_feed_was_trimmed(
    own: PartitionSpec, partition: Partition, to: Path
) -> None:
    export(to, own)
    old = {each.path for each in manifest_in(to).files}
    more(partition)
    forget_changes(partition)

    assert reasons(export(to, own)) == [TRIMMED]
    assert as_served(newest_in(to)) == served([own])
    assert not any((to / each).exists() for each in old)


def test_all_is_written_anew_when_the_feed_is_trimmed_while_it_is_read(
    own: PartitionSpec, partition: Partition, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(to, own)
    more(partition, 30)
    monkeypatch.setattr(export_module, "_ROWS_PER_STEP", 1)
    for limit in ("_CHANGES_AT_ONCE", "_CHANGES_TOGETHER"):
        monkeypatch.setattr(reading, limit, 4)

    run = into(Directory(to), [own], HISTORY, is_full=False)
    next(run)
    forget_changes(partition)

    assert [each.reason for each in run if isinstance(each, Done)] == [TRIMMED]
    assert as_served(newest_in(to)) == served([own])
    named = {each.path for each in manifest_in(to).files}
    assert named == {str(file.relative_to(to)) for file in to.rglob("*.parquet")}


def test_an_export_of_another_history_takes_the_place_of_the_first(
    own: PartitionSpec, partition: Partition, to: Path, tmp_path: Path
) -> None:
    other = [spec(tmp_path / "other", index=index, count=2) for index in (0, 1)]
    for each in other:
        append(each.directory, webhooks(3))
        with owned(each) as opened:
            settle(opened)
    export(to, *other, history="another1")

    assert reasons(export(to, own)) == [ANOTHER_HISTORY]
    assert as_served(newest_in(to)) == served([own])
    assert manifest_in(to).history == HISTORY


def test_all_is_written_anew_when_that_is_asked_for(
    own: PartitionSpec, partition: Partition, to: Path
) -> None:
    for first in (0, 10, 20):
        export(to, own)
        more(partition, first=1_000 + first)

    (done,) = export(to, own, is_full=True)

    assert done.reason == ASKED
    assert len(manifest_in(to).files) == done.files == 4
    assert as_served(newest_in(to)) == served([own])


def test_who_was_erased_is_in_no_file_after_the_next_exports(
    own: PartitionSpec, partition: Partition, to: Path
) -> None:
    seal(partition)
    export(to, own)
    assert MARK in everything_in(to)

    append(own.directory, [erasure(ERASED_AT)])
    settle(partition, ERASED_AT)
    assert reasons(export(to, own)) == [ERASED]
    rows = newest_in(to)
    assert format_id(EVAS) not in rows["conversations"]
    assert MARK not in str([rows["messages"], rows["conversations"], rows["contacts"]])

    carry_out(partition, ERASED_AT + 60_000)
    assert reasons(export(to, own)) == [ANOTHER_GENERATION]
    assert MARK not in everything_in(to)
    assert as_served(newest_in(to)) == served([own])
    assert reasons(export(to, own)) == [None]


def everything_in(to: Path) -> str:
    return str(
        [pq.read_table(file, partitioning=None).to_pylist() for file in to.rglob("*.parquet")]
    )


def test_what_is_no_export_is_left_alone(
    own: PartitionSpec, partition: Partition, to: Path
) -> None:
    to.mkdir()
    (to / "thesis.txt").write_text("years of work")

    with pytest.raises(ConfigError, match="no export of ours"):
        export(to, own)

    (to / "thesis.txt").rename(to / "export.json")
    with pytest.raises(ConfigError, match="not one of ours"):
        export(to, own)
    assert (to / "export.json").read_text() == "years of work"


def test_files_of_others_within_an_export_stay(
    own: PartitionSpec, partition: Partition, to: Path
) -> None:
    export(to, own)
    (to / "messages" / "mine.parquet").write_text("mine")

    export(to, own, is_full=True)

    assert (to / "messages" / "mine.parquet").read_text() == "mine"


def test_the_change_of_an_event_is_the_place_of_its_record(
    own: PartitionSpec, partition: Partition, to: Path
) -> None:
    export(to, own)

    for row in tables_in(to)["events"].to_pylist():
        assert row["change"] == keys.sequence(row["offset"])
        assert row["id"] == f"00:{row['offset']}"
