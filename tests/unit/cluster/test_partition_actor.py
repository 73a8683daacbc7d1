"""The class of the actor, without Ray: it owns its partition whatever state the logs are in."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from airy_ray.clock import Micros
from airy_ray.cluster import partition_actor
from airy_ray.cluster.machine import MachineSpec
from airy_ray.cluster.partition_actor import PartitionActor
from airy_ray.errors import StateError
from airy_ray.model.conversation import Conversation
from airy_ray.model.events import ChannelSeen, ChannelStored, ContactLinked, Event
from airy_ray.model.ids import REGISTRY, ConversationId, PartitionIndex, owner_of
from airy_ray.partition.fold import encode_event
from airy_ray.partition.interpret import home_of
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.routing import record_of
from airy_ray.rawlog.record import Kind, Record
from airy_ray.rawlog.tail import LogTail, path_of
from airy_ray.sources.source import Webhook
from airy_ray.sources.whatsapp import Whatsapp
from tests import builders
from tests.log_builders import append, project, spec, webhooks

AT = 1_763_712_000_000_000
LONG_S = 30.0
PAGE = 4_096


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MachineSpec:
    """Two partitions and the registry."""
    monkeypatch.setattr(partition_actor, "log_to_stderr", lambda: None)
    partitions = [spec(tmp_path, index=index, count=2) for index in range(2)]
    registry = replace(partitions[0], index=REGISTRY, directory=tmp_path / "registry")
    return MachineSpec([*partitions, registry], tmp_path, LONG_S, 100)


@contextmanager
def running(machine: MachineSpec, index: PartitionIndex) -> Iterator[PartitionActor]:
    actor = PartitionActor(index, machine)
    try:
        yield actor
    finally:
        asyncio.run(actor.stop())


def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_owner(actor: PartitionActor) -> bool:
    return asyncio.run(actor.status()).is_owner


@pytest.mark.parametrize("damaged", [0, 1], ids=["its own", "another's"])
def test_a_log_that_cannot_be_opened_keeps_nobody_from_owning_a_partition(
    machine: MachineSpec, damaged: int
) -> None:
    for own in machine.partitions[:2]:
        project(own, webhooks(20))
    file = path_of(machine.partitions[damaged].directory, 1) / "data.mdb"
    content = file.read_bytes()
    file.write_bytes(content[: 2 * PAGE] + bytes(len(content) - 2 * PAGE))

    with running(machine, PartitionIndex(0)) as actor:
        until(lambda: is_owner(actor))


def test_the_registry_too_is_owned_when_its_log_cannot_be_opened(machine: MachineSpec) -> None:
    own = machine.partition(REGISTRY)
    project(own, [])
    file = path_of(own.directory, 1) / "data.mdb"
    file.write_bytes(bytes(file.stat().st_size))

    with running(machine, REGISTRY) as actor:
        until(lambda: is_owner(actor))


def test_what_waited_under_another_name_is_routed_by_what_another_partition_knows(
    machine: MachineSpec,
) -> None:
    """Somebody hides their number; where their conversation is, one partition alone knows."""
    number, hidden = "106", "DE.hidden"
    channel = builders.channel(number, source="whatsapp")
    place = builders.place(page=number, source="whatsapp")
    other_name = builders.place(hidden, page=number, source="whatsapp")
    keeper = owner_of(other_name.conversation_id, 2)
    project(machine.partition(REGISTRY), [told(ChannelStored(channel, {}))])
    project(machine.partition(keeper), [told(ContactLinked(other_name, builders.ADA))])
    other = PartitionIndex(1 - keeper)
    waiting = next(each for each in map(hidden_message, range(99)) if home_of(each, 2) == other)
    seen = ChannelSeen(channel.id, "whatsapp", number, connected=True)
    project(machine.partition(other), [waiting])

    with running(machine, keeper) as first, running(machine, other) as second:
        until(lambda: is_owner(first) and is_owner(second))
        append(machine.partition(other).directory, [told(seen, "channel")])
        with conversation_of(machine, place.conversation_id) as found:
            until(found)


def told(event: Event, kind: Kind = "outcome") -> Record:
    return builders.record(encode_event(event), kind=kind, source="")


def hidden_message(number: int) -> Record:
    """Return the record of a message that came while its channel was not connected."""
    message = {"id": f"m{number}", "timestamp": "1763712000", "text": {"body": "Hello"}}
    value = {
        "metadata": {"phone_number_id": "106"},
        "messages": [message | {"from_user_id": "DE.hidden"}],
    }
    entry = {"changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    return record_of(Whatsapp("secret"), Webhook(body, {}), lambda _: None, Micros(AT))


@contextmanager
def conversation_of(
    machine: MachineSpec, identifier: ConversationId
) -> Iterator[Callable[[], Conversation | None]]:
    own = machine.partition(owner_of(identifier, 2))
    with (
        closing(LogTail(own.directory)) as tail,
        closing(PartitionReader(tail)) as reader,
    ):

        def found() -> Conversation | None:
            try:
                with reader.read() as view:
                    return view.conversation(identifier)
            except StateError:
                return None

        yield found
