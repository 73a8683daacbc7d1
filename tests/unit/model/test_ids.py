from collections.abc import Callable
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.model import ids
from airy_ray.model.ids import ChannelId, CommandId, ConversationId, Slot
from tests import builders

CHANNEL = ids.channel_id("facebook", "108800000000001")
CONVERSATION = ids.conversation_id(CHANNEL, "4383398935030571")
COMMAND = ids.command_id(Slot(77), b"a key")

MADE = {
    "channel": lambda name: ids.channel_id("facebook", name),
    "conversation": lambda name: ids.conversation_id(CHANNEL, name),
    "message": lambda name: ids.message_id(CONVERSATION, name),
    "contact": lambda name: ids.contact_id(ids.conversation_id(CHANNEL, name)),
    "command": lambda name: ids.command_id(Slot(5), name.encode("utf-8", "surrogatepass")),
    "derived": lambda name: ids.derived_id(COMMAND, str(hash(name))[:15]),
    "random": lambda name: ids.random_id(name.encode("utf-8", "surrogatepass").ljust(16)[:16]),
}
makers = pytest.mark.parametrize("make", MADE.values(), ids=MADE.keys())
names = st.text(st.characters(exclude_categories=()), max_size=40)


@makers
@given(name=names)
def test_every_id_is_a_version_8_uuid(make: Callable[[str], bytes], name: str) -> None:
    made = UUID(bytes=make(name))

    assert (made.version, made.variant) == (8, RFC_4122)


@makers
@given(name=names)
def test_the_same_input_makes_the_same_id(make: Callable[[str], bytes], name: str) -> None:
    assert make(name) == make(name)


@given(one=names, other=names)
def test_different_messages_have_different_ids(one: str, other: str) -> None:
    is_same_id = ids.message_id(CONVERSATION, one) == ids.message_id(CONVERSATION, other)

    assert is_same_id == (one == other)


@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        pytest.param(CHANNEL, "0987897c-8848-8542-b52d-a5c442098d38", id="channel"),
        pytest.param(CONVERSATION, "3b377123-b9dd-8249-b1b5-ecd4cc2386f7", id="conversation"),
        pytest.param(COMMAND, "004de523-da46-8b93-9100-311cea6548e7", id="command"),
        pytest.param(
            ids.message_id(CONVERSATION, "m_AG5Hz2text0001"),
            "3b3771d7-4ed2-844b-89dc-ce14832730fe",
            id="message",
        ),
        pytest.param(
            ids.contact_id(CONVERSATION), "3b37c343-d980-874d-920c-eaac9dd9548d", id="contact"
        ),
    ],
)
def test_the_ids_of_a_known_log_stay_what_they_are(identifier: bytes, text: str) -> None:
    assert ids.format_id(identifier) == text


@pytest.mark.parametrize(
    "identifier",
    [
        pytest.param(ids.message_id(CONVERSATION, "m1"), id="message"),
        pytest.param(ids.contact_id(CONVERSATION), id="contact"),
        pytest.param(ids.message_of_command(COMMAND, CONVERSATION), id="sent message"),
    ],
)
def test_what_belongs_to_a_conversation_carries_its_slot(identifier: bytes) -> None:
    assert ids.slot_of(identifier) == ids.slot_of(CONVERSATION)


@pytest.mark.parametrize("slot", [0, 1, 0x8000, 65_535])
def test_a_command_and_what_it_makes_carry_the_slot_it_was_given(slot: int) -> None:
    command = ids.command_id(Slot(slot), b"key")

    assert ids.slot_of(command) == slot
    assert ids.slot_of(ids.derived_id(command, "channel")) == slot


def test_one_command_makes_different_things_different_ids() -> None:
    made = {ids.derived_id(COMMAND, what) for what in ("channel", "tag", "webhook")}

    assert len(made) == 3


