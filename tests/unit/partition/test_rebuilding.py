"""A state made anew at a start is what living through the log made, told things included."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.model.events import Event
from airy_ray.partition import fold
from airy_ray.projections.messages import Effect
from airy_ray.projections.project import project as really_project
from airy_ray.projections.view import View
from tests import builders
from tests.log_builders import NOW, append, owned, rows, settle, spec, webhooks
from tests.replaying import Action, histories, live


@settings(max_examples=60)
@given(histories, st.sampled_from([1, 7, 4_096]))
def test_whatever_happened_all_of_its_bytes_are_the_same(
    history: list[Action], records: int
) -> None:
    with TemporaryDirectory() as directory:
        own = replace(spec(Path(directory)), rebuilt_records=records)
        with owned(own) as partition:
            live(partition, history)
            before = rows(partition.state)

            partition.rebuild()
            settle(partition)

            assert rows(partition.state) == before


def test_what_failed_is_put_aside_with_the_same_bytes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_now_and_then(view: View, event: Event, at: Millis) -> Effect:
        if at % 10 == 0:
            raise KeyError
        return really_project(view, event, at)

    monkeypatch.setattr(fold, "project", fails_now_and_then)
    own = spec(tmp_path)
    with owned(own) as partition:
        append(own.directory, webhooks(500))
        settle(partition)
        before = rows(partition.state)
        assert len(before["quarantine"]) == 50

        partition.rebuild()

        assert partition.project_batch(NOW) == 500
        assert rows(partition.state) == before


def test_no_timer_falls_again_while_a_state_is_made_anew(tmp_path: Path) -> None:
    own = replace(spec(tmp_path), rebuilt_records=1)
    with owned(own) as partition:
        body = fold.encode_event(builders.echo_received("e"))
        append(own.directory, [builders.record(body, kind="outcome", source=""), *webhooks(1)])
        settle(partition)
        due = partition.next_due()

        partition.rebuild()
        assert partition.project_batch(NOW) == 1

        assert partition.next_due() is None
        settle(partition)
        assert partition.next_due() == due is not None
