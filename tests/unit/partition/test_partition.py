"""A partition as its owner runs it: folded once, trusted when it may be, rebuilt when not."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.errors import NewerStateError, RebuildingError
from airy_ray.model.commands import MarkRead
from airy_ray.model.events import Event
from airy_ray.model.ids import format_id
from airy_ray.partition import fold, ownership
from airy_ray.partition.partition import Partition
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec, Upkeep
from airy_ray.projections.messages import Effect
from airy_ray.projections.project import project as project_event
from airy_ray.projections.view import View
from airy_ray.rawlog import archive
from airy_ray.rawlog.record import Record
from airy_ray.rawlog.tail import LogTail, Segment
from airy_ray.state import snapshot
from airy_ray.state.queries import reading
from airy_ray.state.state import State
from airy_ray.state.tables import PROJECTION_VERSION, READABLE_SINCE
from tests import builders
from tests.log_builders import (
    BUSY,
    NOW,
    append,
    care,
    kept_rows,
    owned,
    project,
    rows,
    settle,
    spec,
    webhook,
    webhooks,
)

SEALING = Upkeep(sync_ms=0, segment_age_ms=0, tail_records=1)
"""Upkeep that seals all there is at once."""


def test_what_was_appended_is_folded_in_batches(tmp_path: Path) -> None:
    own = spec(tmp_path)
    with owned(own) as partition:
        append(own.directory, webhooks(600))

        batches = [partition.project_batch(NOW) for _ in range(6)]

        assert batches == [128, 128, 128, 128, 88, 0]
        assert partition.applied == 600


@pytest.mark.parametrize("from_archive", [False, True])
def test_a_state_that_nobody_may_read_yet_is_folded_in_large_batches(
    tmp_path: Path, from_archive: bool
) -> None:
    own = replace(spec(tmp_path, upkeep=SEALING), rebuilt_records=450)
    project(own, webhooks(600))
    with owned(own) as partition:
        if from_archive:
            _archive(partition)
        partition.rebuild()
        append(own.directory, webhooks(300, first=600))

        batches = iter(lambda: partition.project_batch(NOW), 0)

        assert list(batches) == [450, 150, 128, 128, 44]


def test_a_batch_of_a_rebuild_holds_no_more_bytes_than_wanted_but_for_one_record(
    tmp_path: Path,
) -> None:
    records = webhooks(600)
    own = replace(spec(tmp_path, upkeep=SEALING), rebuilt_bytes=200 * len(records[-1].body))
    project(own, records)
    with owned(own) as partition:
        _archive(partition)
        partition.rebuild()

        assert 200 <= partition.project_batch(NOW) <= 205  # bodies of the first are a bit shorter


def test_an_archive_file_is_opened_once_by_a_rebuild(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(spec(tmp_path, upkeep=BUSY), rebuilt_records=10)
    project(own, webhooks(300))
    read, firsts = archive.read, []

    def noted(directory: Path, segment: Segment, first: int) -> Iterator[tuple[int, Record]]:
        firsts.append((segment.file, first))
        return read(directory, segment, first)

    with owned(own) as partition:
        _archive(partition)
        monkeypatch.setattr(archive, "read", noted)
        partition.rebuild()
        settle(partition)

        segments = partition.tail.segments()
    assert firsts == [(each.file, each.first) for each in segments]


def test_a_rebuild_that_is_stopped_on_its_way_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path,
) -> None:
    own = replace(spec(tmp_path, upkeep=BUSY), rebuilt_records=70)
    project(own, _mixed(300))
    with owned(own) as partition:
        _archive(partition)
        before = rows(partition.state)
        partition.rebuild()
        partition.project_batch(NOW)
    with owned(own) as partition:
        assert (partition.applied, partition.is_readable) == (70, False)
        settle(partition)

        assert partition.generation.number == 2
        assert rows(partition.state) == before


def test_folded_twice_is_folded_once(tmp_path: Path) -> None:
    own = spec(tmp_path)
    with owned(own) as partition:
        append(own.directory, webhooks(5))
        behind = partition._next(NOW)
        settle(partition)
        before = rows(partition.state)

        partition._fold(behind)

        assert (rows(partition.state), partition.applied) == (before, 5)


def test_the_size_of_batches_is_no_part_of_the_state(tmp_path: Path) -> None:
    small = replace(spec(tmp_path / "small"), batch_records=7)
    project(small, webhooks(100))
    project(spec(tmp_path / "large"), webhooks(100))

    assert _stored(small) == _stored(spec(tmp_path / "large"))


@pytest.mark.parametrize("from_snapshot", [False, True])
@pytest.mark.parametrize("from_archive", [False, True])
def test_a_rebuilt_state_is_the_same_bytes(
    tmp_path: Path, from_snapshot: bool, from_archive: bool
) -> None:
    own = spec(tmp_path, upkeep=BUSY)
    project(own, _mixed(300))
    with owned(own) as partition:
        if from_snapshot:
            snapshot.take(partition.state, own.directory / "snapshots")
        if from_archive:
            _archive(partition)
        append(own.directory, _mixed(50, first=300))
        settle(partition)
        before = rows(partition.state)

        partition.rebuild()
        settle(partition)

        assert partition.generation.number == 2
        assert rows(partition.state) == before


def test_while_a_state_is_rebuilt_reads_say_how_far_it_is(tmp_path: Path) -> None:
    own = replace(spec(tmp_path), rebuilt_records=40)
    project(own, webhooks(100))
    with owned(own) as partition, closing(PartitionReader(partition.tail)) as reader:
        partition.rebuild()
        told = []
        for _ in range(3):
            with pytest.raises(RebuildingError) as caught, reader.read():
                pass
            told.append((caught.value.applied, caught.value.head))
            partition.project_batch(NOW)

        assert told == [(0, 100), (40, 100), (80, 100)]
        with reader.read() as view:
            assert view.applied() == 100


def test_what_comes_in_during_a_rebuild_does_not_keep_readers_waiting(tmp_path: Path) -> None:
    own = spec(tmp_path)
    project(own, webhooks(100))
    with owned(own) as partition:
        partition.rebuild()
        append(own.directory, webhooks(400, first=100))
        partition.project_batch(NOW)

        assert partition.is_readable


def test_a_state_that_was_left_in_order_is_taken_as_it_is(tmp_path: Path) -> None:
    own = spec(tmp_path)
    project(own, webhooks(10))

    with owned(own) as partition:
        assert (partition.generation.number, partition.applied) == (1, 10)
        assert partition.is_readable


def _move_mark(directory: Path, **fields: str) -> None:
    present = ownership.here(directory)
    ownership.mark_running(directory, msgspec.structs.replace(present, **fields))


@pytest.mark.parametrize(
    ("left", "generation"),
    [
        pytest.param(lambda path: _move_mark(path), 1, id="killed on this boot"),
        pytest.param(lambda path: _move_mark(path, boot="x"), 2, id="before a reboot"),
        pytest.param(lambda path: _move_mark(path, machine="x"), 2, id="on another machine"),
        pytest.param(lambda path: _move_mark(path, filesystem="x"), 2, id="on another disk"),
        pytest.param(lambda path: (path / "running.json").write_bytes(b"?"), 2, id="damaged mark"),
    ],
)
def test_a_state_that_may_not_be_on_the_disk_is_discarded_and_rebuilt(
    tmp_path: Path, left: Callable[[Path], None], generation: int
) -> None:
    own = spec(tmp_path)
    project(own, webhooks(10))
    before = _stored(own)
    left(own.directory)

    with owned(own) as partition:
        assert partition.generation.number == generation
        assert partition.is_readable is (generation == 1)
        settle(partition)
        assert kept_rows(partition.state) == before
        assert [path.name for path in own.directory.glob("state.g*")] == [f"state.g{generation}"]


def test_a_mark_of_another_boot_is_not_renewed_before_the_state_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = spec(tmp_path)
    project(own, webhooks(10))
    _move_mark(own.directory, boot="before")
    with monkeypatch.context() as dying:
        dying.setattr(snapshot, "restore_newest", _die)
        with pytest.raises(SystemExit), owned(own):
            pass

    mark = ownership.left_running(own.directory)

    assert mark is not None
    assert (mark.boot, mark.starts) == ("before", (NOW,))


def _projected_by(version: int, own: PartitionSpec) -> None:
    """Write a state as another version of the projection would have."""
    project(own, webhooks(10))
    with closing(State(own.directory / "state.g1")) as state, state.environment.write() as writing:
        state.set_fact(writing, "version", version)


def _messages_seen(own: PartitionSpec) -> int:
    """Return how many messages another process than its owner finds."""
    with (
        closing(LogTail(own.directory)) as tail,
        closing(PartitionReader(tail)) as reader,
        reader.read() as view,
    ):
        return view.counts()["messages"]


def test_a_state_that_cannot_be_read_any_more_is_folded_again_before_it_is_served(
    tmp_path: Path,
) -> None:
    own = spec(tmp_path)
    _projected_by(READABLE_SINCE - 1, own)
    with pytest.raises(RebuildingError):
        _messages_seen(own)  # by who comes before its owner

    with owned(own) as partition, closing(PartitionReader(partition.tail)) as reader:
        with pytest.raises(RebuildingError), reader.read():
            pass
        settle(partition)
        with reader.read() as view:
            assert view.counts()["messages"] == 10
        origin = partition.state.origin
        assert (partition.generation.number, partition.state.version) == (2, PROJECTION_VERSION)
        assert origin is not None
        assert (origin.kind, origin.until) == ("upgrade", 10)


def test_a_state_of_an_earlier_projection_is_gone_on_with(tmp_path: Path) -> None:
    own = spec(tmp_path)
    _projected_by(READABLE_SINCE, own)

    with owned(own) as partition, closing(PartitionReader(partition.tail)) as reader:
        append(own.directory, webhooks(5, first=10))
        settle(partition)
        with reader.read() as view:
            assert view.counts()["messages"] == 15
        assert (partition.generation.number, partition.state.version) == (1, READABLE_SINCE)


def test_a_state_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    own = spec(tmp_path)
    _projected_by(PROJECTION_VERSION + 1, own)

    for _ in range(2):
        with pytest.raises(NewerStateError), owned(own):
            pass
    with pytest.raises(NewerStateError):
        _messages_seen(own)

    with closing(State(own.directory / "state.g1")) as state:
        assert (state.version, state.applied) == (PROJECTION_VERSION + 1, 10)


def test_a_state_that_is_gone_is_rebuilt_before_anybody_reads_an_empty_one(tmp_path: Path) -> None:
    own = spec(tmp_path)
    project(own, webhooks(10))
    shutil.rmtree(own.directory / "state.g1")

    with owned(own) as partition, closing(PartitionReader(partition.tail)) as reader:
        with pytest.raises(RebuildingError), reader.read():
            pass
        settle(partition)
        with reader.read() as view:
            assert view.conversation_count() == 7


def test_after_several_starts_without_an_end_a_damaged_state_is_looked_for(tmp_path: Path) -> None:
    own = spec(tmp_path)
    project(own, webhooks(10))
    before = _stored(own)
    with closing(State(own.directory / "state.g1")) as state, state.environment.write() as writing:
        handle = state.environment.tables["contacts"]
        key, value = next(iter(writing.cursor(handle)))
        writing.put(key, value[:-1], db=handle)
    present = ownership.here(own.directory)
    starts = tuple(NOW - 1_000 * n for n in (3, 2, 1))
    ownership.mark_running(own.directory, msgspec.structs.replace(present, starts=starts))

    with owned(own) as partition:
        settle(partition)
        assert partition.generation.number == 2
        assert kept_rows(partition.state) == before


@pytest.mark.parametrize("deadly", ["LogTail", "State", "_newest_state"])
def test_a_start_is_counted_before_anything_is_opened_that_may_kill_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deadly: str
) -> None:
    own = spec(tmp_path)
    project(own, webhooks(10))
    with monkeypatch.context() as dying:
        dying.setattr(f"airy_ray.partition.opening.{deadly}", _die)
        for start in range(3):
            with pytest.raises(SystemExit), owned(own, NOW + start):
                pass

    mark = ownership.left_running(own.directory)

    assert mark is not None
    assert mark.starts == (NOW, NOW + 1, NOW + 2)


@pytest.mark.parametrize("table", ["conversations", "message_keys", "unread"])
def test_a_damaged_row_that_folding_meets_has_the_state_rebuilt(tmp_path: Path, table: str) -> None:
    own = spec(tmp_path)
    project(own, [webhook("a")])
    with owned(own) as partition:
        handle = partition.state.environment.tables[table]
        with partition.state.environment.write() as transaction:
            key, value = next(iter(transaction.cursor(handle)))
            transaction.put(key, value[:-1] + b"?", db=handle)
        append(own.directory, [webhook("a"), _read(), webhook("b", at=NOW + 2)])

        settle(partition)

        assert partition.generation.number == 2
        with reading(partition.state.environment) as view:
            found = view.conversation(builders.conversation_id())
            assert found is not None
            assert (found.message_count, found.unread_count) == (2, 1)


def _failing(error: type[BaseException]) -> Callable[..., Effect]:

    def project_or_fail(view: View, event: Event, at: Any) -> Effect:
        effect = project_event(view, event, at)
        content = getattr(getattr(event, "message", None), "content", b"")
        if b"poison" in content:
            raise error(content)
        return effect

    return project_or_fail


def test_a_record_that_cannot_be_projected_is_put_aside_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold, "project", _failing(KeyError))
    own = spec(tmp_path)
    project(own, [webhook("a"), webhook("poison"), webhook("b"), webhook("poison 2"), webhook("c")])

    with owned(own) as partition, reading(partition.state.environment) as view:
        faults = view.quarantine()
        assert [offset for offset, _ in faults] == [1, 3]
        assert [entry.verdict for _, entry in view.ledger(None, 9)][::-1] == [
            *("applied", "quarantined", "applied", "quarantined", "applied")
        ]
        assert {change.message_id for _, change in view.changes(-1, 99)} == {
            *(builders.message_id(name) for name in "abc"),
            None,
        }
        assert view.message(builders.message_id("poison")) is None
        conversation = view.conversation(builders.conversation_id())
        assert conversation is not None
        assert (conversation.message_count, conversation.unread_count) == (3, 3)


def test_a_fault_tells_where_it_happened_but_nothing_of_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold, "project", _failing(KeyError))
    own = spec(tmp_path)
    project(own, [webhook("poison")])

    with owned(own) as partition, reading(partition.state.environment) as view:
        _, fault = view.quarantine()[0]
    assert (fault.error, fault.at) == ("KeyError", NOW * 1_000)
    assert "project_or_fail" in fault.traceback
    assert "text of poison" not in fault.traceback + fault.error


@pytest.mark.parametrize("offset", [0, 255, 256, 299])
def test_a_record_is_put_aside_wherever_in_its_batch_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    monkeypatch.setattr(fold, "project", _failing(ValueError))
    records = webhooks(300)
    records[offset] = webhook("poison")
    own = spec(tmp_path)
    project(own, records)

    with owned(own) as partition, reading(partition.state.environment) as view:
        assert [each for each, _ in view.quarantine()] == [offset]
        assert view.counts()["messages"] == 299


def test_running_out_of_memory_is_not_the_record_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = spec(tmp_path)
    with owned(own) as partition:
        append(own.directory, [webhook("a"), webhook("poison")])
        with monkeypatch.context() as short:
            short.setattr(fold, "project", _failing(MemoryError))
            with pytest.raises(MemoryError):
                partition.project_batch(NOW)
        assert partition.applied == 0

        settle(partition)

        with reading(partition.state.environment) as view:
            assert (view.quarantine(), view.counts()["messages"]) == ([], 2)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param("command", b"{", id="command that does not decode"),
        pytest.param("command", b'{"command":"unheard of"}', id="unknown command"),
        pytest.param("timer", b"\xff", id="timer"),
        pytest.param("outcome", b"", id="outcome"),
        pytest.param("forward", b"\x00", id="forward"),
    ],
)
def test_what_cannot_be_understood_is_put_aside(tmp_path: Path, kind: Any, body: bytes) -> None:
    own = spec(tmp_path)
    project(own, [builders.record(body, kind=kind), webhook("a")])

    with owned(own) as partition, reading(partition.state.environment) as view:
        assert [offset for offset, _ in view.quarantine()] == [0]
        assert view.counts()["messages"] == 1


@pytest.mark.parametrize(
    ("write", "key"), [("put", b""), ("put", b"k" * 512), ("delete", b"")], ids=repr
)
def test_what_asks_for_a_row_that_cannot_be_stored_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str, key: bytes
) -> None:
    """The database refuses such keys only when the whole batch is written."""

    def spoiling(view: View, event: Event, at: Millis) -> Effect:
        if at == NOW + 1:
            view.tags.delete(key) if write == "delete" else view.unread.put(key, b"")
        return project_event(view, event, at)

    monkeypatch.setattr(fold, "project", spoiling)
    own = spec(tmp_path)
    project(own, [webhook(name, contact=name, at=NOW + at) for at, name in enumerate("abc")])

    with owned(own) as partition, reading(partition.state.environment) as view:
        assert [offset for offset, _ in view.quarantine()] == [1]
        assert view.counts()["messages"] == 2


def test_a_command_that_is_put_aside_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold, "carry_out", _die_of(KeyError))
    own = spec(tmp_path)
    project(own, [_read()])

    with owned(own) as partition, reading(partition.state.environment) as view:
        answer = view.answer(builders.command_id())
        assert answer is not None
        assert answer.status == 500


def test_a_timer_that_is_due_becomes_a_record_and_has_its_effect_once(tmp_path: Path) -> None:
    own = spec(tmp_path)
    body = fold.encode_event(builders.echo_received("e"))
    with owned(own) as partition:
        append(own.directory, [builders.record(body, kind="outcome", source="")])
        settle(partition)
        due = partition.next_due()
        assert due is not None
        assert partition.fall_due(due) == 0

        fallen = [partition.fall_due(Millis(due + 1)) for _ in range(2)]
        settle(partition)

        assert fallen == [1, 1], "a record each until the first is folded"
        assert (partition.tail.head, partition.next_due()) == (3, None)
        with reading(partition.state.environment) as view:
            assert view.counts()["messages"] == 1
            assert view.ledger(None, 1)[0][1].reasons == ("fell before",)


def _stored(own: PartitionSpec) -> dict[str, list[tuple[bytes, bytes]]]:
    """Return what the newest generation of a partition that nobody owns holds."""
    newest = max(own.directory.glob("state.g*"), key=lambda path: int(path.name[7:]))
    with closing(State(newest)) as state:
        return kept_rows(state)


def _archive(partition: Partition) -> None:
    """Let the tail go of all it can, to the archive."""
    for _ in range(99):
        care(partition, NOW + 10_000)
    assert partition.tail.first == partition.tail.head - 1


def _mixed(count: int, first: int = 0) -> list[Record]:
    """Return messages, with a command and an event now and then."""
    records = webhooks(count, first=first)
    for number in range(0, count, 10):
        records[number] = _read(str(first + number), f"contact-{number % 7}")
        values = {"contact.display_name": b'"Name %d"' % number}
        told = builders.conversation_described(values, contact=f"contact-{number % 7}")
        body = fold.encode_event(told)
        records[number + 5] = builders.record(body, kind="outcome", source="")
    return records


def _read(seed: str = "a command", contact: str = builders.ADA) -> Record:
    identifier = format_id(builders.command_id(seed))
    conversation = format_id(builders.conversation_id(contact))
    command = MarkRead(id=identifier, conversation_id=conversation)
    return builders.command_record(command, at=NOW + 1)


def _die(*_: object, **__: object) -> NoReturn:
    raise SystemExit


def _die_of(error: type[Exception]) -> Callable[..., NoReturn]:
    def die(*_: object, **__: object) -> NoReturn:
        raise error

    return die
