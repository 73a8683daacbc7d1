"""A data directory with all its owners in this process, and what it holds as readers see it."""

from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

import msgspec

from airy_ray.clock import Micros, Millis
from airy_ray.cluster.layout import prepare_data, specs
from airy_ray.config import Settings, load
from airy_ray.model import commands
from airy_ray.model.channel import Channel
from airy_ray.model.commands import AnyCommand
from airy_ray.model.events import DeliveryAttempted, Event, MessageDelivered
from airy_ray.model.ids import (
    REGISTRY,
    ChannelId,
    ContactId,
    ConversationId,
    PartitionIndex,
    command_id,
    format_id,
    message_of_command,
    owner_of,
    parse_id,
    slot_of,
)
from airy_ray.partition import forwarding
from airy_ray.partition.fold import encode_event
from airy_ray.partition.routing import partitions_of, record_of
from airy_ray.rawlog.record import Record, payload_id, prepare
from airy_ray.sources.source import Webhook
from airy_ray.state.queries import reading
from tests import manifests
from tests.log_builders import BUSY, NOW, care, kept_rows, owned, settle
from tests.unit.sources.test_fixtures import WEBHOOKS, source_of

CHANNELS: dict[ChannelId, Channel] = dict(
    chain.from_iterable(manifests.channels(source).items() for source in manifests.SOURCES)
)


def settings_of(
    data: Path, partitions: int | None = None, *, archive: Path | None = None
) -> Settings:
    """Return settings without an environment."""
    url = None if archive is None else str(archive)
    return load({"data": data, "partitions": partitions, "archive.url": url}, environment={})


class Machine:
    """Partitions that take records, tell one another, and seal what they have."""

    def __init__(self, data: Path, partitions: int | None = None) -> None:
        settings = settings_of(data, partitions)
        self.layout = prepare_data(settings)
        self.count = self.layout.partitions
        self.specs = specs(settings, self.layout)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.partitions = {
            spec.index: self._stack.enter_context(owned(replace(spec, upkeep=BUSY)))
            for spec in self.specs
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def receive(self, source: str, webhook: Webhook, at: int) -> None:
        """Take a webhook in, as the webhooks' process does."""
        self.take(record_of(source_of(source), webhook, CHANNELS.get, Micros(at * 1_000)))

    def take(self, record: Record) -> None:
        """Append a record to all logs that it is for."""
        for index in partitions_of(record, self.count):
            self.partitions[index].tail.append([prepare(record)])

    def tell(self, event: Event, about: bytes, at: int) -> None:
        """Append what came of something to the log of whom it is about."""
        body = encode_event(event)
        record = Record(Micros(at * 1_000), "outcome", "", body, payload_id(body))
        self.partitions[owner_of(about, self.count)].tail.append([prepare(record)])

    def command(self, command: AnyCommand, at: int, *, registry: bool = False) -> None:
        """Append a command to the log of its slot's owner, or the registry's."""
        body = commands.encode(command)
        record = Record(Micros(at * 1_000), "command", "api", body, payload_id(body))
        index = REGISTRY if registry else owner_of(parse_id(command.id), self.count)
        self.partitions[index].tail.append([prepare(record)])

    def settle(self, at: int) -> None:
        """Fold everything, and tell others what is for them, until all is quiet."""
        for _ in range(100):
            for partition in self.partitions.values():
                settle(partition, at)
            if not sum(self.forward(index, at) for index in self.partitions):
                return
        raise AssertionError("it goes on for ever")

    def forward(self, index: PartitionIndex, at: int) -> bool:
        """Have the others told what a partition has for them; return whether it had anything."""
        partition = self.partitions[index]
        pending = forwarding.pending(partition)
        for sequence, outgoing in pending:
            for target, record in forwarding.records_of(
                partition, sequence, outgoing, CHANNELS.get, lambda _: None, Micros(at * 1_000)
            ):
                self.partitions[target].tail.append([prepare(record)])
            forwarding.mark_forwarded(partition, sequence)
        return bool(pending)

    def fall_due(self, at: int) -> None:
        """Have timers fall."""
        for partition in self.partitions.values():
            partition.fall_due(Millis(at))

    def care(self, at: int) -> None:
        """Seal everything, and trim what is sealed."""
        for partition in self.partitions.values():
            care(partition, at)

    def rows(self) -> dict[str, dict[str, list[tuple[bytes, bytes]]]]:
        """Return what each partition keeps, byte by byte."""
        return {
            partition.spec.name: kept_rows(partition.state)
            for partition in self.partitions.values()
        }


def answer(machine: Machine, draw: Random, at: int) -> None:
    """Have somebody answer, tag or read a conversation that is there, if any is."""
    known = conversations(machine)
    if not known:
        return
    conversation = draw.choice(known)
    command = command_id(slot_of(conversation), str(draw.random()).encode())
    name, subject = format_id(command), format_id(conversation)
    match draw.randrange(3):
        case 0:
            content = msgspec.Raw(b'{"text":"an answer"}')
            machine.command(
                commands.SendMessage(id=name, conversation_id=subject, message=content), at
            )
            sent = message_of_command(command, conversation)
            machine.tell(DeliveryAttempted(sent, 1, 7), sent, at)
            machine.tell(MessageDelivered(sent, f"s{at}", Millis(at), 1), sent, at)
        case 1:
            machine.command(commands.MarkRead(id=name, conversation_id=subject), at)
        case _:
            values = {"tags.vip": str(at)}
            described = commands.DescribeConversation(
                id=name, conversation_id=subject, values=values
            )
            machine.command(described, at)


def conversations(machine: Machine) -> list[ConversationId]:
    """Return the conversations that are folded so far."""
    found: list[ConversationId] = []
    for partition in machine.partitions.values():
        with reading(partition.state.environment) as view:
            found += [each.id for _, each in view.conversations_after(b"", 10_000)]
    return found


def live(machine: Machine, draw: Random, *, first_at: int = NOW, payloads: int = 60) -> int:
    """Have a machine receive recorded payloads of all sources in some order; return when it ends.

    On the way it answers, tells of its answers, seals and forgets to forward now and then.
    """
    at = first_at
    for case in draw.choices(WEBHOOKS, k=payloads):
        at += draw.choice([1, 50, 4_000])
        machine.receive(case.source, case.webhook(), at)
        if draw.random() < 0.2:
            answer(machine, draw, at)
        if draw.random() < 0.1:
            machine.settle(at)
            machine.fall_due(at)
        if draw.random() < 0.05:
            machine.care(at)
    machine.settle(at)
    return at


def told(machine: Machine) -> dict[str, list[Any]]:
    """Return what readers are told of all conversations, messages and contacts, by id."""
    found: dict[str, list[Any]] = {"conversations": [], "messages": [], "contacts": []}
    for partition in machine.partitions.values():
        with reading(partition.state.environment) as view:
            found["conversations"] += [each for _, each in view.conversations_after(b"", 10_000)]
            found["messages"] += [each for _, each in view.messages_after(b"", 10_000)]
            names = view.contact_names(b"", 10_000)
            found["contacts"] += [view.whole_contact(ContactId(key[-16:])) for key in names]
    return {name: sorted(rows, key=repr) for name, rows in found.items()}
