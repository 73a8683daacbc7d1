"""What a partition has for others: sent once it is folded, and folded there once."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from airy_ray.clock import Micros
from airy_ray.errors import PayloadError
from airy_ray.model.channel import Channel
from airy_ray.model.commands import ConnectChannel, DisconnectChannel, ResendRecord, RetryRecord
from airy_ray.model.events import Place
from airy_ray.model.ids import REGISTRY, ChannelId, format_id, owner_of
from airy_ray.partition import fold, forwarding
from airy_ray.partition.fold import encode_event
from airy_ray.partition.interpret import PARSERS
from airy_ray.partition.partition import Partition
from airy_ray.partition.routing import partitions_of, record_of
from airy_ray.projections import keys
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import Fault
from airy_ray.rawlog.record import ERASED, Record
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.source import Parsed, Webhook
from airy_ray.state.queries import reading
from airy_ray.state.state import State
from tests import builders
from tests.builders import PAGE
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
    webhook,
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


def order(partition: Partition, kind: type[ResendRecord | RetryRecord], offset: int) -> None:
    """Have a partition carry out a command about one of its records."""
    identifier = format_id(builders.command_id(f"{kind} {offset} {partition.applied}"))
    asked = kind(id=identifier, record_id=f"{partition.spec.name}:{offset}")
    append(partition.spec.directory, [builders.command_record(asked)])
    settle(partition)


def body_for(page: str, contact: str) -> bytes:
    """Return one body with a message of a contact to our page, and one to another page."""
    items = [json.loads(messenger_item("m1", contact, at=NOW, page=each)) for each in (PAGE, page)]
    entries = [entry for item in items for entry in item["entry"]]
    return json.dumps({"object": "page", "entry": entries}).encode()


@pytest.mark.parametrize("contact", ["ada", "bob", "cleo", "dan"])
@pytest.mark.parametrize("times", [1, 2])
def test_what_is_sent_again_is_routed_as_if_it_came_now(
    partitions: list[Partition], contact: str, times: int
) -> None:
    body = body_for("page-2", contact)
    unroutable = record_of(Facebook("secret"), Webhook(body, {}), lambda _: None, AT)
    home = _append_home(partitions, unroutable)
    settle(home)
    for _ in range(times):
        order(home, ResendRecord, 0)
        forward(home, partitions, times=2)

    assert sum(len(rows(each.state)["messages"]) for each in partitions) == 2
    for partition in partitions:
        if rows(partition.state)["messages"]:
            again = partition.history.at(partition.tail.head - 1)
            assert (again.body, again.of) == (body, (home.spec.index, 0))


def test_what_could_not_be_read_is_routed_once_it_can(
    partitions: list[Partition], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade: a source sends something new, which its module knows now."""
    body = messenger_item("m1", "ada", at=NOW)
    unread = replace_record(record_of(Facebook("secret"), Webhook(body, {}), connected, AT))
    with monkeypatch.context() as before:
        before.setitem(PARSERS, "facebook", _cannot_read)
        home = _append_home(partitions, unread)
        settle(home)
        assert [len(rows(each.state)["messages"]) for each in partitions] == [0, 0]
    order(home, ResendRecord, 0)
    forward(home, partitions)

    assert [_has_message(each.state, "ada") for each in partitions].count(True) == 1


def replace_record(record: Record) -> Record:
    """Return a record as it is stored of a body that cannot be read: without routes."""
    return msgspec.structs.replace(record, routes=())


def _cannot_read(_: Webhook) -> Parsed:
    raise PayloadError("not what Meta sends")


def test_what_is_still_for_nobody_says_so_again(partitions: list[Partition]) -> None:
    body = messenger_item("m1", "ada", at=NOW)
    home = _append_home(
        partitions, record_of(Facebook("secret"), Webhook(body, {}), lambda _: None, AT)
    )
    settle(home)
    order(home, ResendRecord, 0)
    (sequence, outgoing), *_ = forwarding.pending(home)
    (again,) = forwarding.records_of(home, sequence, outgoing, lambda _: None, nowhere, AT)

    assert again.target == home.spec.index
    assert [route.refused for route in again.record.routes] == ["no such channel"]


@pytest.mark.parametrize("kind", [ResendRecord, RetryRecord])
def test_what_was_erased_is_not_repeated(
    partitions: list[Partition], kind: type[ResendRecord | RetryRecord]
) -> None:
    own = partitions[0]
    append(own.spec.directory, [builders.record(ERASED)])
    with own.state.batch() as writing:
        writing.batch.quarantine.put(keys.offset(0), Fault("KeyError", "", AT))
    order(own, kind, 0)
    pending = forwarding.pending(own)

    assert len(pending) == 1
    assert forwarding.records_of(own, *pending[0], connected, nowhere, AT) == []


@pytest.mark.parametrize("times", [1, 3])
def test_a_record_that_is_retried_is_folded_in_its_own_partition_and_once(
    partitions: list[Partition], monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    (own,) = [each for each in partitions if each.spec.index == owner_of(_ada(), COUNT)]
    described = builders.conversation_described({"contact.display_name": b'"Ada"'})
    outcome = builders.record(encode_event(described), kind="outcome", source="")
    with monkeypatch.context() as broken:
        broken.setattr(fold, "project", _fail)
        append(own.spec.directory, [webhook("m1"), outcome])
        settle(own)
    assert len(rows(own.state)["quarantine"]) == 2
    for offset in (0, 1):
        order(own, RetryRecord, offset)
        forward(own, partitions, times=times)

    assert _has_message(own.state, "ada")
    assert rows(own.state)["quarantine"] == []
    told = [own.history.at(offset) for offset in range(own.tail.head)]
    assert [each.of for each in told if each.body == outcome.body] == [
        None,
        *[(own.spec.index, 1)] * times,
    ]
    with reading(own.state.environment) as view:
        verdicts = [entry.reasons for _, entry in view.ledger(None, times)]
        assert verdicts.count(()) == 1


def test_a_forward_that_is_retried_is_known_as_the_one_that_it_was(
    registry: Partition, partitions: list[Partition], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(registry, command("connect", connect=True))
    with monkeypatch.context() as broken:
        broken.setattr(fold, "project", _fail)
        forward(registry, partitions, times=2)
    for offset in (0, 1):
        order(partitions[0], RetryRecord, offset)
        forward(partitions[0], partitions)

    with reading(partitions[0].state.environment) as view:
        assert [entry.verdict for _, entry in view.ledger(None, 9) if entry.kind == "channel"] == [
            *("ignored", "applied", "quarantined", "quarantined")
        ]


def _fail(*_: object) -> Effect:
    raise KeyError


def _ada() -> bytes:
    return builders.conversation_id()


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
