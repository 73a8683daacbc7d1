"""Who hides the phone number is found in the conversation that they had under it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Micros
from airy_ray.model.channel import Channel
from airy_ray.model.commands import SendMessage
from airy_ray.model.events import MessageDelivered, Place
from airy_ray.model.ids import (
    ChannelId,
    CommandId,
    ContactId,
    MessageId,
    format_id,
    message_of_command,
    owner_of,
    parse_id,
    slot_of,
)
from airy_ray.partition import forwarding
from airy_ray.partition.fold import encode_event
from airy_ray.partition.interpret import NO_SUCH_CHANNEL
from airy_ray.partition.partition import Partition
from airy_ray.partition.refold import differences, fold_again
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
SENT = f"wamid.{MARK}"
"""What WhatsApp calls a message of ours."""
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
    return told("messages", message | sender, known, channel)


def status(state: str, names: dict[str, str] | None = None, *, of: str = SENT) -> Record:
    """Return the record of how far a message of ours has got, once the other name is known."""
    named = {"id": of, "timestamp": f"{NOW // 1_000}", "status": state}
    return told("statuses", named | (names or {"recipient_user_id": USER_ID}), PLACE, CHANNEL)


def told(kind: str, item: object, known: Place | None, channel: Channel | None) -> Record:
    value = {"metadata": {"phone_number_id": NUMBER}, kind: [item]}
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


class Partitions:
    """Partitions, which pass on to one another what they have for each other."""

    def __init__(self, partitions: list[Partition]) -> None:
        self.partitions = partitions

    def take(self, *records: Record) -> None:
        """Append records, and fold all that comes of them."""
        for each in records:
            for index in partitions_of(each, len(self.partitions)):
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
        with reading(self.of(alias).state.environment) as view:
            return view.alias(alias)

    def of(self, identifier: bytes) -> Partition:
        """Return the partition that an id lives in."""
        return self.partitions[owner_of(identifier, len(self.partitions))]

    def answer(self, place: Place) -> MessageId:
        """Write to a contact, by whatever name, and have WhatsApp take it; return its id."""
        asked = SendMessage(
            id=format_id(builders.command_id(place.source_conversation_id)),
            principal="agent",
            conversation_id=format_id(place.conversation_id),
            message=msgspec.Raw(b'{"text":{"body":"Hello"}}'),
        )
        sent = message_of_command(CommandId(parse_id(asked.id)), place.conversation_id)
        taken = encode_event(MessageDelivered(sent, SENT, NOW))
        records = [builders.command_record(asked), outcome(taken)]
        append(self.of(sent).spec.directory, records)
        self.take()
        return sent

    def message(self, identifier: MessageId) -> Any:
        """Return what is told of a message, with its state."""
        with reading(self.of(identifier).state.environment) as view:
            found = view.message(identifier)
        assert found is not None
        return {"state": found.delivery_state} | json.loads(found.metadata)

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
def two(tmp_path: Path) -> Iterator[Partitions]:
    with ExitStack() as stack:
        yield Partitions(
            [
                stack.enter_context(owned(spec(tmp_path, index=index, count=COUNT)))
                for index in range(COUNT)
            ]
        )


def outcome(body: bytes) -> Record:
    return builders.record(body, kind="outcome", source="")


@pytest.fixture(params=[1, COUNT])
def some(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Partitions]:
    """One partition that has both conversations, or two."""
    with ExitStack() as stack:
        specs = [spec(tmp_path, index=index, count=request.param) for index in range(request.param)]
        yield Partitions([stack.enter_context(owned(each)) for each in specs])


@pytest.mark.parametrize("names", [None, {"recipient_user_id": USER_ID, "recipient_id": EVA}])
def test_a_message_from_before_the_link_gets_its_receipts(
    some: Partitions, names: dict[str, str] | None
) -> None:
    some.take(record("m1", HIDDEN))
    sent = some.answer(OWN)
    some.take(record("m2", BOTH))

    for told_as, expected in [("delivered", "delivered"), ("read", "seen")]:
        some.take(status(told_as, names))
        assert some.message(sent)["source"]["delivery_state"] == expected


def test_a_message_from_before_the_link_may_fail(some: Partitions) -> None:
    some.take(record("m1", HIDDEN))
    sent = some.answer(OWN)
    some.take(record("m2", BOTH), status("failed"))

    found = some.message(sent)
    assert (found["state"], found["error"]) == ("failed", "WhatsApp error")


def test_a_receipt_of_a_message_from_after_the_link_is_passed_on_to_nobody(
    some: Partitions,
) -> None:
    some.take(record("m1", HIDDEN), record("m2", BOTH))
    sent = some.answer(PLACE)
    before = sum(each.tail.head for each in some.partitions)
    some.take(status("read"))

    assert some.message(sent)["source"]["delivery_state"] == "seen"
    assert sum(each.tail.head for each in some.partitions) == before + 1


def test_of_who_is_erased_no_receipt_is_left_that_was_looked_for_elsewhere(
    some: Partitions, tmp_path: Path
) -> None:
    some.take(record("m1", BOTH), status("read", of=f"wamid.{MARK}.of-another-program"))
    assert traces(tmp_path)
    for each in some.partitions:
        append(each.spec.directory, [erasure(PLACE.conversation_id)])
        carry_out(each, NOW + 60_000)

    assert traces(tmp_path) == []


def test_folding_again_gives_the_same_rows(some: Partitions, tmp_path: Path) -> None:
    some.take(record("m1", HIDDEN))
    some.answer(OWN)
    some.take(record("m2", BOTH), status("delivered"), status("failed"))

    for each in some.partitions:
        kept, fresh = tmp_path / f"kept-{each.spec.name}", tmp_path / f"fresh-{each.spec.name}"
        kept.mkdir()
        each.state.environment.copy(kept)
        assert list(fold_again(each.spec, fresh, each.applied))
        assert list(differences(kept, fresh)) == []


def test_what_comes_before_the_link_is_folded_joins_the_conversation(two: Partitions) -> None:
    two.take(record("m1", BOTH), record("m2", HIDDEN), record("m3", HIDDEN))

    assert two.held() == {EVA: 3}
    assert two.people() == 1


def test_what_is_passed_on_twice_is_there_once(two: Partitions) -> None:
    two.take(record("m1", BOTH), record("m2", HIDDEN), record("m2", HIDDEN))

    assert two.held() == {EVA: 2}


def test_who_hid_the_number_at_first_is_one_contact_once_it_is_known(two: Partitions) -> None:
    two.take(record("m1", HIDDEN))
    assert two.people() == 1
    two.take(record("m2", BOTH))
    two.take(record("m3", HIDDEN))

    assert two.held() == {USER_ID: 1, EVA: 2}
    assert two.people() == 1


def test_a_link_is_kept_once(two: Partitions) -> None:
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
