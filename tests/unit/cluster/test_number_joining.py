"""Whoever has the same phone number at several sources becomes one contact, if that is wished."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from airy_ray.cluster.commands import Commands
from airy_ray.cluster.delivering import DeliveringProcess
from airy_ray.cluster.duties import Duties
from airy_ray.cluster.machine import Machine, MachineSpec
from airy_ray.cluster.partitions import Partitions
from airy_ray.model.commands import UnmergeContacts
from airy_ray.model.contact import Snapshot
from airy_ray.model.events import ChannelStored, Event, MessageReceived, Place
from airy_ray.model.ids import (
    REGISTRY,
    ContactId,
    ConversationId,
    PartitionIndex,
    command_id,
    format_id,
    message_id,
    owner_of,
    slot_of,
)
from airy_ray.partition.fold import encode_event
from airy_ray.state.queries import Reading
from tests import builders
from tests.builders import NOW
from tests.log_builders import append
from tests.unit.cluster.machines import owned_machine
from tests.unit.cluster.test_owner import LONG_S, until

COUNT = 2
DIGITS = "4915112345678"
WHATSAPP = builders.place(DIGITS, page="1063", source="whatsapp")
SMS = builders.place(f"+{DIGITS}", page="+15005550006", source="twilio.sms")
TWILIO = builders.place(f"whatsapp:+{DIGITS}", page="whatsapp:+1500", source="twilio.whatsapp")
SOMEBODY = builders.place("+4915187654321", page="+15005550006", source="twilio.sms")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[MachineSpec]:
    """Two partitions and the registry, with their owners, who tell one another."""
    with owned_machine(tmp_path, COUNT, lambda _: builders.channel()) as made:
        for place in (WHATSAPP, SMS, TWILIO):
            channel = msgspec.structs.replace(
                builders.channel(source=place.source), id=place.channel_id
            )
            tell(made, REGISTRY, ChannelStored(channel, {}))
        yield made


def tell(machine: MachineSpec, index: PartitionIndex, event: Event) -> None:
    """Append an event to a partition's log."""
    record = builders.record(encode_event(event), kind="outcome", source="")
    append(machine.partition(index).directory, [record])


@contextmanager
def joining(machine: MachineSpec, *, is_wished: bool = True) -> Iterator[None]:
    """Run the process that merges."""
    process = DeliveringProcess(
        machine.partitions, machine.run_directory, Duties(joins_numbers=is_wished)
    )
    try:
        yield
    finally:
        process.end()


def write(
    machine: MachineSpec, place: Place, *, name: str = "m1", from_contact: bool = True, at: int = 0
) -> None:
    """Have a message come in, so many milliseconds after others."""
    message = msgspec.structs.replace(
        builders.message(name, sent_at=NOW + at, from_contact=from_contact),
        id=message_id(place.conversation_id, name),
        conversation_id=place.conversation_id,
        channel_id=place.channel_id,
        source=place.source,
    )
    owner = owner_of(place.conversation_id, COUNT)
    tell(machine, owner, MessageReceived(place, message))


def asked(machine: MachineSpec, ask: Callable[[Machine], Awaitable[object]]) -> object:
    """Return what a serving process is answered."""

    async def main() -> object:
        with closing(Machine(machine, appends_seldom=True)) as opened:
            return await ask(opened)

    return asyncio.run(main())


def contact_of(machine: MachineSpec, place: Place) -> Snapshot | None:
    conversation: ConversationId = place.conversation_id

    async def ask(opened: Machine) -> Snapshot | None:
        return await Partitions(opened.partitions, COUNT).contact_of(conversation)

    found = asked(machine, ask)
    assert found is None or isinstance(found, Snapshot)
    return found


def held_by(machine: MachineSpec, place: Place) -> ContactId | None:
    found = contact_of(machine, place)
    return None if found is None else found.contact.id


def is_one(machine: MachineSpec, *places: Place) -> bool:
    """Whether conversations are with one contact, who knows them all."""
    found = contact_of(machine, places[0])
    return found is not None and {place.conversation_id for place in places} == {
        conversation for conversation, _ in found.identities
    }


def is_settled(machine: MachineSpec, *places: Place) -> bool:
    """Whether for all of these the others were looked for."""

    async def ask(opened: Machine) -> bool:
        waiting: list[ConversationId] = []
        for access in opened.partitions.values():
            waiting += await access.ask(Reading.verified_numbers, 100)
        return not set(waiting) & {place.conversation_id for place in places}

    return bool(asked(machine, ask))


def test_who_writes_from_one_number_becomes_one_contact(machine: MachineSpec) -> None:
    """Those who are there already, and those who come while it runs."""
    write(machine, SMS)
    write(machine, WHATSAPP, at=1)
    write(machine, SOMEBODY)
    until(lambda: held_by(machine, SMS) and held_by(machine, SOMEBODY))
    first = held_by(machine, SMS)
    with joining(machine):
        until(lambda: is_one(machine, SMS, WHATSAPP))
        write(machine, TWILIO, at=2)
        until(lambda: is_one(machine, SMS, WHATSAPP, TWILIO))
        until(lambda: is_settled(machine, SMS, WHATSAPP, TWILIO, SOMEBODY))

    assert held_by(machine, WHATSAPP) == first  # the conversation that began first
    assert is_one(machine, SOMEBODY)


def test_nobody_is_merged_if_it_is_not_wished(machine: MachineSpec) -> None:
    with joining(machine, is_wished=False):
        write(machine, SMS)
        write(machine, WHATSAPP, at=1)
        until(lambda: held_by(machine, SMS) and held_by(machine, WHATSAPP))

    assert not is_settled(machine, SMS)
    assert is_one(machine, SMS)
    assert is_one(machine, WHATSAPP)


def test_who_was_only_written_to_is_not_known_by_the_number(machine: MachineSpec) -> None:
    with joining(machine):
        write(machine, SMS, from_contact=False)
        write(machine, WHATSAPP, at=1)
        until(lambda: held_by(machine, SMS) and held_by(machine, WHATSAPP))
        until(lambda: is_settled(machine, WHATSAPP))
        assert is_one(machine, WHATSAPP)

        write(machine, SMS, name="m2", at=2)
        until(lambda: is_one(machine, SMS, WHATSAPP))


def test_who_was_parted_stays_parted(machine: MachineSpec) -> None:
    with joining(machine):
        write(machine, SMS)
        until(lambda: held_by(machine, SMS))
        write(machine, WHATSAPP, at=1)
        until(lambda: is_one(machine, SMS, WHATSAPP))
        part(machine)
        until(lambda: is_one(machine, SMS) and is_one(machine, WHATSAPP))
        write(machine, WHATSAPP, name="m2", at=2)
        write(machine, TWILIO, at=3)
        until(lambda: is_one(machine, SMS, TWILIO))
        until(lambda: is_settled(machine, TWILIO))
        assert is_one(machine, WHATSAPP)


def part(machine: MachineSpec) -> None:
    """Have somebody say that the two are not one person."""
    found = contact_of(machine, SMS)
    assert found is not None
    [merge] = found.history
    command = UnmergeContacts(
        id=format_id(command_id(slot_of(found.contact.id), b"part")),
        principal="agent",
        destination_id=format_id(found.contact.id),
        source_id=format_id(merge.source.id),
    )

    async def ask(opened: Machine) -> int:
        commands = Commands(opened.partitions, COUNT, wait_s=LONG_S)
        return (await commands.carry_out_everywhere(command)).status

    assert asked(machine, ask) == 200
