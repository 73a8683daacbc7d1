"""Who had what done, as commands leave it behind."""

from typing import Any

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model import commands
from airy_ray.model.commands import (
    AnyCommand,
    ClaimKey,
    ConnectChannel,
    CreateTag,
    DeleteTag,
    MarkRead,
    SeeUser,
    SendMessage,
    UpsertMetadata,
    VisitorSend,
)
from airy_ray.model.ids import channel_id, format_id
from airy_ray.projections import audit
from airy_ray.projections.commands import HANDLERS
from airy_ray.projections.view import AuditEntry
from airy_ray.state.tables import decoded
from tests import builders
from tests.builders import NOW
from tests.fakes import MemoryPartition

ID = format_id(builders.command_id())
ADA = format_id(builders.conversation_id())
SHOP = format_id(channel_id("chatplugin", "shop"))
SECRET = "what nobody else should read"


def audited(partition: MemoryPartition) -> list[AuditEntry]:
    values = partition.tables.values["audit"]
    return [decoded("audit", key, values[key]) for key in sorted(values)]


def after(*told: AnyCommand) -> list[AuditEntry]:
    partition = MemoryPartition()
    for command in told:
        partition.append(builders.command_record(command))
    return audited(partition)


def send(**fields: Any) -> SendMessage:
    raw = msgspec.Raw(msgspec.json.encode({"text": SECRET}))
    return SendMessage(id=ID, principal="github:1", conversation_id=ADA, message=raw, **fields)


@pytest.mark.parametrize(
    ("command", "action", "subject", "status"),
    [
        (MarkRead(id=ID, conversation_id=ADA), "conversations.mark-read", ADA, 204),
        (send(), "messages.send", ADA, 202),
        (DeleteTag(id=ID, tag_id=SHOP), "tags.delete", SHOP, 404),
        (
            UpsertMetadata(id=ID, subject="message", subject_id=ADA, values={"a": SECRET}),
            "metadata.upsert",
            ADA,
            204,
        ),
        (
            ConnectChannel(id=ID, source="chatplugin", source_channel_id="shop", channel_id=SHOP),
            "channels.connect",
            SHOP,
            200,
        ),
    ],
)
def test_a_command_leaves_who_what_and_about_what(
    command: AnyCommand, action: str, subject: str, status: int
) -> None:
    assert after(command) == [AuditEntry(Millis(NOW), command.principal, action, subject, status)]


def test_what_a_command_makes_is_what_it_is_about() -> None:
    [entry] = after(CreateTag(id=ID, name="urgent", color="tag-red"))

    assert entry.subject is not None
    assert entry.subject.startswith(ID[:4])


def test_what_a_message_says_is_not_in_it() -> None:
    partition = MemoryPartition()
    partition.append(builders.command_record(send()))
    [value] = partition.tables.values["audit"].values()

    assert SECRET.encode() not in value


@pytest.mark.parametrize(
    "command",
    [
        VisitorSend(id=ID, conversation_id=ADA, channel_id=SHOP, message=msgspec.Raw(b"1")),
        SeeUser(id=ID, user_id="github:1"),
        ClaimKey(id=ID, request="00"),
    ],
)
def test_what_no_caller_of_the_api_had_done_leaves_nothing(command: AnyCommand) -> None:
    assert after(command) == []


def test_a_command_that_comes_twice_is_written_down_once() -> None:
    command = MarkRead(id=ID, conversation_id=ADA)

    assert len(after(command, command)) == 1


def test_a_command_that_cannot_be_folded_is_written_down_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(HANDLERS, MarkRead, fail)
    [entry] = after(MarkRead(id=ID, conversation_id=ADA))

    assert (entry.action, entry.subject, entry.status) == ("conversations.mark-read", ADA, 500)


def test_a_rebuilt_state_tells_the_same() -> None:
    told = [
        MarkRead(id=format_id(builders.command_id(str(each))), conversation_id=ADA)
        for each in range(9)
    ]

    assert after(*told) == after(*told)


def test_an_answer_that_is_a_list_has_no_subject() -> None:
    command = CreateTag(id=ID, name="urgent", color="tag-red")
    entry = audit.entry(command, 201, b"[1]", Millis(NOW))

    assert entry is not None
    assert entry.subject is None
    assert commands.decode(commands.encode(command)) == command
