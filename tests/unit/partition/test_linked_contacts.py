"""Who hides the phone number is found in the conversation that they had under it."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Micros
from airy_ray.model.channel import Channel
from airy_ray.model.events import AliasKnown, ContactLinked, Event, Place
from airy_ray.model.ids import slot_of
from airy_ray.partition.fold import encode_event
from airy_ray.partition.interpret import NO_SUCH_CHANNEL
from airy_ray.partition.routing import record_of, reroute
from airy_ray.projections.linked_contacts import alias_of
from airy_ray.projections.view import Outgoing
from airy_ray.rawlog.record import Record
from airy_ray.sources.source import Webhook
from airy_ray.sources.whatsapp import Whatsapp
from airy_ray.state.tables import decoded
from tests import builders
from tests.builders import NOW
from tests.erasing import EVA, MARK, carry_out, traces
from tests.fakes import MemoryPartition
from tests.log_builders import append, owned, settle, spec
from tests.unit.partition.test_erasing_other_sources import erasure

NUMBER, USER_ID = "106", f"DE.{MARK}"
CHANNEL = builders.channel(NUMBER, source="whatsapp")
PLACE = builders.place(EVA, page=NUMBER, source="whatsapp")
ALIAS = alias_of("whatsapp", CHANNEL.id, USER_ID)
BOTH = {"from": EVA, "from_user_id": USER_ID}
HIDDEN = {"from_user_id": USER_ID}


def record(
    name: str,
    sender: dict[str, str],
    known: Place | None = None,
    *,
    channel: Channel | None = CHANNEL,
) -> Record:
    """Return the record of a message, as it is routed if the alias of its sender is known."""
    message = {"id": name, "timestamp": f"{NOW // 1_000}", "text": {"body": f"{MARK} text"}}
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": [message | sender]}
    entry = {"changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    return record_of(
        Whatsapp("secret"),
        Webhook(body, {}),
        lambda _: channel,
        Micros(NOW * 1_000),
        lambda alias: known if alias == ALIAS else None,
    )


def conversations(partition: MemoryPartition) -> list[Any]:
    return [each for _, each in partition.view.conversations.under(b"")]


def test_what_comes_under_the_other_name_joins_the_conversation() -> None:
    partition = MemoryPartition()
    partition.append(record("m1", BOTH))
    known = partition.view.aliases.get(ALIAS)
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
    own = builders.place(USER_ID, page=NUMBER, source="whatsapp")
    assert taken.conversation_id == (known or own).conversation_id
    assert again[1] == {slot_of(taken.conversation_id)}


def told_others(partition: MemoryPartition) -> list[tuple[int | None, Event]]:
    """Return what others are told of aliases, and in which slot."""
    rows = partition.tables.values["outbox"]
    sent: list[Outgoing] = [decoded("outbox", key, rows[key]) for key in sorted(rows)]
    decoder = msgspec.msgpack.Decoder(Event)
    return [(each.slot, decoder.decode(each.body)) for each in sent if each.source == "whatsapp"]


def test_a_link_is_told_once_to_the_partition_that_keeps_it() -> None:
    partition = MemoryPartition()
    for name in ("m1", "m2"):
        partition.append(record(name, BOTH))
    [(slot, told)] = told_others(partition)
    keeper = MemoryPartition()
    keeper.tell(told, NOW)

    assert slot == slot_of(ALIAS)
    assert keeper.view.aliases.get(ALIAS) == PLACE


def test_a_link_without_a_conversation_is_not_kept() -> None:
    partition = MemoryPartition()
    partition.tell(ContactLinked(PLACE, USER_ID), NOW)

    assert partition.view.aliases.get(ALIAS) is None
    assert told_others(partition) == []


def test_of_who_is_erased_neither_name_is_left(tmp_path: Path) -> None:
    own = spec(tmp_path)
    keeping = encode_event(AliasKnown("whatsapp", "contact", f"{MARK} {USER_ID}", PLACE))
    with owned(own) as partition:
        alias = builders.record(keeping, kind="forward", source="whatsapp")
        append(own.directory, [record("m1", BOTH), alias, record("m2", HIDDEN, PLACE)])
        settle(partition, NOW)
        assert traces(tmp_path)
        append(own.directory, [erasure(PLACE.conversation_id)])
        carry_out(partition, NOW + 60_000)

        assert traces(tmp_path) == []
