"""A log folded again makes the same state, however it was folded the first time."""

from contextlib import closing
from pathlib import Path

import pytest

from airy_ray.clock import Millis
from airy_ray.model.commands import MarkRead
from airy_ray.model.events import Event
from airy_ray.model.ids import format_id
from airy_ray.partition import fold, generations, refold
from airy_ray.partition.spec import PartitionSpec, Upkeep
from airy_ray.partition.upkeep import Caretaker
from airy_ray.projections.messages import Effect
from airy_ray.projections.project import project as really_project
from airy_ray.projections.view import View
from airy_ray.rawlog.record import Record
from airy_ray.state.state import State
from tests import builders
from tests.builders import NOW
from tests.log_builders import owned, prepared, project, settle, spec, webhook, webhooks


def mark_read(contact: str, number: int) -> Record:
    command = MarkRead(
        id=format_id(builders.command_id(str(number))),
        principal="agent",
        conversation_id=format_id(builders.conversation_id(contact)),
    )
    return builders.command_record(command, at=NOW + number)


def kept(own: PartitionSpec) -> Path:
    return generations.path_of(own.directory, 1)


def folded_again(own: PartitionSpec, fresh: Path) -> list[str]:
    """Return how the state differs from what its log makes."""
    with closing(State(kept(own))) as state:
        applied = state.applied
    assert list(refold.fold_again(own, fresh, applied))[-1] == applied
    return list(refold.differences(kept(own), fresh))


def test_the_same_log_makes_the_same_state(tmp_path: Path) -> None:
    own = spec(tmp_path)
    for first in range(0, 60, 7):
        project(own, [*webhooks(7, first=first), mark_read("contact-1", first), webhook("again")])

    assert folded_again(own, tmp_path / "fresh") == []


def test_history_is_read_from_the_archive_too(tmp_path: Path) -> None:
    own = spec(tmp_path, upkeep=Upkeep(sync_ms=0, segment_age_ms=0, tail_records=1))
    with owned(own) as partition:
        for first in (0, 3_000):
            partition.tail.append(prepared(webhooks(3_000, first=first)))
            settle(partition)
            Caretaker(partition, Millis(0)).work(Millis(NOW + 10_000))
        assert partition.tail.first > 5_000

    assert folded_again(own, tmp_path / "fresh") == []


def test_records_in_quarantine_are_put_aside_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_for_poison(view: View, event: Event, at: Millis) -> Effect:
        if b"poison" in getattr(getattr(event, "message", None), "content", b""):
            raise KeyError
        return really_project(view, event, at)

    monkeypatch.setattr(fold, "project", fail_for_poison)
    own = spec(tmp_path)
    project(own, [webhook("a"), webhook("poison"), webhook("b"), webhook("poison 2")])

    assert folded_again(own, tmp_path / "fresh") == []


def test_what_differs_is_told_by_table(tmp_path: Path) -> None:
    own = spec(tmp_path)
    project(own, webhooks(3))
    with closing(State(kept(own))) as state, state.batch() as writing:
        present = writing.batch.conversations.get(builders.conversation_id("contact-0"))
        assert present is not None
        renamed = builders.conversation("contact-0", display_name="Eve")
        writing.batch.conversations.put(present.id, renamed)
        writing.batch.conversations.delete(builders.conversation_id("contact-1"))
        writing.batch.contact_of.put(builders.conversation_id("nobody"), bytes(16))

    conversations, contact_of = folded_again(own, tmp_path / "fresh")

    assert "table conversations: folding the log again gives 1 other rows, 1 more" in conversations
    assert "table contact_of: folding the log again gives 0 other rows, 0 more and 1" in contact_of
