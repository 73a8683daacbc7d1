"""What a bug did to the past is repaired, and whoever is told of it is told once."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.partition import fold, interpret
from airy_ray.partition.partition import Partition
from airy_ray.projections.project import project as really_project
from airy_ray.projections.view import View
from airy_ray.rawlog.record import Record, prepare
from airy_ray.replay.order import Order
from airy_ray.replay.selection import Selection
from airy_ray.sources import facebook
from airy_ray.sources.source import Key, Parsed, Webhook
from airy_ray.state.queries import reading
from tests import builders
from tests.builders import NOW
from tests.log_builders import owned, spec, webhooks
from tests.replaying import replayed, rest, told_rows

AT = NOW + 100_000


def state_without_bug(records: list[Record], directory: Path) -> dict[str, Any]:
    """Return the rows of a partition that lived through records with the code as it is."""
    with owned(spec(directory)) as other:
        other.tail.append([prepare(each) for each in records])
        rest(other, NOW)
        return told_rows(other)


def told_since(partition: Partition, head: int) -> list[tuple[str, str]]:
    """Return the changes that were told since an offset: their kinds, and types on the wire."""
    with reading(partition.state.environment) as view:
        changes = view.changes((head << 16) - 1, 1_000)
    return [(each.kind, json.loads(each.event)["type"]) for _, each in changes]


def counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(view: View, event: Any, at: Millis) -> Any:
        effect = really_project(view, event, at)
        row = view.conversations.get(event.place.conversation_id)
        if row is not None and row.unread_count == 2:
            view.conversations.put(row.id, msgspec.structs.replace(row, unread_count=7))
        return effect

    monkeypatch.setattr(fold, "project", wrong)


def kind_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_threes(told: Webhook) -> Parsed:
        if b'"text of 3"' in told.body:
            return Parsed([], ["not understood"])
        return facebook.parse(told)

    monkeypatch.setitem(interpret.PARSERS, "facebook", without_threes)


def in_quarantine(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(view: View, event: Any, at: Millis) -> Any:
        if b"text of 5" in getattr(getattr(event, "message", None), "content", b""):
            raise KeyError("5")
        return really_project(view, event, at)

    monkeypatch.setattr(fold, "project", failing)


@pytest.mark.parametrize("plant", [counted_twice, kind_dropped, in_quarantine])
@pytest.mark.parametrize("selection", [Selection(), Selection(sources=("facebook",))])
def test_a_bug_of_the_past_is_repaired(
    partition: Partition,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plant: Callable[[pytest.MonkeyPatch], None],
    selection: Selection,
) -> None:
    records = webhooks(20)
    with monkeypatch.context() as planted:
        plant(planted)
        partition.tail.append([prepare(each) for each in records])
        rest(partition, NOW)
    expected = state_without_bug(records, tmp_path / "other")
    assert told_rows(partition) != expected
    head = partition.tail.head

    report = replayed(partition, Order(1, "swap", selection), until="swapped")

    assert told_rows(partition) == expected
    assert (report.vanishing, report.unsent, report.misrouted) == (0, 0, 0)
    assert {kind for kind, _ in told_since(partition, head)} <= {
        "message.corrected",
        "conversation.corrected",
    }
    assert told_since(partition, head)


def facebook_key(contact: str) -> Key:
    return Key(builders.SOURCE, builders.PAGE, contact)


def misrouted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """Plant a parser that takes one contact for another, and yield what came in under it."""

    def mistaken(told: Webhook) -> Parsed:
        parsed = facebook.parse(told)
        wrong = [
            msgspec.structs.replace(
                each, key=msgspec.structs.replace(each.key, conversation="nobody")
            )
            if each.key.conversation == "contact-3"
            else each
            for each in parsed.events
        ]
        return Parsed(wrong, parsed.ignored)

    monkeypatch.setitem(interpret.PARSERS, "facebook", mistaken)
    for record in webhooks(20):
        if record.routes[0].conversation == "contact-3":
            yield msgspec.structs.replace(record, routes=(builders.route("nobody"),))
        else:
            yield record


def test_what_was_put_into_a_wrong_conversation_comes_into_the_right_one(
    partition: Partition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as planted:
        partition.tail.append([prepare(each) for each in misrouted(planted)])
        rest(partition, NOW)
    head = partition.tail.head

    report = replayed(partition, Order(1, "swap"), until="swapped")
    rest(partition, AT)

    assert (report.misrouted, report.vanishing) == (3, 3)
    expected = state_without_bug(webhooks(20), tmp_path / "other")
    made = told_rows(partition)
    made["profiles"] = expected["profiles"]  # wanted since the record was appended again
    assert made == expected
    assert ("conversation.removed", "conversation.removed") in told_since(partition, head)
    again = replayed(partition, Order(2, "swap"), until="swapped")
    assert (again.misrouted, again.counts) == (0, ())
