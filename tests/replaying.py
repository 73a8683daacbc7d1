"""Histories for tests: what happens to a few people in any order, as an owner lives through it."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import strategies as st

from airy_ray.clock import Micros, Millis
from airy_ray.model.commands import (
    AnyCommand,
    ContactFields,
    CreateContact,
    DeleteContact,
    DescribeConversation,
    EraseContact,
    MarkRead,
    MergeContacts,
    SendMessage,
    SuggestReplies,
    UnmergeContacts,
    UpdateContact,
    UpsertMetadata,
)
from airy_ray.model.events import (
    BotAsked,
    DeliveryAttempted,
    DialogueKept,
    Event,
    FilesKept,
    MessageDelivered,
    MessageFailed,
    ProfileFetched,
)
from airy_ray.model.ids import CommandId, contact_id, format_id, message_of_command
from airy_ray.partition import forwarding
from airy_ray.partition.fold import encode_event
from airy_ray.partition.partition import Partition
from airy_ray.rawlog.record import Record, payload_id, prepare
from airy_ray.replay.order import Order, Report, give_order, read_report
from airy_ray.replay.replayer import Replayer
from airy_ray.state.queries import reading
from tests import builders
from tests.builders import NOW
from tests.erasing import body, item, shared
from tests.log_builders import kept_rows, settle

PEOPLE = ("ada", "bob", "cy", "dora")
ACTIONS = (
    "message",
    "message",
    "shared",
    "reaction",
    "receipt",
    "mark read",
    "send",
    "send again",
    "attempt",
    "deliver",
    "fail",
    "tag",
    "describe message",
    "profile",
    "files",
    "asked",
    "dialogue",
    "suggest",
    "create contact",
    "update contact",
    "merge",
    "unmerge",
    "delete contact",
    "erase",
    "channel",
)

Action = tuple[str, int, int]
"""What happens, to whom, and which of their things it is about."""

histories = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, len(PEOPLE) - 1), st.integers(0, 3)),
    min_size=1,
    max_size=60,
)


def live(partition: Partition, history: Iterable[Action]) -> None:
    """Append a history record by record, a second apart, and do what an owner does after each."""
    for number, (action, person, index) in enumerate(history):
        who, other = PEOPLE[person], PEOPLE[(person + index) % len(PEOPLE)]
        record = _merge(partition, who, other, number) if action == "merge" else None
        record = record or _record(action, who, other, index, number)
        partition.tail.append([prepare(record)])
        rest(partition, NOW + number * 1_000)


def _merge(partition: Partition, who: str, other: str, number: int) -> Record | None:
    """Return the command that makes one person of two, as its caller finds them."""
    into, taken = (contact_id(builders.conversation_id(each)) for each in (who, other))
    with reading(partition.state.environment) as view:
        found = view.whole_contact(taken)
    if found is None or who == other:
        return None
    command = MergeContacts(
        id=format_id(builders.command_id(f"merge {number}")),
        principal="agent",
        destination_id=format_id(into),
        source=found,
    )
    return builders.command_record(command, at=NOW + number * 1_000)


def rest(partition: Partition, now: int) -> None:
    """Fold, forward and let timers fall until nothing is left to do."""
    has_more = True
    while has_more:
        settle(partition, now)
        has_more = partition.fall_due(Millis(now)) > 0
        for sequence, outgoing in forwarding.pending(partition):
            found = forwarding.records_of(
                partition,
                sequence,
                outgoing,
                lambda _: builders.channel(),
                lambda _: None,
                Micros(now * 1_000),
            )
            partition.tail.append([prepare(each.record) for each in found])
            forwarding.mark_forwarded(partition, sequence)
            has_more = True


def _record(action: str, who: str, other: str, index: int, number: int) -> Record:
    at = NOW + number * 1_000
    match action:
        case "message":
            return _came(
                item(who, f"m-{who}-{index}-{number % 7}", f"text {number}", at=at), who, at
            )
        case "shared":
            return shared(number, *dict.fromkeys((who, other)), at=at)
        case "reaction":
            told = {"mid": f"m-{who}-{index}-{number % 7}", "action": "react", "emoji": "!"}
            return _came(_party(who, at) | {"reaction": told}, who, at)
        case "receipt":
            return _came(_party(who, at) | {"read": {"watermark": at}}, who, at)
        case "channel":
            return _told(builders.channel_seen(), "channel", at)
        case "attempt" | "deliver" | "fail" | "profile" | "files" | "asked" | "dialogue":
            return _told(_event(action, who, index, at), "outcome", at)
        case _:
            return builders.command_record(_command(action, who, other, index, number), at=at)


def _party(who: str, at: int) -> dict[str, object]:
    return {"sender": {"id": who}, "recipient": {"id": builders.PAGE}, "timestamp": at}


def _came(told: dict[str, object], who: str, at: int) -> Record:
    return builders.record(body(told), at=at, routes=(builders.route(who),))


def _told(event: Event, kind: str, at: int) -> Record:
    encoded = encode_event(event)
    return Record(Micros(at * 1_000), kind, "", encoded, payload_id(encoded))  # type: ignore[arg-type]


def _sent(who: str, index: int) -> CommandId:
    return CommandId(builders.command_id(f"send {who} {index}"))


def _event(action: str, who: str, index: int, at: int) -> Event:
    conversation = builders.conversation_id(who)
    sent = message_of_command(_sent(who, index), conversation)
    received = builders.message_id(f"m-{who}-{index}-0", contact=who)
    match action:
        case "attempt":
            return DeliveryAttempted(sent, 1, 7)
        case "deliver":
            return MessageDelivered(sent, f"source-{who}-{index}", Millis(at))
        case "fail":
            return MessageFailed(sent, "refused", None, Millis(at))
        case "profile":
            named = {"contact.display_name": f'"{who} {index}"'.encode()}
            return ProfileFetched(conversation, Millis(NOW), named, Millis(at))
        case "files":
            return FilesKept(received, {"data_https://cdn.example.org/1": b'{"error":"gone"}'})
        case "asked":
            return BotAsked(received, conversation, "rasa", 3)
        case _:
            return DialogueKept(conversation, "rasa", b'{"topic":%d}' % index)


def _command(action: str, who: str, other: str, index: int, number: int) -> AnyCommand:
    conversation = format_id(builders.conversation_id(who))
    contact = contact_id(builders.conversation_id(who))
    seed = f"send {who} {index}" if action.startswith("send") else f"{action} {number}"
    signed: dict[str, Any] = {"id": format_id(builders.command_id(seed)), "principal": "agent"}
    match action:
        case "mark read":
            return MarkRead(**signed, conversation_id=conversation)
        case "send" | "send again":
            content = msgspec.Raw(json.dumps({"text": f"answer {index}"}).encode())
            return SendMessage(**signed, conversation_id=conversation, message=content)
        case "tag":
            values: dict[str, Any] = {f"tags.{index}": ""}
            return DescribeConversation(**signed, conversation_id=conversation, values=values)
        case "describe message":
            message = format_id(builders.message_id(f"m-{who}-{index}-0", contact=who))
            return UpsertMetadata(
                **signed, subject="message", subject_id=message, values={"note": str(number)}
            )
        case "suggest":
            message = format_id(builders.message_id(f"m-{who}-{index}-0", contact=who))
            return SuggestReplies(**signed, message_id=message, suggestions={})
        case "create contact":
            fields = ContactFields(
                display_name=f"made {number}", conversations={conversation: "facebook"}
            )
            return CreateContact(**signed, fields=fields)
        case "update contact":
            fields = ContactFields(title=f"title {index}", via={"phone": f"{number}"})
            return UpdateContact(**signed, contact_id=format_id(contact), fields=fields)
        case "unmerge":
            merged = format_id(contact_id(builders.conversation_id(other)))
            return UnmergeContacts(**signed, destination_id=format_id(contact), source_id=merged)
        case "delete contact" | "merge":
            return DeleteContact(**signed, contact_id=format_id(contact))
        case _:
            return EraseContact(
                **signed, contact_ids=(format_id(contact),), conversation_ids=(conversation,)
            )


def replayed(partition: Partition, order: Order, *, until: str) -> Report:
    """Give an order, do what an owner does until its report says a phase, and return that."""
    give_order(partition.spec.directory, order)
    replayer = Replayer(partition)
    for _ in range(50):
        replayer.work(Millis(NOW + 100_000))
        partition.take_offered(Millis(NOW + 100_000))
        rest(partition, NOW + 100_000)
        report = read_report(partition.spec.directory)
        if report is not None and (report.run, report.phase) == (order.run, until):
            return report
    raise AssertionError(f"the replay came to {report}")


def told_rows(partition: Partition) -> dict[str, list[tuple[bytes, bytes]]]:
    """Return the rows that the same history always makes."""
    rows = kept_rows(partition.state)
    rows.pop("meta")
    return rows
