"""Erasure on the disk: no byte of the person is left anywhere, no byte of anybody else is lost."""

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Micros, Millis
from airy_ray.filters.fulltext import FullText
from airy_ray.model.ids import format_id
from airy_ray.partition import erasure as erasure_module
from airy_ray.partition import forwarding, generations, refold
from airy_ray.partition.finding import Damage
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec, Upkeep
from airy_ray.partition.upkeep import Caretaker
from airy_ray.partition.verify import verify
from airy_ray.rawlog import archive, tail
from airy_ray.rawlog.record import ERASED, Record
from airy_ray.rawlog.tail import LogTail
from airy_ray.state import snapshot
from airy_ray.state.queries import reading
from airy_ray.state.search.indexer import Indexer
from airy_ray.state.search.searching import SearchIndex
from airy_ray.state.state import State
from airy_ray.storage import child, excerpts
from airy_ray.storage.excerpts import Excerpt
from tests import builders
from tests.builders import NOW
from tests.erasing import (
    EVA,
    EVAS,
    EVAS_CONTACT,
    MARK,
    carry_out,
    erasure,
    is_erased,
    log_of,
    shared,
    traces,
    traffic,
)
from tests.log_builders import append, kept_rows, owned, settle, spec

COUNT = 120
WANTED = FullText((), "xyzzy")
ERASED_AT = NOW + 10_000
LATER = ERASED_AT + 60_000


@pytest.fixture
def own(tmp_path: Path) -> PartitionSpec:
    upkeep = Upkeep(segment_bytes=1 << 14, segment_age_ms=0, tail_records=20, sync_ms=0)
    return spec(tmp_path, upkeep=upkeep)


@pytest.fixture
def partition(own: PartitionSpec) -> Iterator[Partition]:
    """A partition with archive, tail, snapshot and an old generation, all of which know Eva."""
    with owned(own) as opened:
        records = list(traffic(COUNT))
        append(own.directory, records[:150])
        settle(opened, NOW)
        caretaker = Caretaker(opened, Millis(NOW))
        for _ in range(3):
            caretaker.seal(Millis(NOW + 1_000))
        caretaker.sync(Millis(NOW + 1_000))
        caretaker.trim()
        append(own.directory, records[150:])
        settle(opened, NOW)
        snapshot.take(opened.state, own.directory / "snapshots")
        answer_webhooks(own)
        yield opened


def answer_webhooks(own: PartitionSpec) -> None:
    """Have a webhook answer with what it was told of Eva."""
    own.answers.mkdir()
    excerpts.write(own.answers / "hook", {0: Excerpt(1, EVAS, MARK.encode())})


def erase(partition: Partition) -> None:
    append(partition.spec.directory, [erasure(ERASED_AT)])
    carry_out(partition, LATER)


def damages(spec: PartitionSpec, scratch: Path) -> list[str]:
    scratch.mkdir(exist_ok=True)
    return [
        f"{each.file}: {each.problem}"
        for each in verify([spec], scratch, deep=True)
        if isinstance(each, Damage)
    ]


def test_before_an_erasure_the_person_is_everywhere(partition: Partition, tmp_path: Path) -> None:
    found = " ".join(traces(tmp_path))

    for place in ("log.1/data.mdb", "state.g1/data.mdb", "snapshots/", ".parquet: offset"):
        assert place in found


def test_nothing_of_an_erased_person_is_left_in_any_file(
    partition: Partition, tmp_path: Path
) -> None:
    erase(partition)

    assert traces(tmp_path) == []


def test_nothing_is_left_in_a_file_whose_owner_was_killed_before_it_was_named(
    partition: Partition, tmp_path: Path
) -> None:
    own, first = partition.spec, partition.tail.segments()[-1].last + 1
    archive.seal(own.archive, own.index, partition.tail.read(first, 30))
    erase(partition)

    assert traces(tmp_path) == []


def test_who_had_what_done_stays_known_when_the_log_is_folded_again(partition: Partition) -> None:
    with reading(partition.state.environment) as view:
        before = view.audit(None, 1_000)
    erase(partition)
    for _ in range(2):
        with reading(partition.state.environment) as view:
            after = view.audit(None, 1_000)
        assert len(before) > 20
        assert after[1:] == before
        assert (after[0][1].action, after[0][1].subject) == (
            "contacts.erase",
            format_id(EVAS_CONTACT),
        )
        partition.rebuild()
        settle(partition, LATER)


def test_the_search_index_of_the_old_state_goes_with_it(partition: Partition) -> None:
    indexer = Indexer(partition.state)
    while indexer.step():
        pass
    assert SearchIndex(partition.state.path).search(WANTED, 1).total > 0
    indexer.give_up()
    old = partition.state.path
    erase(partition)
    fresh = Indexer(partition.state)
    while fresh.step():
        pass

    assert not old.exists()
    assert SearchIndex(partition.state.path).search(WANTED, 1).total == 0
    fresh.give_up()


