"""A timer whose effect fails: tried once, found in quarantine, and retried, dropped or erased."""

from collections.abc import Iterator

import pytest

from airy_ray.clock import Millis
from airy_ray.model.commands import DropRecord, EraseContact, RetryRecord
from airy_ray.model.ids import contact_id, format_id
from airy_ray.partition import fold
from airy_ray.partition.fold import encode_event
from airy_ray.partition.ledger import RETRIABLE
from airy_ray.partition.partition import Partition
from airy_ray.projections.messages import Effect
from airy_ray.rawlog.record import prepare
from airy_ray.replay.order import Order
from airy_ray.replay.selection import Selection
from airy_ray.state.queries import reading
from tests import builders
from tests.builders import NOW
from tests.log_builders import owned, rows, settle, spec, webhook
from tests.replaying import replayed, rest

LATER = Millis(NOW + 1_000_000)
RECORDS = 2
"""The message that makes the conversation, and the echo that waits."""


@pytest.fixture
def partition(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Partition]:
    """A partition with a timer that fell due and failed."""
    with owned(spec(tmp_path_factory.mktemp("timers"))) as opened:
        body = encode_event(builders.echo_received("e"))
        told = [webhook("m"), builders.record(body, kind="outcome", source="")]
        opened.tail.append([prepare(each) for each in told])
        rest(opened, NOW)
        with monkeypatch.context() as broken:
            broken.setattr(fold, "project", _fail)
            assert [opened.fall_due(LATER) for _ in range(2)] == [1, 1]
            rest(opened, LATER)
        yield opened


def _fail(*_: object) -> Effect:
    raise KeyError


def order(partition: Partition, kind: type[RetryRecord | DropRecord]) -> None:
    """Have the one record in quarantine retried or dropped."""
    ((offset, _),) = quarantined(partition)
    identifier = format_id(builders.command_id(f"{kind} {offset}"))
    asked = kind(id=identifier, record_id=f"{partition.spec.name}:{offset}")
    partition.tail.append([prepare(builders.command_record(asked))])
    rest(partition, LATER)


def quarantined(partition: Partition) -> list[tuple[int, object]]:
    with reading(partition.state.environment) as view:
        return list(view.quarantine())


def count_messages(partition: Partition) -> int:
    with reading(partition.state.environment) as view:
        return view.counts()["messages"]


def test_it_is_tried_once_and_is_in_quarantine_once(partition: Partition) -> None:
    assert [offset for offset, _ in quarantined(partition)] == [RECORDS]
    assert (partition.fall_due(LATER), partition.next_due()) == (0, None)


def test_it_has_its_effect_when_it_is_retried(partition: Partition) -> None:
    assert "timer" in RETRIABLE
    order(partition, RetryRecord)

    assert (quarantined(partition), count_messages(partition)) == ([], 2)
    assert rows(partition.state)["timers"] == []


def test_one_that_fails_again_can_be_retried_again(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(fold, "project", _fail)
        order(partition, RetryRecord)
    assert (partition.fall_due(LATER), len(quarantined(partition))) == (0, 1)

    order(partition, RetryRecord)

    assert (quarantined(partition), count_messages(partition)) == ([], 2)


def test_nothing_is_left_of_one_that_is_dropped(partition: Partition) -> None:
    order(partition, DropRecord)

    assert (quarantined(partition), count_messages(partition)) == ([], 1)
    assert rows(partition.state)["timers"] == []


def test_nothing_is_left_of_one_whose_conversation_is_erased(partition: Partition) -> None:
    asked = EraseContact(
        id=format_id(builders.command_id("erase")),
        contact_ids=(format_id(contact_id(builders.conversation_id())),),
        conversation_ids=(format_id(builders.conversation_id()),),
    )
    partition.tail.append([prepare(builders.command_record(asked))])
    settle(partition, LATER)

    assert rows(partition.state)["timers"] == []


@pytest.mark.parametrize("selection", [Selection(), Selection(is_quarantined=True)])
def test_history_that_is_processed_again_repairs_it(
    partition: Partition, selection: Selection
) -> None:
    replayed(partition, Order(1, "swap", selection), until="swapped")

    assert (quarantined(partition), count_messages(partition)) == ([], 2)
    assert rows(partition.state)["timers"] == []
