"""Who hides the phone number is found in the conversation that they had under it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airy_ray.clock import Micros
from airy_ray.model.channel import Channel
from airy_ray.model.events import Place
from airy_ray.model.ids import ChannelId, ContactId, owner_of, slot_of
from airy_ray.partition import forwarding
from airy_ray.partition.interpret import NO_SUCH_CHANNEL
from airy_ray.partition.partition import Partition
from airy_ray.partition.routing import partitions_of, record_of, reroute
from airy_ray.rawlog.record import Record
from airy_ray.sources.source import Webhook
from airy_ray.sources.whatsapp import Whatsapp
from airy_ray.state.queries import reading
from tests import builders
from tests.builders import NOW
from tests.erasing import EVA, MARK, carry_out, traces
from tests.fakes import MemoryPartition
from tests.log_builders import append, owned, settle, spec
from tests.unit.partition.test_erasing_other_sources import erasure

NUMBER = "106"
COUNT = 2
PLACE = builders.place(EVA, page=NUMBER, source="whatsapp")
USER_ID = next(
    name
    for name in (f"DE.{MARK}.{number}" for number in count())
    if owner_of(builders.place(name, page=NUMBER, source="whatsapp").conversation_id, COUNT)
    != owner_of(PLACE.conversation_id, COUNT)
)
"""An id whose conversation is in another partition than that of the number."""
OWN = builders.place(USER_ID, page=NUMBER, source="whatsapp")
CHANNEL = builders.channel(NUMBER, source="whatsapp")
BOTH = {"from": EVA, "from_user_id": USER_ID}
HIDDEN = {"from_user_id": USER_ID}


def record(
    name: str,
    sender: dict[str, str],
    known: Place | None = None,
    *,
    channel: Channel | None = CHANNEL,
) -> Record:
    """Return the record of a message, as it is routed if the other name of its sender is known."""
    message = {"id": name, "timestamp": f"{NOW // 1_000}", "text": {"body": f"{MARK} text"}}
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": [message | sender]}
    entry = {"changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    return record_of(
        Whatsapp("secret"),
        Webhook(body, {}),
        lambda _: channel,
        Micros(NOW * 1_000),
        lambda alias: known if alias == OWN.conversation_id else None,
    )


def conversations(partition: MemoryPartition) -> list[Any]:
    return [each for _, each in partition.view.conversations.under(b"")]


def test_what_comes_under_the_other_name_joins_the_conversation() -> None:
    partition = MemoryPartition()
    partition.append(record("m1", BOTH))
    known = partition.view.aliases.get(OWN.conversation_id)
    partition.append(record("m2", HIDDEN, known))
    [conversation] = conversations(partition)

    assert known == PLACE
    assert conversation.id == PLACE.conversation_id
    assert conversation.source_conversation_id == EVA
    assert conversation.message_count == 2
    assert {each.sender_id for _, each in partition.view.messages.under(b"")} == {EVA}


def test_who_was_never_linked_has_a_conversation_of_their_own() -> None:
    partition = MemoryPartition()
    partition.append(record("m1", HIDDEN))
    [conversation] = conversations(partition)

    assert conversation.source_conversation_id == USER_ID


@pytest.mark.parametrize("known", [PLACE, None], ids=["linked", "never linked"])
def test_what_waited_for_its_channel_joins_the_conversation_too(known: Place | None) -> None:
    waiting = record("m2", HIDDEN, channel=None)
    assert [each.refused for each in waiting.routes] == [NO_SUCH_CHANNEL]
    again = reroute(waiting, {CHANNEL.id: CHANNEL}.get, lambda _: known, Micros(NOW * 1_000))

    assert again is not None
    [taken] = again[0].routes
    assert taken.conversation_id == (known or OWN).conversation_id
    assert again[1] == {slot_of(taken.conversation_id)}


class Two:
    """Two partitions, which pass on to one another what they have for each other."""

    def __init__(self, partitions: list[Partition]) -> None:
        self.partitions = partitions

    def take(self, *records: Record) -> None:
        """Append records, and fold all that comes of them."""
        for each in records:
            for index in partitions_of(each, COUNT):
                append(self.partitions[index].spec.directory, [each])
        while self._forward():
            pass

    def _forward(self) -> bool:
        for partition in self.partitions:
            settle(partition)
        is_news = False
        for partition in self.partitions:
            for sequence, outgoing in forwarding.pending(partition):
                is_news = True
                found = forwarding.records_of(
                    partition, sequence, outgoing, self._channel, self._alias, Micros(NOW * 1_000)
                )
                for target, each in found:
                    append(self.partitions[target].spec.directory, [each])
                forwarding.mark_forwarded(partition, sequence)
        return is_news

    def _channel(self, _: ChannelId) -> Channel:
        return CHANNEL

    def _alias(self, alias: bytes) -> Place | None:
        keeper = self.partitions[owner_of(alias, COUNT)]
        with reading(keeper.state.environment) as view:
            return view.alias(alias)

    def held(self) -> dict[str, int]:
        """Return how many messages conversations have, by how their contacts are called."""
        found = {}
        for partition in self.partitions:
            with reading(partition.state.environment) as view:
                for head in view.listed_conversations(view.conversation_keys(10)):
                    row = view.conversation(head.id)
                    assert row is not None
                    found[row.source_conversation_id] = row.message_count
        return found

    def people(self) -> int:
        """Return how many contacts there are who are not merged into others."""
        found = []
        for partition in self.partitions:
            with reading(partition.state.environment) as view:
                rows, _ = view.stored_rows("contacts", b"", 10)
                found += [view.contact(ContactId(key)) for key, _ in rows]
        return sum(each is not None and each.merged_into is None for each in found)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    with ExitStack() as stack:
        yield Two(
            [
                stack.enter_context(owned(spec(tmp_path, index=index, count=COUNT)))
                for index in range(COUNT)
            ]
        )


def test_what_comes_before_the_link_is_folded_joins_the_conversation(two: Two) -> None:
    two.take(record("m1", BOTH), record("m2", HIDDEN), record("m3", HIDDEN))

    assert two.held() == {EVA: 3}
    assert two.people() == 1


def test_what_is_passed_on_twice_is_there_once(two: Two) -> None:
    two.take(record("m1", BOTH), record("m2", HIDDEN), record("m2", HIDDEN))

    assert two.held() == {EVA: 2}


def test_who_hid_the_number_at_first_is_one_contact_once_it_is_known(two: Two) -> None:
    two.take(record("m1", HIDDEN))
    assert two.people() == 1
    two.take(record("m2", BOTH))
    two.take(record("m3", HIDDEN))

    assert two.held() == {USER_ID: 1, EVA: 2}
    assert two.people() == 1


def test_a_link_is_kept_once(two: Two) -> None:
    two.take(record("m1", BOTH))
    before = [each.tail.head for each in two.partitions]
    two.take(record("m2", BOTH, PLACE))

    grown = [each.tail.head - head for each, head in zip(two.partitions, before, strict=True)]
    assert sorted(grown) == [0, 1]


def test_of_who_is_erased_neither_name_is_left(tmp_path: Path) -> None:
    own = spec(tmp_path)
    with owned(own) as partition:
        append(own.directory, [record("m1", BOTH), record("m2", HIDDEN, PLACE)])
        settle(partition, NOW)
        assert traces(tmp_path)
        append(own.directory, [erasure(PLACE.conversation_id)])
        carry_out(partition, NOW + 60_000)

        assert traces(tmp_path) == []
