"""The list of conversations, walked page by page while messages arrive."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airy_ray.projections.project import project
from airy_ray.state.queries import reading
from airy_ray.state.state import State
from tests.builders import NOW, message_received

CONTACTS = [f"contact {index}" for index in range(8)]
arrivals = st.tuples(st.sampled_from(CONTACTS), st.integers(0, 20))
"""Who writes, and when: before or after anything that is there."""


class Inbox:
    """A state that messages come into, and whose list is walked."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._count = 0

    def receive(self, contact: str, sent_at: int) -> None:
        event = message_received(f"m{self._count}", contact=contact, sent_at=NOW + sent_at)
        with self.state.batch() as writing:
            writing.batch.begin(self._count)
            project(writing.batch, event, NOW)
            writing.applied = self._count + 1
        self._count += 1

    def begin(self, size: int) -> tuple[list[bytes], int]:
        with reading(self.state.environment) as view:
            return view.newest_conversation_keys(size)

    def walk_on(self, since: int, after: bytes, size: int) -> list[bytes]:
        with reading(self.state.environment) as view:
            return view.walked_conversation_keys(since, after, size)


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(arrivals, min_size=1, max_size=20),
    between=st.lists(st.lists(arrivals, max_size=4), min_size=10, max_size=10),
    size=st.integers(1, 4),
)
def test_a_walk_meets_each_conversation_once_in_the_order_of_its_beginning(
    before: list[tuple[str, int]], between: list[list[tuple[str, int]]], size: int
) -> None:
    with TemporaryDirectory() as directory, closing(State(Path(directory))) as state:
        inbox = Inbox(state)
        for contact, sent_at in before:
            inbox.receive(contact, sent_at)
        there = inbox.begin(100)[0]
        page, since = inbox.begin(size)
        walked = list(page)
        for arrived in between:
            for contact, sent_at in arrived:
                inbox.receive(contact, sent_at)
            page = inbox.walk_on(since, walked[-1], size)
            walked += page

        assert walked == there
        assert page == []


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with closing(State(tmp_path)) as state:
        inbox = Inbox(state)
        for index, contact in enumerate(CONTACTS):
            inbox.receive(contact, index)
        yield inbox


def test_a_conversation_that_moves_up_unseen_is_found_where_it_was(inbox: Inbox) -> None:
    there = inbox.begin(100)[0]
    page, since = inbox.begin(2)
    inbox.receive(CONTACTS[0], 100)
    inbox.receive("somebody new", 101)

    assert inbox.walk_on(since, page[-1], 100) == there[2:]
    assert len(inbox.begin(100)[0]) == len(there) + 1
