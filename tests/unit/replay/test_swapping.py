"""A new generation takes over and back, whatever happens on the way, and nothing is sent for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.errors import ReplayError
from airy_ray.model.commands import SendMessage
from airy_ray.model.ids import format_id
from airy_ray.partition import fold, generations
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections import keys
from airy_ray.projections.history import NEVER_SENT
from airy_ray.projections.project import project as really_project
from airy_ray.projections.view import Change, View
from airy_ray.rawlog.record import prepare
from airy_ray.replay import replayer, run
from airy_ray.replay.order import Order, give_order
from airy_ray.replay.replayer import Replayer
from airy_ray.replay.selection import Selection
from airy_ray.state.queries import reading
from airy_ray.storage import child
from tests import builders
from tests.builders import NOW
from tests.erasing import carry_out, erasure, traces, traffic
from tests.log_builders import owned, spec, webhook, webhooks
from tests.replaying import replayed, rest, told_rows

AT = NOW + 100_000


def came(partition: Partition, count: int, *, first: int = 0) -> None:
    partition.tail.append([prepare(each) for each in webhooks(count, first=first)])
    rest(partition, AT)


def lose(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a projection that takes no message with a text."""

    def losing(view: View, event: Any, at: Millis) -> Any:
        if text in getattr(getattr(event, "message", None), "content", b""):
            return fold.FALLEN_BEFORE
        return really_project(view, event, at)

    monkeypatch.setattr(fold, "project", losing)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_was_before_comes_back_with_what_came_since(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as planted:
        lose(b"text of 3", planted)
        came(partition, 10)
    replayed(partition, Order(1, "swap"), until="swapped")
    came(partition, 5, first=10)

    replayed(partition, Order(1, "roll back"), until="rolled back")

    with reading(partition.state.environment) as view:
        names = {each.source_message_id for _, each in view.messages_after(b"", 100)}
    assert names == {str(number) for number in range(15)} - {"3"}
    assert partition.applied == partition.tail.head


def test_what_a_swap_takes_away_is_told_with_its_channel(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = builders.place(), builders.place("bob")
    with monkeypatch.context() as planted:
        lose(b"text of lost", planted)
        lost = [webhook("lost"), webhook("lost too", contact="bob")]
        partition.tail.append([prepare(each) for each in [webhook("kept"), *lost]])
        rest(partition, AT)
    replayed(partition, Order(1, "swap"), until="swapped")
    head = partition.tail.head

    replayed(partition, Order(1, "roll back"), until="rolled back")
    rest(partition, AT)

    with reading(partition.state.environment) as view:
        changes = view.changes(keys.sequence(head) - 1, 100)
    told = [(each.kind, each.conversation_id, _channel_told(each)) for _, each in changes]
    channel = format_id(ada.channel_id)
    assert [each for each in told if "removed" in each[0]] == [
        ("conversation.removed", bob.conversation_id, channel),
        ("message.removed", ada.conversation_id, channel),
        ("message.removed", bob.conversation_id, channel),
    ]


def _channel_told(change: Change) -> str | None:
    channel: str | None = json.loads(change.event)["payload"].get("channel_id")
    return channel


def send_what_is_dropped(partition: Partition, monkeypatch: pytest.MonkeyPatch) -> None:
    """Append a command that the planted code drops."""
    command = SendMessage(
        id=format_id(builders.command_id()),
        conversation_id=format_id(builders.conversation_id()),
        message=msgspec.Raw(b'{"text":"not sent"}'),
    )
    with monkeypatch.context() as planted:
        lose(b"not sent", planted)
        partition.tail.append([prepare(webhook("1"))])
        planted.setattr(fold, "carry_out", lambda *_: fold.FALLEN_BEFORE)
        partition.tail.append([prepare(builders.command_record(command))])
        rest(partition, AT)


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_a_message_that_only_the_new_rows_would_send_is_not_sent(
    partition: Partition, monkeypatch: pytest.MonkeyPatch, is_interrupted: bool
) -> None:
    send_what_is_dropped(partition, monkeypatch)
    if is_interrupted:
        with monkeypatch.context() as killing:
            killing.setattr(replayer, "write_synced", interrupted)
            with pytest.raises(KeyboardInterrupt):
                replayed(partition, Order(1, "swap"), until="swapped")

    report = replayed(partition, Order(1, "swap"), until="swapped")

    with reading(partition.state.environment) as view:
        (message,) = [each for _, each in view.messages_after(b"", 9) if not each.from_contact]
        assert view.dispatches() == []
    assert (report.unsent, message.delivery_state) == (1, "failed")
    assert NEVER_SENT.encode() in message.metadata


def test_nothing_but_the_difference_is_left_of_a_replay_that_is_cancelled(
    partition: Partition,
) -> None:
    came(partition, 10)
    before = told_rows(partition)
    replayed(partition, Order(1, "compare"), until="ready")

    replayed(partition, Order(1, "cancel"), until="cancelled")

    assert told_rows(partition) == before
    assert list(partition.spec.directory.glob(".replay-*")) == []


@pytest.mark.parametrize("steps", range(1, 12))
@pytest.mark.parametrize("selection", [Selection(), Selection(sources=("facebook",))])
def test_whoever_owns_it_next_goes_on(
    own: PartitionSpec, monkeypatch: pytest.MonkeyPatch, steps: int, selection: Selection
) -> None:
    with owned(own) as partition, monkeypatch.context() as planted:
        lose(b"text of 3", planted)
        came(partition, 40)
    give_order(own.directory, Order(1, "swap", selection))
    left = steps
    results = child.results

    def dying(*args: Any) -> Iterator[Any]:
        nonlocal left
        for each in results(*args):
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
            yield each

    monkeypatch.setattr(child, "results", dying)
    with owned(own) as partition:
        replayer = Replayer(partition)
        for _ in range(steps):
            try:
                replayer.work(Millis(AT))
            except KeyboardInterrupt:
                break
    monkeypatch.undo()

    with owned(own) as partition:
        replayed(partition, Order(1, "swap", selection), until="swapped")
        with reading(partition.state.environment) as view:
            assert len(view.messages_after(b"", 100)) == 40


def test_an_erasure_leaves_nothing_in_what_a_replay_made(tmp_path: Path) -> None:
    own = spec(tmp_path)
    with owned(own) as partition:
        partition.tail.append([prepare(each) for each in traffic(60)])
        rest(partition, AT)
        replayed(partition, Order(1, "compare"), until="ready")
        partition.tail.append([prepare(erasure(AT))])
        rest(partition, AT)
        carry_out(partition, AT + 60_000)
        report = replayed(partition, Order(1, "swap"), until="swapped")
        replayed(partition, Order(2, "compare"), until="ready")
        assert report.counts == ()
        assert [each for each in traces(tmp_path) if ".replay" in each] == []
    assert traces(tmp_path) == []


def test_a_swap_is_refused_while_too_many_messages_would_vanish(partition: Partition) -> None:
    own = partition.spec
    with pytest.raises(ReplayError, match="no replay"):
        run.swap([own])
    came(partition, 10)
    number = run.start([own], Selection(), Millis(AT))
    with pytest.raises(ReplayError, match="cancel it first"):
        run.start([own], Selection(), Millis(AT))
    with pytest.raises(ReplayError, match="not ready"):
        run.swap([own])
    report = replayed(partition, Order(number, "compare"), until="ready")
    wrong = msgspec.structs.replace(report, vanishing=1)
    (own.directory / "replay.report.json").write_bytes(msgspec.json.encode(wrong))

    with pytest.raises(ReplayError, match=r"10\.00% of the messages would vanish"):
        run.swap([own])
    run.swap([own], is_forced=True)
    replayed(partition, Order(number, "swap"), until="swapped")
    with pytest.raises(ReplayError, match="roll it back"):
        run.cancel([own])


def test_the_generation_before_goes_after_a_while(partition: Partition) -> None:
    came(partition, 10)
    order = Order(1, "swap", keep_ms=1_000)
    report = replayed(partition, order, until="swapped")
    assert report.before is not None
    path = generations.path_of(partition.spec.directory, report.before)
    assert path.exists()

    Replayer(partition).work(Millis(AT + 2_000))

    assert not path.exists()
    with pytest.raises(ReplayError, match="not kept any more"):
        run.roll_back([partition.spec])


def test_a_roll_back_is_refused_once_a_rebuild_has_dropped_what_was_before(
    partition: Partition,
) -> None:
    own = partition.spec
    came(partition, 10)
    number = run.start([own], Selection(), Millis(AT))
    replayed(partition, Order(number, "swap"), until="swapped")
    partition.rebuild()
    rest(partition, AT)

    with pytest.raises(ReplayError, match="not kept any more in partition 00"):
        run.roll_back([own])

    found = run.status([own])
    assert found is not None
    assert (found.phase, found.parts[0].order.wanted) == ("swapped", "swap")


def test_a_roll_back_that_has_put_a_state_in_its_place_can_be_ordered_again(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was killed between the two orders once more; what was before has another name now."""
    own = partition.spec
    came(partition, 10)
    number = run.start([own], Selection(), Millis(AT))
    report = replayed(partition, Order(number, "swap"), until="swapped")
    run.roll_back([own])
    Replayer(partition).work(Millis(AT))
    assert partition.offered is not None
    partition.offered = None  # its owner died
    Replayer(partition).work(Millis(AT))
    assert not generations.path_of(own.directory, report.before or 0).exists()

    run.roll_back([own])

    replayed(partition, Order(number, "roll back"), until="rolled back")


def test_another_replay_leaves_one_generation_to_roll_back_to(partition: Partition) -> None:
    came(partition, 10)
    for number in (1, 2, 3):
        report = replayed(partition, Order(number, "swap"), until="swapped")

    left = {path.name for path in partition.spec.directory.glob("state.g*")}
    assert left == {f"state.g{report.before}", f"state.g{report.after}"}
