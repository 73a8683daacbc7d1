"""What is read out of a state."""

from collections.abc import Iterator

import pytest

from airy_ray.clock import Millis
from airy_ray.model.commands import MarkRead, SeeUser
from airy_ray.model.ids import ChannelId, format_id
from airy_ray.partition.partition import Partition
from airy_ray.projections import keys
from airy_ray.state import queries
from airy_ray.state.queries import Reading, reading
from tests import builders
from tests.log_builders import NOW, append, settle


@pytest.fixture
def view(partition: Partition) -> Iterator[Reading]:
    with reading(partition.state.environment) as opened:
        yield opened


def test_conversations_are_listed_by_their_newest_message(view: Reading) -> None:
    found = view.listed_conversations(view.conversation_keys(3))

    assert [row.source_conversation_id for row in found] == ["contact-0", "contact-6", "contact-5"]
    assert view.conversation_count() == 7


def test_a_conversation_is_found_by_its_id(view: Reading) -> None:
    found = view.conversation(builders.conversation_id("contact-0"))

    assert found is not None
    assert (found.last_message_at, found.message_count) == (NOW + 49, 8)
    assert view.conversation(builders.conversation_id("nobody")) is None


def test_messages_of_a_conversation_come_newest_first_from_any_of_them(view: Reading) -> None:
    conversation = builders.conversation_id("contact-0")
    newest = view.messages(conversation, None, 3)
    start = keys.message(conversation, newest[1].sent_at, newest[1].id)

    assert [message.sent_at - NOW for message in newest] == [49, 42, 35]
    assert view.messages(conversation, start, 2) == newest[1:]
    assert len(view.messages(conversation, None, 99)) == 8


def test_a_message_is_found_by_its_id(view: Reading) -> None:
    identifier = builders.message_id("7", contact="contact-0")
    found = view.message(identifier)

    assert found is not None
    assert view.message_key(identifier) == keys.message(
        builders.conversation_id("contact-0"), found.sent_at, identifier
    )
    assert view.message(builders.message_id("nothing")) is None


def test_changes_are_told_after_a_position_oldest_first(view: Reading) -> None:
    first = view.changes(-1, 3)
    rest = view.changes(first[-1][0], 1_000)

    assert [change.kind for _, change in first[:2]] == ["message.created", "metadata.updated"]
    assert [sequence >> 16 for sequence, _ in first] == [0, 0, 1]
    assert len(first) + len(rest) == 100
    assert view.changes(rest[-1][0], 1) == []


def test_the_ledger_tells_newest_first_what_became_of_records(view: Reading) -> None:
    newest = view.ledger(None, 2)
    before = view.ledger(newest[-1][0], 1_000)

    assert [offset for offset, _ in newest] == [49, 48]
    assert [offset for offset, _ in before] == [*range(47, -1, -1)]
    entry = newest[0][1]
    assert (entry.verdict, entry.source) == ("applied", "facebook")
    assert entry.message_ids == (builders.message_id("49", contact="contact-0"),)


def test_a_reading_is_one_moment_whatever_is_folded_meanwhile(
    partition: Partition, view: Reading
) -> None:
    identifier = builders.command_id()
    command = MarkRead(
        id=format_id(identifier), conversation_id=format_id(builders.conversation_id("contact-0"))
    )
    append(partition.spec.directory, [builders.command_record(command)])
    settle(partition)

    assert (view.applied(), view.answer(identifier)) == (50, None)
    with reading(partition.state.environment) as later:
        answer = later.answer(identifier)
        assert (later.applied(), answer and answer.status) == (51, 204)


def test_counts_are_those_of_all_tables(view: Reading) -> None:
    counts = view.counts()

    assert (counts["messages"], counts["conversations"], counts["ledger"]) == (50, 7, 50)


def test_conversations_on_some_channels_are_found_step_by_step(partition: Partition) -> None:
    own, other = frozenset({builders.channel().id}), frozenset({builders.unknown_channel_id()})
    with reading(partition.state.environment) as view:
        first, after = view.conversation_keys_on(own, None, 4)
        rest, end = view.conversation_keys_on(own, after, 4)

        assert first + rest == view.conversation_keys(99)
        assert (len(first), len(rest), end) == (4, 3, None)
        assert view.conversation_keys_on(other, None, 4) == ([], after)
        assert view.conversation_keys_on(own, first[-1], 3) == (rest, rest[-1])
        assert view.conversation_keys_on(own, rest[-1], 3) == ([], None)


def test_users_are_walked_by_id_forwards_and_backwards(partition: Partition) -> None:
    names = ["github:1", "github:2", "google:a@a.test", "okta-eu:b@a.test"]
    append(
        partition.spec.directory,
        [
            builders.command_record(SeeUser(id=format_id(builders.command_id(name)), user_id=name))
            for name in reversed(names)
        ],
    )
    settle(partition)

    with reading(partition.state.environment) as view:
        assert [user.id for user in view.users(None, 99)] == names
        assert [user.id for user in view.users(names[1], 2)] == names[1:3]
        before = [view.user_before(names[3], distance) for distance in (1, 3, 4)]
        assert [user and user.id for user in before] == [names[2], names[0], None]
        assert view.user_before("nobody", 1) is None
        assert view.user_count() == 4
        assert view.user_providers() == {"github", "google", "okta-eu"}


@pytest.mark.parametrize("page", [1, 3, 1_000])
def test_profiles_that_are_due_are_found_page_by_page(
    view: Reading, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_PROFILES_PAGE", page)

    def due(at: int, *channels: ChannelId, limit: int = 9) -> list[str]:
        found: list[str] = []
        start: bytes | None = b""
        while start is not None:
            rows, start = view.due_profiles(Millis(at), channels, start, limit)
            assert len(rows) <= min(page, limit)
            found += [each.place.source_conversation_id for each in rows]
        return sorted(found)

    ours, other = builders.place().channel_id, builders.place(page="another").channel_id
    everybody = [f"contact-{number}" for number in range(7)]
    assert due(NOW + 50, other, ours) == due(NOW + 50, ours, limit=2) == everybody
    assert due(NOW + 2, ours) == everybody[:3]
    assert due(NOW + 50, other) == due(NOW - 1, ours) == []