def test_an_old_state_that_somebody_still_writes_to_is_deleted_before_all_is_done(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(partition.spec.directory, [erasure(ERASED_AT)])
    settle(partition, LATER)
    with monkeypatch.context() as patched:
        patched.setattr(generations, "drop_older", lambda *_: None)
        with pytest.raises(AssertionError, match="does not come to an end"):
            carry_out(partition, LATER)
        assert is_erased(partition) is False
    carry_out(partition, LATER)

    assert list(partition.spec.directory.glob("state.g*")) == [partition.state.path]


def test_an_erased_log_and_state_are_whole(
    partition: Partition, own: PartitionSpec, tmp_path: Path
) -> None:
    erase(partition)

    assert damages(own, tmp_path / "scratch") == []


def test_others_keep_every_row_as_it_was(partition: Partition) -> None:
    with reading(partition.state.environment) as view:
        before = {
            contact: view.messages(builders.conversation_id(contact), None, 1_000)
            for contact in ("ada", "bob", "cy")
        }
        conversations = {
            contact: view.conversation(builders.conversation_id(contact)) for contact in before
        }
    erase(partition)
    with reading(partition.state.environment) as view:
        for contact, messages in before.items():
            identifier = builders.conversation_id(contact)
            assert view.messages(identifier, None, 1_000) == messages
            assert view.conversation(identifier) == conversations[contact]


def test_others_records_keep_every_byte(partition: Partition, own: PartitionSpec) -> None:
    before = log_of(own)
    erase(partition)
    after = log_of(own)

    assert len(after) >= len(before)
    for old, new in zip(before, after, strict=False):
        assert (new.received_at, new.kind, new.payload_id) == (
            old.received_at,
            old.kind,
            old.payload_id,
        )
        if EVA.encode() not in old.body and names(old) and names(old) <= {"ada", "bob", "cy"}:
            assert new == old
        if names(old) == {"ada", EVA, "bob"}:
            for other in ("ada", "bob"):
                assert f"of {other}".encode() in new.body
        if names(old) == {EVA}:
            assert new.body == ERASED


def names(record: Record) -> set[str]:
    return {route.conversation for route in record.routes}


def test_a_state_folded_again_from_the_rewritten_log_is_the_same(
    partition: Partition, own: PartitionSpec
) -> None:
    erase(partition)
    before = without_facts(partition)
    partition.rebuild()
    settle(partition, LATER)

    assert without_facts(partition) == before


def test_rows_are_gone_at_once(partition: Partition) -> None:
    append(partition.spec.directory, [erasure(ERASED_AT)])
    settle(partition, LATER)
    with reading(partition.state.environment) as view:
        assert view.conversation(EVAS) is None
        assert view.messages(EVAS, None, 10) == []

    assert is_erased(partition) is False


def test_nothing_is_rewritten_before_others_could_join(partition: Partition) -> None:
    append(partition.spec.directory, [erasure(ERASED_AT)])
    settle(partition, LATER)
    caretaker = Caretaker(partition, Millis(ERASED_AT))
    caretaker.erase(Millis(ERASED_AT + 4_999))

    assert partition.tail.number == 1


@pytest.mark.parametrize("count", [3, 300])
def test_what_is_appended_while_the_log_is_rewritten_is_kept(
    partition: Partition, own: PartitionSpec, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    append(own.directory, [erasure(ERASED_AT)])
    settle(partition, LATER)
    original = LogTail.replace
    late = [shared(500 + number, "ada") for number in range(count)]
    with closing(LogTail(own.directory)) as other:

        def appending(tail: LogTail, *args: object) -> None:
            append(own.directory, late)
            original(tail, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(LogTail, "replace", appending)
        carry_out(partition, LATER)
        assert other.read(other.head - 1, 1) == partition.tail.read(partition.tail.head - 1, 1)

    assert log_of(own)[-count:] == late
    with reading(partition.state.environment) as view:
        assert view.message(builders.message_id("m-ada-502", contact="ada")) is not None


def test_a_late_retry_is_dropped_and_swept_out_of_the_log(
    partition: Partition, own: PartitionSpec, tmp_path: Path
) -> None:
    erase(partition)
    late = shared(700, "ada", EVA, at=NOW + 700)
    append(own.directory, [replace_received(late, LATER)])
    settle(partition, LATER)
    with reading(partition.state.environment) as view:
        assert view.conversation(EVAS) is None
        assert view.message(builders.message_id("m-ada-700", contact="ada")) is not None
    assert traces(tmp_path) != []

    sweep_at = LATER + 3_600_001
    assert partition.fall_due(Millis(sweep_at)) == 1
    settle(partition, sweep_at)
    forward(partition, sweep_at)
    carry_out_all(partition, sweep_at + 10_000)

    assert traces(tmp_path) == []
    assert damages(own, tmp_path / "scratch") == []
    with reading(partition.state.environment) as view:
        assert view.message(builders.message_id("m-ada-700", contact="ada")) is not None


def test_who_writes_again_begins_anew(partition: Partition, own: PartitionSpec) -> None:
    erase(partition)
    append(own.directory, [shared(LATER - NOW, EVA), replace_received(shared(8, EVA), LATER + 1)])
    settle(partition, LATER + 5)
    with reading(partition.state.environment) as view:
        present = view.conversation(EVAS)
        messages = view.messages(EVAS, None, 10)

    assert present is not None
    assert (present.message_count, present.erased_at) == (1, ERASED_AT)
    assert [message.sent_at for message in messages] == [LATER]


def test_an_erasure_of_who_began_anew_takes_that_too(
    partition: Partition, own: PartitionSpec, tmp_path: Path
) -> None:
    erase(partition)
    append(own.directory, [shared(LATER - NOW, EVA, "ada")])
    settle(partition, LATER + 5)
    append(own.directory, [erasure(LATER + 10, "again")])
    settle(partition, LATER + 20)
    carry_out(partition, LATER + 60_000)

    assert traces(tmp_path) == []


def test_a_partition_that_knows_nothing_of_the_person_rewrites_nothing(tmp_path: Path) -> None:
    own = spec(tmp_path)
    with owned(own) as partition:
        append(own.directory, [shared(number, "ada") for number in range(20)])
        append(own.directory, [erasure(ERASED_AT)])
        carry_out(partition, LATER)

        assert (partition.tail.number, partition.generation.number) == (1, 1)


def without_facts(partition: Partition) -> dict[str, list[tuple[bytes, bytes]]]:
    """Return the rows that the log makes."""
    return {name: rows for name, rows in kept_rows(partition.state).items() if name != "meta"}


STEPS = [
    pytest.param(archive, "seal_beside", 1, id="before a file is written"),
    pytest.param(LogTail, "replace", 1, id="before the log is replaced"),
    pytest.param(tail, "path_of", 2, id="while the log is replaced"),
    pytest.param(archive, "take_over", 2, id="before files are put in place"),
    pytest.param(erasure_module, "drop_snapshots", 1, id="before snapshots go"),
    pytest.param(refold, "fold_again", 1, id="before the log is folded"),
    pytest.param(generations, "set_live", 1, id="before the new state is live"),
    pytest.param(generations, "drop_older", 1, id="before the old state goes"),
    pytest.param(erasure_module, "drop_snapshots", 2, id="before the rest goes"),
    pytest.param(LogTail, "drop_left", 1, id="before the old log goes"),
    pytest.param(State, "set_fact", 1, id="before readers are told"),
]


@pytest.mark.parametrize("with_repair", [False, True])
@pytest.mark.parametrize(("where", "step", "time"), STEPS)
def test_an_erasure_that_broke_off_at_any_step_is_finished_by_the_next_owner(
    own: PartitionSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    step: str,
    time: int,
    with_repair: bool,
) -> None:
    with owned(own) as partition:
        append(own.directory, [*traffic(60), erasure(ERASED_AT)])
        settle(partition, LATER)
        caretaker = Caretaker(partition, Millis(NOW))
        caretaker.seal(Millis(NOW + 1_000))
        snapshot.take(partition.state, own.directory / "snapshots")
        before = log_of(own)
        with monkeypatch.context() as patched:
            patched.setattr(child, "results", lambda work, *args: work(*args))
            break_off(patched, where, step, time)
            with suppress(ZeroDivisionError):
                carry_out(partition, LATER)
                raise AssertionError("nothing broke off")
        if with_repair:
            partition.tail.distrust()
    with owned(own) as partition:
        settle(partition, LATER)
        carry_out(partition, LATER + 120_000)
        after = log_of(own)

    assert traces(tmp_path) == []
    assert damages(own, tmp_path / "scratch") == []
    assert [record.payload_id for record in after] == [record.payload_id for record in before]


def break_off(patched: pytest.MonkeyPatch, where: Any, name: str, time: int) -> None:
    """Have a function raise when it is called for the so-manieth time."""
    original = getattr(where, name)
    calls = []

    def breaking(*args: Any, **named: Any) -> Any:
        calls.append(name)
        if len(calls) == time:
            raise ZeroDivisionError
        return original(*args, **named)

    patched.setattr(where, name, breaking)


def replace_received(record: Record, at: int) -> Record:
    return msgspec.structs.replace(record, received_at=Micros(at * 1_000))


def _nothing(_: bytes) -> None:
    return None


def forward(partition: Partition, now: int) -> None:
    """Bring what is in the outbox into the partition's own log, as its owner does."""
    for sequence, outgoing in forwarding.pending(partition):
        forwards = forwarding.records_of(
            partition, sequence, outgoing, _nothing, _nothing, Micros(now * 1_000)
        )
        append(partition.spec.directory, [each.record for each in forwards])
        forwarding.mark_forwarded(partition, sequence)
    settle(partition, now)


def carry_out_all(partition: Partition, now: int) -> None:
    """Go on until no erasure is left, sweeps among them."""
    caretaker = Caretaker(partition, Millis(0))
    for _ in range(10):
        with reading(partition.state.environment) as view:
            if not view.erasures(view.erased_before(), 1):
                return
        caretaker.erase(Millis(now))
        partition.take_offered(Millis(now))
        settle(partition, now)
    raise AssertionError("an erasure does not come to an end")
