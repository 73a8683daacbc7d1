"""People to be forgotten, for tests: what names them, the erasure, a search for traces."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from airy_ray.clock import Micros, Millis
from airy_ray.model.commands import (
    ContactFields,
    DescribeConversation,
    EraseContact,
    SendMessage,
    UpdateContact,
    UpsertMetadata,
)
from airy_ray.model.events import DialogueKept, FilesKept, MessageFailed, ProfileFetched
from airy_ray.model.ids import CommandId, ContactId, contact_id, format_id, message_of_command
from airy_ray.partition.fold import encode_event
from airy_ray.partition.history import History
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec
from airy_ray.partition.upkeep import Caretaker
from airy_ray.rawlog.record import Record, payload_id
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.queries import reading
from airy_ray.storage import child
from tests import builders
from tests.builders import NOW
from tests.log_builders import settle

MARK = "XYZZY"
"""In everything that is to be forgotten, and in nothing else."""
EVA = f"{MARK}-eva"
EVAS = builders.conversation_id(EVA)
EVAS_CONTACT: ContactId = contact_id(EVAS)
SENT = message_of_command(CommandId(builders.command_id("send")), EVAS)
OTHERS = ("ada", "bob", "cy")


def item(
    contact: str, name: str, text: str, *, at: int, page: str = builders.PAGE
) -> dict[str, object]:
    """Return an item of a Messenger body."""
    party = {"sender": {"id": contact}, "recipient": {"id": page}}
    return party | {"timestamp": at, "message": {"mid": name, "text": text}}


def body(*items: dict[str, object], page: str = builders.PAGE) -> bytes:
    """Return a Messenger body with some items."""
    entry = {"id": page, "time": NOW, "messaging": list(items)}
    return json.dumps({"object": "page", "entry": [entry]}).encode()


def shared(number: int, *contacts: str, at: int | None = None) -> Record:
    """Return the record of a body with a message of each contact."""
    sent_at = NOW + number if at is None else at
    items = [
        item(contact, f"m-{contact}-{number}", f"text {number} of {contact}", at=sent_at)
        for contact in contacts
    ]
    routes = tuple(builders.route(contact) for contact in contacts)
    return builders.record(body(*items), at=NOW + number, routes=routes)


def traffic(count: int) -> Iterator[Record]:
    """Yield records of others and of Eva, alone and together, by every way a record names her."""
    for number in range(count):
        match number % 6:
            case 0:
                yield shared(number, OTHERS[number % 3])
            case 1:
                yield shared(number, EVA)
            case 2:
                yield shared(number, "ada", EVA, "bob")
            case 3:
                yield reaction(number)
            case 4:
                yield from commanded(number)
            case _:
                yield named_in_a_change(number)


def reaction(number: int) -> Record:
    """Return the record of Eva's reaction to a message that never comes."""
    told = {"mid": f"{MARK}-never-{number}", "action": "react", "emoji": f"{MARK}!"}
    party = {"sender": {"id": EVA}, "recipient": {"id": builders.PAGE}, "timestamp": NOW + number}
    return builders.record(
        body(party | {"reaction": told}), at=NOW + number, routes=(builders.route(EVA),)
    )


def named_in_a_change(number: int) -> Record:
    """Return a record that no conversation takes, but that names Eva."""
    change = {"field": "feed", "value": {"from": {"id": EVA, "name": f"{MARK} name"}}}
    told = {"object": "page", "entry": [{"id": builders.PAGE, "changes": [change]}]}
    return builders.record(json.dumps(told).encode(), at=NOW + number, routes=())


