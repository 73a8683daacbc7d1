"""What a partition has for others: sent once it is folded, and folded there once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airy_ray.clock import Micros
from airy_ray.model.channel import Channel
from airy_ray.model.commands import ConnectChannel, DisconnectChannel
from airy_ray.model.events import Place
from airy_ray.model.ids import REGISTRY, ChannelId, format_id
from airy_ray.partition import forwarding
from airy_ray.partition.partition import Partition
from airy_ray.partition.routing import partitions_of, record_of
from airy_ray.rawlog.record import Record
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.source import Webhook
from airy_ray.state.queries import reading
from airy_ray.state.state import State
from tests import builders
from tests.log_builders import (
    NOW,
    append,
    kept_rows,
    messenger_item,
    owned,
    prepared,
    rows,
    settle,
    spec,
)

AT = Micros(NOW * 1_000)
COUNT = 2


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Partition]:
    own = replace(spec(tmp_path, count=COUNT), index=REGISTRY, directory=tmp_path / "registry")
    with owned(own) as partition:
        yield partition


@pytest.fixture
def partitions(tmp_path: Path) -> Iterator[list[Partition]]:
    owns = [spec(tmp_path, index=index, count=COUNT) for index in range(COUNT)]
    with owned(owns[0]) as first, owned(owns[1]) as second:
        yield [first, second]


def connected(_: ChannelId) -> Channel | None:
    return builders.channel()


def nowhere(_: bytes) -> Place | None:
    return None


def forward(source: Partition, targets: list[Partition], times: int = 1) -> int:
    """Forward all that waits, as an owner does; again, as one that died before its mark would."""
    pending = forwarding.pending(source)
    for _ in range(times):
        for sequence, outgoing in pending:
            for each in forwarding.records_of(source, sequence, outgoing, connected, nowhere, AT):
                targets[each.target].tail.append(prepared([each.record]))
    if pending:
        forwarding.mark_forwarded(source, pending[-1][0])
    for target in targets:
        settle(target)
    return len(pending)


def command(seed: str, *, connect: bool) -> Record:
    """Return the record of a command that connects our page, or disconnects it."""
    identifier = format_id(builders.command_id(seed))
    channel = format_id(builders.channel().id)
    if not connect:
        return builders.command_record(DisconnectChannel(id=identifier, channel_id=channel))
    asked = ConnectChannel(
        id=identifier, source="facebook", source_channel_id=builders.PAGE, channel_id=channel
    )
    return builders.command_record(asked)


def tell(registry: Partition, *records: Record) -> None:
    append(registry.spec.directory, records)
    settle(registry)


def test_a_connected_channel_is_told_to_every_partition(
    registry: Partition, partitions: list[Partition]
) -> None:
    tell(registry, command("connect", connect=True))
    forward(registry, partitions)

    for partition in partitions:
        record = partition.history.at(0)
        assert (record.kind, record.of) == ("channel", (REGISTRY, 0 + _index(registry)))
        assert len(rows(partition.state)["channels"]) == 1


def test_what_was_forwarded_is_not_pending_any_more(
    registry: Partition, partitions: list[Partition]
) -> None:
    tell(registry, command("connect", connect=True))

    assert [forward(registry, partitions) for _ in range(2)] == [1, 0]
    tell(registry, command("disconnect", connect=False))
    assert forward(registry, partitions) == 1


def test_forwarded_twice_is_folded_once(registry: Partition, partitions: list[Partition]) -> None:
    tell(registry, command("connect", connect=True))
    forward(registry, partitions, times=3)

    for partition in partitions:
        assert partition.tail.head == 3
        with reading(partition.state.environment) as view:
            assert [entry.verdict for _, entry in view.ledger(None, 9)] == [
                *("ignored", "ignored", "applied")
            ]


def test_an_old_forward_that_comes_again_does_not_undo_a_newer_one(
    registry: Partition, partitions: list[Partition]
) -> None:
    tell(registry, command("connect", connect=True))
    forward(registry, partitions)
    connect = partitions[0].history.at(0)
    tell(registry, command("disconnect", connect=False))
    forward(registry, partitions)
    before = kept_rows(partitions[0].state)["channels"]

    append(partitions[0].spec.directory, [connect])
    settle(partitions[0])

    assert kept_rows(partitions[0].state)["channels"] == before


def test_a_rebuild_forwards_nothing_again(registry: Partition, partitions: list[Partition]) -> None:
    tell(registry, command("connect", connect=True))
    forward(registry, partitions)

    registry.rebuild()
    settle(registry)

    assert forwarding.pending(registry) == []


@pytest.mark.parametrize("contact", ["ada", "bob", "cleo", "dan"])
def test_what_came_before_its_channel_is_routed_again_once_that_is_connected(
    registry: Partition, partitions: list[Partition], contact: str
) -> None:
    body = messenger_item("m1", contact, at=NOW)
    unroutable = record_of(Facebook("secret"), Webhook(body, {}), lambda _: None, AT)
    home = _append_home(partitions, unroutable)
    settle(home)

    tell(registry, command("connect", connect=True))
    forward(registry, partitions)
    forward(home, partitions)

    found = [each for each in partitions if _has_message(each.state, contact)]
    assert len(found) == 1
    again = found[0].history.at(found[0].tail.head - 1)
    assert (again.kind, again.body, again.of) == ("webhook", body, (home.spec.index, 0))


def test_a_body_that_comes_while_its_channel_is_known_already_does_not_wait(
    registry: Partition, partitions: list[Partition]
) -> None:
    """The router looked before the channel was connected; its record comes after that is told."""
    tell(registry, command("connect", connect=True))
    forward(registry, partitions)
    body = messenger_item("m1", "ada", at=NOW)
    late = record_of(Facebook("secret"), Webhook(body, {}), lambda _: None, AT)
    home = _append_home(partitions, late)
    settle(home)

    forward(home, partitions)

    assert [_has_message(each.state, "ada") for each in partitions].count(True) == 1


def test_routing_again_twice_makes_one_message(
    registry: Partition, partitions: list[Partition]
) -> None:
    body = messenger_item("m1", "ada", at=NOW)
    home = _append_home(
        partitions, record_of(Facebook("secret"), Webhook(body, {}), lambda _: None, AT)
    )
    settle(home)
    tell(registry, command("connect", connect=True))
    forward(registry, partitions)
    forward(home, partitions, times=2)

    counts = [len(rows(each.state)["messages"]) for each in partitions]
    assert sorted(counts) == [0, 1]


def test_a_body_whose_channel_is_still_unknown_is_not_routed_again(
    partitions: list[Partition],
) -> None:
    body = messenger_item("m1", "ada", at=NOW)
    home = _append_home(
        partitions, record_of(Facebook("secret"), Webhook(body, {}), lambda _: None, AT)
    )
    settle(home)

    assert forwarding.pending(home) == []
    assert len(rows(home.state)["orphans"]) == 1


def _append_home(partitions: list[Partition], record: Record) -> Partition:
    (index,) = partitions_of(record, COUNT)
    append(partitions[index].spec.directory, [record])
    return partitions[index]


def _index(registry: Partition) -> int:
    """Return the first sequence in the outbox of the registry."""
    with registry.state.environment.read() as transaction:
        key, _ = next(iter(transaction.cursor(registry.state.environment.tables["outbox"])))
    return int.from_bytes(key, "big")


def _has_message(state: State, contact: str) -> bool:
    with reading(state.environment) as view:
        return view.message(builders.message_id("m1", contact=contact)) is not None
