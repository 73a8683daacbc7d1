"""Retention: conversations go so long after their newest message, by the rule for their source."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airy_ray.clock import Millis
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition import retention
from airy_ray.partition.partition import Partition
from airy_ray.partition.retention import append_due, outlook
from airy_ray.partition.spec import PartitionSpec, Retention, Rule
from airy_ray.partition.upkeep import Caretaker
from airy_ray.state.queries import reading
from tests import builders
from tests.builders import NOW
from tests.erasing import is_erased, shared, traces
from tests.log_builders import append, owned, settle, spec

DAY = 86_400_000
OLD, MIDDLE, NEW = "old-QQQ", "middle", "new"
LATER = Millis(NOW + 30 * DAY)


def ruled(own: PartitionSpec, *rules: Rule) -> PartitionSpec:
    return replace(own, retention=Retention(rules=rules))


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    """A partition whose conversations are 30, 20 and 1 day old at `LATER`."""
    own = spec(tmp_path)
    with owned(own) as opened:
        append(own.directory, [shared(1, OLD), shared(10 * DAY, MIDDLE), shared(29 * DAY, NEW)])
        append(own.directory, [shared(2, OLD, MIDDLE)])
        settle(opened)
        yield opened


def left(partition: Partition) -> list[str]:
    with reading(partition.state.environment) as view:
        return [
            contact
            for contact in (OLD, MIDDLE, NEW)
            if view.conversation(builders.conversation_id(contact)) is not None
        ]


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        pytest.param([], [OLD, MIDDLE, NEW], id="no rule"),
        pytest.param([Rule("*", 25 * DAY)], [MIDDLE, NEW], id="all sources"),
        pytest.param([Rule("facebook", 15 * DAY)], [NEW], id="its source"),
        pytest.param([Rule("google", 1)], [OLD, MIDDLE, NEW], id="another source"),
        pytest.param(
            [Rule("*", 1), Rule("facebook", 25 * DAY)], [MIDDLE, NEW], id="its source before all"
        ),
        pytest.param([Rule("*", 0)], [], id="everything"),
    ],
)
def test_what_is_older_than_its_rule_goes(
    partition: Partition, rules: list[Rule], kept: list[str]
) -> None:
    partition.spec = ruled(partition.spec, *rules)
    assert append_due(partition, LATER) == 3 - len(kept)
    settle(partition, LATER)

    assert left(partition) == kept


def test_what_would_go_is_told_and_stays(partition: Partition) -> None:
    own = ruled(partition.spec, Rule("*", 15 * DAY))
    [told] = outlook([own], LATER)

    assert [due.conversation_id for due in told.due] == [
        builders.conversation_id(OLD),
        builders.conversation_id(MIDDLE),
    ]
    assert left(partition) == [OLD, MIDDLE, NEW]


def test_a_partition_that_has_not_begun_has_nothing_to_tell(tmp_path: Path) -> None:
    own = replace(spec(tmp_path), index=PartitionIndex(0), directory=tmp_path / "nothing")

    assert list(outlook([ruled(own, Rule("*", 1))], LATER)) == []


def test_who_writes_before_the_erasure_is_folded_stays(partition: Partition) -> None:
    partition.spec = ruled(partition.spec, Rule("*", 25 * DAY))
    append(partition.spec.directory, [shared(30 * DAY - 5, OLD)])  # nobody has folded it yet
    append_due(partition, LATER)
    settle(partition, LATER)

    assert left(partition) == [OLD, MIDDLE, NEW]


def test_a_message_that_was_sent_after_the_rule_begins_the_conversation_anew(
    partition: Partition,
) -> None:
    partition.spec = ruled(partition.spec, Rule("*", 25 * DAY))
    append_due(partition, LATER)
    append(partition.spec.directory, [shared(30 * DAY - 5, OLD)])
    settle(partition, LATER)

    assert left(partition) == [OLD, MIDDLE, NEW]
    with reading(partition.state.environment) as view:
        assert len(view.messages(builders.conversation_id(OLD), None, 10)) == 1


def looked(partition: Partition, *after_ms: int) -> list[int]:
    """Return how many records there are more after a caretaker worked at some times."""
    caretaker = Caretaker(partition, LATER)
    head = partition.tail.head
    heads = []
    for each in after_ms:
        caretaker.retain(Millis(LATER + each))
        heads.append(partition.tail.head - head)
    return heads


def test_the_caretaker_looks_once_a_day(partition: Partition) -> None:
    partition.spec = ruled(partition.spec, Rule("*", 25 * DAY))

    assert looked(partition, 0, 1, DAY - 1, DAY) == [1, 1, 1, 2]


def test_what_is_too_much_at_once_follows_an_hour_later(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CONVERSATIONS_MAX", 1)
    partition.spec = ruled(partition.spec, Rule("*", 0))
    assert looked(partition, 0, 3_599_999, 3_600_000) == [1, 1, 2]
    settle(partition, LATER)

    assert left(partition) == [MIDDLE, NEW]


def test_conversations_that_go_together_are_cut_out_of_the_log_together(
    partition: Partition, tmp_path: Path
) -> None:
    partition.spec = ruled(partition.spec, Rule("*", 15 * DAY))
    caretaker = Caretaker(partition, LATER)
    now = LATER
    for _ in range(10):
        caretaker.retain(now)
        settle(partition, now)
        caretaker.erase(now)
        partition.take_offered(now)
        now = Millis(now + 60_000)

    assert partition.tail.number == 2
    assert left(partition) == [NEW]
    assert traces(tmp_path, OLD) == []
    assert is_erased(partition, builders.conversation_id(OLD)) is True