def commanded(number: int) -> Iterator[Record]:
    """Yield commands about Eva's conversation and messages, and outcomes."""
    at = NOW + number
    seed = "send" if number == 4 else f"send {number}"
    command = builders.command_id(seed)
    yield builders.command_record(
        SendMessage(
            id=format_id(command),
            conversation_id=format_id(EVAS),
            message=msgspec.Raw(json.dumps({"text": f"{MARK} answer"}).encode()),
        ),
        at=at,
    )
    sent = message_of_command(command, EVAS)
    failed = encode_event(MessageFailed(sent, f"{MARK} reason", f"{MARK} answer", Millis(at)))
    named = {"contact.display_name": f'"{MARK} name"'.encode()}
    fetched = encode_event(ProfileFetched(EVAS, Millis(NOW + 1), named, Millis(at)))
    link = {f"data_https://cdn.example.org/{MARK}": b'{"error":"answered with 404"}'}
    kept = encode_event(FilesKept(sent, link))
    dialogue = encode_event(DialogueKept(EVAS, "rasa", f'{{"topic":"{MARK}"}}'.encode()))
    for outcome in (failed, fetched, kept, dialogue):
        yield Record(Micros(at * 1_000), "outcome", "", outcome, payload_id(outcome))
    yield builders.command_record(
        UpsertMetadata(
            id=format_id(builders.command_id(f"upsert {number}")),
            subject="message",
            subject_id=format_id(sent),
            values={"note": f"{MARK} note"},
        ),
        at=at,
    )
    yield builders.command_record(
        UpdateContact(
            id=format_id(builders.command_id(f"update {number}")),
            contact_id=format_id(EVAS_CONTACT),
            fields=ContactFields(title=f"{MARK} title", via={"phone": f"{MARK} phone"}),
        ),
        at=at,
    )
    yield builders.command_record(
        DescribeConversation(
            id=format_id(builders.command_id(f"describe {number}")),
            conversation_id=format_id(EVAS),
            values={"contact.display_name": f"{MARK} {number}"},
        ),
        at=at,
    )


def erasure(at: int, seed: str = "erase") -> Record:
    """Return the record of the command that has Eva forgotten."""
    return builders.command_record(
        EraseContact(
            id=format_id(builders.command_id(seed)),
            contact_ids=(format_id(EVAS_CONTACT),),
            conversation_ids=(format_id(EVAS),),
        ),
        at=at,
    )


def carry_out(partition: Partition, now: int, *, rounds: int = 10) -> None:
    """Do what an owner does until all erasures are done in log, archive and state."""
    caretaker = Caretaker(partition, Millis(0))
    for _ in range(rounds):
        settle(partition, now)
        if is_erased(partition):
            return
        caretaker.erase(Millis(now))
        partition.take_offered(Millis(now))
        now += 60_001  # what failed is tried again after a minute
    raise AssertionError("the erasure does not come to an end")


def is_erased(partition: Partition, identifier: bytes = EVAS_CONTACT) -> bool | None:
    """Return whether what was erased is gone from the partition; None if nothing was."""
    with reading(partition.state.environment) as view:
        return view.is_erased(identifier)


def traces(directory: Path, mark: str = MARK) -> list[str]:
    """Return where a mark is found below a directory: in files as bytes, in Parquet unpacked.

    A child looks: closing a file of LMDB's would take this process's locks on it away.
    """
    return list(child.results(traces_here, directory, mark))


def traces_here(directory: Path, mark: str) -> Iterator[str]:
    """Yield the same; for processes that have nothing open."""
    for path in sorted(directory.rglob("*")):
        if path.is_file() and mark.encode() in path.read_bytes():
            yield str(path.relative_to(directory))
    for path in sorted(directory.rglob("*.parquet*")):
        for row in pq.read_table(path).to_pylist():
            if mark.encode() in row["body"] or mark in repr(row):
                yield f"{path.relative_to(directory)}: offset {row['offset']}"


def log_of(spec: PartitionSpec) -> list[Record]:
    """Return all records of a partition's log, archived or not."""
    records: list[Record] = []
    with closing(LogTail(spec.directory, is_read_only=True)) as tail:
        history = History(tail, spec.archive)
        while len(records) < tail.head:
            records += [record for _, record in history.read(len(records), 1_000, 1 << 24)]
    return records