@pytest.mark.parametrize(
    ("slot", "partitions", "partition"),
    [
        pytest.param(0, 4, 0, id="the first slot"),
        pytest.param(16_383, 4, 0, id="the last of the first partition"),
        pytest.param(16_384, 4, 1, id="the first of the second"),
        pytest.param(65_535, 4, 3, id="the last slot"),
        pytest.param(65_535, 1, 0, id="one partition"),
        pytest.param(65_535, 3, 2, id="uneven shares"),
    ],
)
def test_a_partition_owns_a_range_of_slots(slot: int, partitions: int, partition: int) -> None:
    assert ids.partition_of(Slot(slot), partitions) == partition


@given(partitions=st.integers(1, 1_024))
def test_slots_are_shared_evenly_and_in_order(partitions: int) -> None:
    owners = [ids.partition_of(Slot(slot), partitions) for slot in range(0, ids.SLOTS, 7)]

    assert owners == sorted(owners)
    assert (owners[0], ids.partition_of(Slot(ids.SLOTS - 1), partitions)) == (0, partitions - 1)


@given(partitions=st.integers(1, 1_024), slot=st.integers(0, ids.SLOTS - 1))
def test_no_slot_belongs_to_the_registry(partitions: int, slot: int) -> None:
    assert ids.partition_of(Slot(slot), partitions) != ids.REGISTRY


def test_many_conversations_spread_over_the_partitions() -> None:
    owners = [
        ids.partition_of(ids.slot_of(builders.conversation_id(f"contact {number}")), 4)
        for number in range(2_000)
    ]

    assert all(400 < owners.count(ids.PartitionIndex(index)) < 600 for index in range(4))


@given(identifier=st.binary(min_size=16, max_size=16))
def test_an_id_reads_back_from_its_text(identifier: bytes) -> None:
    text = ids.format_id(identifier)

    assert text == str(UUID(bytes=identifier))
    assert ids.parse_id(text) == identifier


@pytest.mark.parametrize("spell", [str.upper, lambda text: text.replace("-", ""), "{{{}}}".format])
def test_an_id_may_be_spelled_as_uuids_are(spell: Callable[[str], str]) -> None:
    assert ids.parse_id(spell(ids.format_id(CONVERSATION))) == CONVERSATION


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("not a uuid", id="words"),
        pytest.param("a688d36c-a85e-44af-bc02-4248c2c9762", id="too short"),
        pytest.param("a688d36c-a85e-44af-bc02-4248c2c976222", id="too long"),
        pytest.param("g688d36c-a85e-44af-bc02-4248c2c97622", id="no hex"),
        pytest.param("a688d36c-a85e-44af-bc02-4248c2c9762 ", id="white space"),
        pytest.param("a688d36c-a85e-44af-bc02- 248c2c9762 ", id="white space within"),
        pytest.param("--------8----8----8----8------------", id="only dashes"),
        pytest.param("٣688d36c-a85e-44af-bc02-4248c2c97622", id="other digits"),
    ],
)
def test_what_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ids.parse_id(text)


@given(text=st.text(max_size=40))
def test_any_text_is_an_id_of_16_bytes_or_refused(text: str) -> None:
    try:
        identifier = ids.parse_id(text)
    except ValueError:
        return

    assert len(identifier) == 16


def test_ids_of_equal_names_differ_between_sources_and_channels() -> None:
    channels = {ids.channel_id(source, "1") for source in ("facebook", "instagram")}
    conversations = {ids.conversation_id(ChannelId(channel), "1") for channel in channels}

    assert (len(channels), len(conversations)) == (2, 2)


def test_a_source_and_a_channel_cannot_run_together() -> None:
    assert ids.channel_id("a", "bc") != ids.channel_id("ab", "c")


def test_two_messages_of_one_command_in_two_conversations_differ() -> None:
    command = CommandId(COMMAND)
    other = ConversationId(ids.conversation_id(CHANNEL, "another"))

    assert ids.message_of_command(command, CONVERSATION) != ids.message_of_command(command, other)
