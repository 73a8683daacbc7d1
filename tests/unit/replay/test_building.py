"""History folded again gives what living through it gave, all of it or any part."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.model.events import Event
from airy_ray.partition import fold
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections.messages import Effect
from airy_ray.projections.project import project as really_project
from airy_ray.projections.view import View
from airy_ray.replay import building
from airy_ray.replay.selection import Selection
from airy_ray.state.queries import reading
from airy_ray.state.state import State
from tests import builders
from tests.builders import NOW
from tests.log_builders import append, kept_rows, owned, rows, settle, spec, webhooks
from tests.replaying import PEOPLE, Action, histories, live

TOLD = ("changes", "outbox", "audit")


def folded(own: PartitionSpec, fresh: Path, selection: Selection | None = None) -> None:
    """Make a new generation, as the child of an owner does."""
    if selection is not None:
        list(building.begin_part(own, selection, fresh))
    list(building.make_ready(own, fresh, with_index=False))


def differences(partition: Partition, fresh: Path) -> list[str]:
    """Return the tables in which a new generation differs from the present one."""
    with closing(State(fresh)) as state:
        made, present = kept_rows(state), kept_rows(partition.state)
        told, kept = rows(state), rows(partition.state)
    made.pop("meta"), present.pop("meta")
    found = [name for name in present if made[name] != present[name]]
    return found + [name for name in TOLD if told[name] != kept[name]]


@settings(max_examples=60)
@given(histories)
def test_the_whole_history_gives_the_same(history: list[Action]) -> None:
    with TemporaryDirectory() as directory:
        own = spec(Path(directory))
        with owned(own) as partition:
            live(partition, history)
            folded(own, Path(directory) / "fresh")

            assert differences(partition, Path(directory) / "fresh") == []


selections = st.one_of(
    st.sets(st.sampled_from(PEOPLE)).map(
        lambda who: Selection(conversations=tuple(map(builders.conversation_id, sorted(who))))
    ),
    st.integers(0, 60).map(lambda second: Selection(since=Millis(NOW + second * 1_000))),
    st.integers(0, 60).map(lambda second: Selection(until=Millis(NOW + second * 1_000))),
    st.sampled_from(["facebook", "viber"]).map(lambda source: Selection(sources=(source,))),
)


@settings(max_examples=150)
@given(histories, selections)
def test_any_part_of_it_gives_the_same(history: list[Action], selection: Selection) -> None:
    with TemporaryDirectory() as directory:
        own = spec(Path(directory))
        with owned(own) as partition:
            live(partition, history)
            folded(own, Path(directory) / "fresh", selection)

            assert differences(partition, Path(directory) / "fresh") == []


@pytest.fixture
def chosen() -> Selection:
    return Selection(conversations=(builders.conversation_id("contact-0"),))


@contextmanager
def holding_messages(directory: Path) -> Iterator[tuple[Partition, Path]]:
    """Own a partition that holds messages; return it, and where a replay puts its new state."""
    own, fresh = spec(directory), directory / "replay" / "fresh"
    fresh.parent.mkdir()
    with owned(own) as partition:
        append(own.directory, webhooks(50))
        settle(partition)
        yield partition, fresh


@pytest.mark.parametrize(("contacts", "count"), [(["contact-0", "contact-1"], 2), (["x"], 0)])
def test_it_is_told_of_how_many_conversations_a_part_is(
    tmp_path: Path, contacts: list[str], count: int
) -> None:
    asked = Selection(conversations=tuple(map(builders.conversation_id, contacts)))
    with holding_messages(tmp_path) as (partition, fresh):
        folded(partition.spec, fresh, asked)

        assert building.conversations_chosen(fresh) == count


def test_it_is_not_told_of_how_many_conversations_the_whole_history_is(tmp_path: Path) -> None:
    with holding_messages(tmp_path) as (partition, fresh):
        folded(partition.spec, fresh)

        assert building.conversations_chosen(fresh) is None


def test_a_child_that_outlives_its_owner_puts_nothing_in_place_that_another_is_making(
    tmp_path: Path, chosen: Selection
) -> None:
    with holding_messages(tmp_path) as (partition, fresh):
        own = partition.spec
        straggler = building.begin_part(own, chosen, fresh)
        next(straggler)
        successor = building.begin_part(own, chosen, fresh)
        next(successor)

        with pytest.raises(FileNotFoundError):
            list(straggler)
        assert not fresh.exists()
        list(successor)

        assert list(fresh.parent.iterdir()) == [fresh]
        assert differences(partition, fresh) == []


def test_a_child_that_finds_its_work_done_by_one_that_outlived_its_owner_leaves_it(
    tmp_path: Path, chosen: Selection
) -> None:
    with holding_messages(tmp_path) as (partition, fresh):
        successor = building.begin_part(partition.spec, chosen, fresh)
        next(successor)
        fresh.mkdir()
        list(successor)

    assert list(fresh.parent.iterdir()) == [fresh]
    assert list(fresh.iterdir()) == []


def test_what_a_child_that_was_killed_has_left_goes(tmp_path: Path, chosen: Selection) -> None:
    own, fresh = spec(tmp_path), tmp_path / "replay" / "fresh"
    with owned(own) as partition:
        append(own.directory, webhooks(50))
        settle(partition)
        (fresh.parent / "fresh.copy-killed").mkdir(parents=True)
        list(building.begin_part(own, chosen, fresh))

    assert list(fresh.parent.iterdir()) == [fresh]


def test_however_many_records_of_a_part_fail_each_is_put_aside_alone(
    tmp_path: Path, chosen: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(view: View, event: Event, at: Millis) -> Effect:
        really_project(view, event, at)
        raise KeyError

    own = spec(tmp_path)
    with owned(own) as partition:
        append(own.directory, webhooks(1_200, contacts=1))
        settle(partition)
        monkeypatch.setattr(fold, "project", fails)
        folded(own, tmp_path / "fresh", chosen)

    with closing(State(tmp_path / "fresh")) as state, reading(state.environment) as view:
        assert len(view.quarantine()) == 1_200
        assert view.counts()["messages"] == 0


def test_what_asks_for_a_row_that_cannot_be_stored_is_put_aside_in_a_part_as_well(
    tmp_path: Path, chosen: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database refuses such keys only when the whole batch is written."""

    def spoils(view: View, event: Event, at: Millis) -> Effect:
        if at == last_at:
            view.unread.put(b"", b"")
        return really_project(view, event, at)

    own = spec(tmp_path)
    with owned(own) as partition:
        records = webhooks(50, contacts=1)
        last_at = records[-1].at
        append(own.directory, records)
        settle(partition)
        monkeypatch.setattr(fold, "project", spoils)
        folded(own, tmp_path / "fresh", chosen)

    with closing(State(tmp_path / "fresh")) as state, reading(state.environment) as view:
        assert [offset for offset, _ in view.quarantine()] == [49]
        assert view.counts()["messages"] == 49
