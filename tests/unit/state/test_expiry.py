"""Rows that have served their time: gone by age, whatever is younger stays."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airy_ray.clock import Millis
from airy_ray.model.commands import MarkRead
from airy_ray.model.ids import format_id
from airy_ray.partition.fold import encode_event
from airy_ray.partition.partition import Partition
from airy_ray.projections import keys
from airy_ray.rawlog.record import Record
from airy_ray.state.expiry import Cutoffs, expire
from tests import builders
from tests.log_builders import NOW, append, kept_rows, owned, rows, settle, spec, webhooks

NEVER = Cutoffs(*[Millis(0)] * 6)
COUNT = 1_200
"""More than one step of deleting takes."""


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    """One message a millisecond, then as many commands, an orphan and an early receipt."""
    own = spec(tmp_path)
    waits = encode_event(builders.waiting_for(b"channel", at=NOW + COUNT))
    receipt = encode_event(builders.receipt_received("seen", "unknown"))
    append(own.directory, webhooks(COUNT))
    append(own.directory, [_mark_read(number) for number in range(COUNT)])
    for body in (waits, receipt):
        append(own.directory, [builders.record(body, kind="outcome", source="", at=NOW + COUNT)])
    with owned(own) as opened:
        settle(opened)
        yield opened


def counts(partition: Partition) -> dict[str, int]:
    return {name: len(held) for name, held in rows(partition.state).items()}


def test_nothing_goes_before_its_time(partition: Partition) -> None:
    before = rows(partition.state)

    assert expire(partition.state, NEVER, forwarded=0) == 0
    assert kept_rows(partition.state) == {n: before[n] for n in kept_rows(partition.state)}


@pytest.mark.parametrize(
    ("table", "cutoff", "left"),
    [
        pytest.param("ledger", NOW + 500, 2 * COUNT + 2 - 500, id="ledger"),
        pytest.param("requests", NOW + COUNT + 700, COUNT - 700, id="requests"),
        pytest.param("audit", NOW + COUNT + 700, COUNT - 700, id="audit"),
        pytest.param("orphans", NOW + COUNT, 1, id="an orphan in its time"),
        pytest.param("orphans", NOW + COUNT + 1, 0, id="orphans"),
        pytest.param("receipts", NOW + COUNT + 1, 0, id="receipts"),
    ],
)
def test_what_was_received_before_an_instant_goes(
    partition: Partition, table: str, cutoff: int, left: int
) -> None:
    before = counts(partition)
    gone = expire(partition.state, replace(NEVER, **{table: Millis(cutoff)}), forwarded=0)

    after = counts(partition)
    assert after[table] == left
    assert gone == before[table] - left
    assert {n: c for n, c in after.items() if n not in (table, "meta")} == {
        n: c for n, c in before.items() if n not in (table, "meta")
    }


def test_the_feed_goes_by_the_records_that_its_entries_are_of(partition: Partition) -> None:
    expire(partition.state, replace(NEVER, changes=Millis(NOW + 500)), forwarded=0)

    first = rows(partition.state)["changes"][0][0]
    assert int.from_bytes(first, "big") == keys.sequence(500)


def test_answers_go_in_several_rounds(partition: Partition) -> None:
    for at in (NOW + COUNT + 10, NOW + COUNT + 10, NOW + COUNT + 900):
        expire(partition.state, replace(NEVER, requests=Millis(at)), forwarded=0)

    assert counts(partition)["requests"] == COUNT - 900


def test_the_rest_is_the_same_as_if_nothing_had_gone(partition: Partition) -> None:
    before = kept_rows(partition.state)
    late = Millis(NOW + 10 * COUNT)
    expire(partition.state, Cutoffs(late, late, late, late, late, late), forwarded=1 << 40)

    after = kept_rows(partition.state)
    assert {n: r for n, r in after.items() if n != "meta"} == {
        n: r for n, r in before.items() if n != "meta"
    }


def _mark_read(number: int) -> Record:
    conversation = format_id(builders.conversation_id(f"contact-{number % 7}"))
    command = MarkRead(id=format_id(builders.command_id(str(number))), conversation_id=conversation)
    return builders.command_record(command, at=NOW + COUNT + number)
