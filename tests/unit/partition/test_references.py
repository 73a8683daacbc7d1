"""Rows that do not agree with one another are found, be one of them missing or one too many."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model import ids
from airy_ray.partition import generations, references
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections import keys
from airy_ray.state.state import State
from airy_ray.state.tables import sealed
from tests import builders
from tests.builders import NOW
from tests.log_builders import project, spec, webhook

HERE = builders.conversation_id()
ELSEWHERE = builders.conversation_id("nobody")
FIRST, LAST = builders.message_id("a"), builders.message_id("b")


@pytest.fixture
def own(tmp_path: Path) -> PartitionSpec:
    """A partition with one conversation of two messages, both unread."""
    made = spec(tmp_path)
    project(made, [webhook("a"), webhook("b", at=NOW + 1)])
    return made


def state_path(own: PartitionSpec) -> Path:
    return generations.path_of(own.directory, 1)


def change(own: PartitionSpec, table: str, key: bytes, row: bytes | None) -> None:
    """Put a row, sound by itself, into a table, or take one away."""
    with closing(State(state_path(own))) as state:
        handle = state.environment.tables[table]
        with state.environment.write() as transaction:
            if row is None:
                assert transaction.delete(key, db=handle)
            else:
                transaction.put(key, sealed(key, row), db=handle)


def found(own: PartitionSpec) -> list[str]:
    return list(references.problems(state_path(own)))


def test_a_state_as_it_is_folded_agrees_with_itself(own: PartitionSpec) -> None:
    assert found(own) == []


@pytest.mark.parametrize(
    ("table", "key", "problem"),
    [
        pytest.param(
            "messages",
            lambda: keys.message(HERE, NOW, FIRST),
            "says that it has 2 messages, it has 1",
            id="message",
        ),
        pytest.param(
            "messages",
            lambda: keys.message(HERE, Millis(NOW + 1), LAST),
            "has a last message that is not there",
            id="last message",
        ),
        pytest.param("message_keys", lambda: FIRST, "cannot be found by its id", id="message key"),
        pytest.param(
            "conversations", lambda: HERE, "messages speaks of conversation", id="conversation"
        ),
        pytest.param(
            "conversations_by_time",
            lambda: keys.by_time(Millis(NOW + 1), HERE),
            "is not in the list at its time",
            id="place in the list",
        ),
        pytest.param(
            "unread",
            lambda: keys.unread(HERE, FIRST),
            "says that 2 messages are unread, 1 are",
            id="unread",
        ),
        pytest.param(
            "contacts",
            lambda: ids.contact_id(HERE),
            "is with a contact that is not there",
            id="contact",
        ),
        pytest.param(
            "identities",
            lambda: keys.identity(ids.contact_id(HERE), HERE),
            "is not among the identities of its contact",
            id="identity",
        ),
        pytest.param(
            "ledger", lambda: keys.offset(1), "the ledger ends before offset 1", id="ledger's end"
        ),
    ],
)
def test_a_row_that_is_missing_is_found(
    own: PartitionSpec, table: str, key: Callable[[], bytes], problem: str
) -> None:
    change(own, table, key(), None)

    assert any(problem in each for each in found(own))


@pytest.mark.parametrize(
    ("table", "key", "row", "problem"),
    [
        pytest.param(
            "conversations_by_time",
            keys.by_time(NOW, ELSEWHERE),
            b"",
            "the list of conversations has other entries",
            id="place in the list",
        ),
        pytest.param(
            "unread",
            keys.unread(ELSEWHERE, FIRST),
            b"",
            "unread speaks of conversation",
            id="unread of nobody",
        ),
        pytest.param(
            "unread",
            keys.unread(HERE, builders.message_id("c")),
            b"",
            "unread speaks of message",
            id="unread message",
        ),
        pytest.param(
            "unseen",
            keys.unseen(HERE, b"0", NOW, builders.message_id("c")),
            b"",
            "unseen speaks of message",
            id="unseen message",
        ),
        pytest.param(
            "profiles", ELSEWHERE, b"", "profiles speaks of conversation", id="profile of nobody"
        ),
        pytest.param(
            "numbers", ELSEWHERE, b"", "numbers speaks of conversation", id="number of nobody"
        ),
        pytest.param("early", FIRST, b"", "listed as still to come", id="early"),
        pytest.param(
            "source_ids",
            keys.source_id(builders.place().channel_id, "x"),
            builders.message_id("c"),
            "source_ids leads to message",
            id="source id",
        ),
        pytest.param("changes", (9 << 16).to_bytes(8, "big"), b"", "changes has", id="change"),
        pytest.param("quarantine", keys.offset(9), b"", "was never folded", id="quarantine"),
    ],
)
def test_a_row_too_many_is_found(
    own: PartitionSpec, table: str, key: bytes, row: bytes, problem: str
) -> None:
    change(own, table, key, row)

    assert any(problem in each for each in found(own))


def test_unread_messages_that_a_timer_will_mark_are_in_order(own: PartitionSpec) -> None:
    with closing(State(state_path(own))) as state, state.batch() as writing:
        present = writing.batch.conversations.get(HERE)
        assert present is not None
        writing.batch.conversations.put(HERE, msgspec.structs.replace(present, unread_count=1))
    assert any("messages are unread" in each for each in found(own))

    change(own, "timers", keys.timer(NOW, HERE), b"")

    assert found(own) == []


def test_contacts_of_other_slots_are_not_looked_for(own: PartitionSpec) -> None:
    """What those were told of a conversation may be on its way still."""
    elsewhere = bytes((HERE[0] ^ 1, *HERE[1:]))
    change(own, "contact_of", HERE, elsewhere)

    assert found(own) == []
