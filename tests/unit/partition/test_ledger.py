"""The ledger and the quarantine of all partitions: in pages, each with so much work and no more."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Micros
from airy_ray.model.events import ConversationsErased
from airy_ray.model.ids import owner_of
from airy_ray.partition import fold, ledger
from airy_ray.partition.fold import encode_event
from airy_ray.partition.ledger import Page, Place, Question, Told, located, told
from airy_ray.partition.newest import positions_of
from airy_ray.partition.routing import partitions_of
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections.messages import Effect
from airy_ray.rawlog.record import Record, is_erased, prepare
from tests import builders
from tests.builders import ADA, NOW
from tests.log_builders import messenger_item, owned, project, settle, spec, webhook

COUNT = 2
RECORDS = 40


def records() -> list[Record]:
    """Return messages of two people, some of them twice, in time as clocks have it: nearly."""
    made = [
        webhook(str(number % 30), contact=("ada", "dan")[number % 2], at=NOW + number * 1_000)
        for number in range(RECORDS)
    ]
    made[7], made[9] = made[9], made[7]
    return made


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> list[PartitionSpec]:
    """Two partitions with these records, and one with nothing in it."""
    directory = tmp_path_factory.mktemp("ledger")
    return [*kept_in(directory, records()), spec(directory, index=COUNT, count=COUNT)]


def kept_in(directory: Path, made: list[Record]) -> list[PartitionSpec]:
    """Return two partitions, each of which has its records of these."""
    specs = [spec(directory, index=index, count=COUNT) for index in range(COUNT)]
    for own in specs:
        project(own, [each for each in made if partitions_of(each, COUNT) == [own.index]])
    return specs


def everything(specs: list[PartitionSpec], question: Question, size: int) -> list[Page]:
    """Return all pages, each asked for where the one before ended."""
    found = []
    positions = positions_of(None, len(specs))
    while any(positions):
        page = next(ledger.pages(specs, question, positions, size))
        found.append(page)
        positions = page.following
    return found


QUESTIONS = st.builds(
    Question,
    verdict=st.sampled_from([None, "applied", "ignored"]),
    since=st.none() | st.integers(0, RECORDS).map(lambda at: Micros((NOW + at * 1_000) * 1_000)),
    until=st.none() | st.integers(0, RECORDS).map(lambda at: Micros((NOW + at * 1_000) * 1_000)),
    payload=st.none() | st.sampled_from([each.payload_id for each in records()]),
    message=st.none() | st.just(builders.message_id("3", contact="dan")),
)


@given(question=QUESTIONS, size=st.integers(1, 9), looks=st.integers(1, 9))
def test_pages_hold_what_was_asked_for_once_newest_first_whatever_a_page_may_cost(
    specs: list[PartitionSpec], question: Question, size: int, looks: int
) -> None:
    with pytest.MonkeyPatch.context() as bounded:
        bounded.setattr(ledger, "LOOKED_AT_ONCE", 1)
        bounded.setattr(ledger, "LOOKED_AT_MAX", looks)
        pages = everything(specs, question, size)
    lines = [line for page in pages for line in page.lines]
    whole = [line for page in everything(specs, Question(), 1_000) for line in page.lines]
    times = [line.entry.received_at for line in lines]

    assert len(whole) == RECORDS
    assert sorted(lines, key=_place) == sorted(
        (line for line in whole if _answers(question, line)), key=_place
    )
    assert all(len(page.lines) <= size for page in pages)
    assert all(one >= other - 2_000_000 for one, other in pairwise(times))


def _place(line: ledger.Line) -> Place:
    return line.place


def _answers(question: Question, line: ledger.Line) -> bool:
    entry = line.entry
    if question.message is not None:
        owner = owner_of(question.message, COUNT)
        if (line.place.partition, question.message in entry.message_ids) != (f"{owner:02}", True):
            return False
    return (
        (question.verdict in (None, entry.verdict))
        and (question.payload in (None, entry.payload_id))
        and (question.since is None or entry.received_at >= question.since)
        and (question.until is None or entry.received_at < question.until)
    )


def test_one_walk_gives_as_many_as_are_asked_for(specs: list[PartitionSpec]) -> None:
    with pytest.MonkeyPatch.context() as bounded:
        bounded.setattr(ledger, "LOOKED_AT_ONCE", 2)
        bounded.setattr(ledger, "LOOKED_AT_MAX", 2)
        positions = positions_of(None, len(specs))
        pages = list(ledger.pages(specs, Question(verdict="applied"), positions, 3))

    assert sum(len(page.lines) for page in pages) == 3
    assert len(pages) > 1


def test_what_came_long_before_is_found_without_looking_at_all_that_came_since(
    specs: list[PartitionSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_CLOCKS_APART_US", 2_000_000)
    monkeypatch.setattr(ledger, "LOOKED_AT_ONCE", 1)
    monkeypatch.setattr(ledger, "LOOKED_AT_MAX", 3)
    question = Question(until=Micros((NOW + 1_500) * 1_000))
    page = next(ledger.pages(specs, question, positions_of(None, len(specs)), 2))

    assert len(page.lines) == 2


@pytest.mark.parametrize("size", [1, 2, 50])
def test_the_quarantine_comes_in_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(fold, "project", _fail)
    specs = kept_in(tmp_path, records()[:7])
    found, positions = [], positions_of(None, COUNT)
    while any(positions):
        docket = next(ledger.docket(specs, positions, size))
        assert docket.count == 7
        assert len(docket.cases) <= size
        found += docket.cases
        positions = docket.following

    assert len({case.place for case in found}) == len(found) == 7
    assert [case.fault.at for case in found] == sorted((c.fault.at for c in found), reverse=True)


def _fail(*_: object) -> Effect:
    raise KeyError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("00:7", (0, 7)),
        ("1:7", (1, 7)),
        ("00001:007", (1, 7)),
        ("registry:7", None),
        ("03:7", None),
        ("01:", None),
        (":7", None),
        ("01", None),
        ("01:-7", None),
        ("01:7\n", None),
        ("01:²", None),
        ("٠١:7", None),
        (f"01:{10**18}", None),
    ],
)
def test_a_record_is_named_by_its_partition_and_offset(
    specs: list[PartitionSpec], text: str, found: tuple[int, int] | None
) -> None:
    named = located(specs, text)

    assert (None if named is None else (named[0].index, named[1])) == found


def test_what_people_said_who_are_being_forgotten_is_not_told_any_more(tmp_path: Path) -> None:
    """The projection has erased the rows; the log is rewritten a little later."""
    own = spec(tmp_path)
    forgotten = (builders.conversation_id(),)
    erased = ConversationsErased(forgotten, (), NOW, is_whole=False)
    both = builders.record(
        messenger_item("m1", ADA, at=NOW).replace(b'"entry": [', b'"entry": [' + _entry_of("bob")),
        routes=(builders.route(ADA), builders.route("bob")),
    )
    with owned(own) as partition:
        records = [
            webhook("m1"),
            both,
            builders.record(encode_event(erased), kind="forward", source=""),
        ]
        partition.tail.append([prepare(each) for each in records])
        settle(partition)
    alone, shared = (_told(own, offset) for offset in (0, 1))

    assert is_erased(alone.record)
    assert b"text of m1" not in shared.record.body
    assert b"text of m2" in shared.record.body
    assert (alone.entry is not None, alone.fault) == (True, None)


def _entry_of(contact: str) -> bytes:
    item = messenger_item("m2", contact, at=NOW)
    return item.partition(b'"entry": [')[2].removesuffix(b"]}") + b","


def _told(own: PartitionSpec, offset: int) -> Told:
    return next(told(own, offset))
