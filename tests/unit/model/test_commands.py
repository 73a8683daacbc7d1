import json

import msgspec
import pytest

from airy_ray.model import commands
from airy_ray.model.commands import (
    AnyCommand,
    ConnectChannel,
    CreateTag,
    CreateTemplate,
    DeleteTag,
    DeleteTemplate,
    DescribeConversation,
    DisconnectChannel,
    MarkRead,
    ResendMessage,
    SendMessage,
    SuggestReplies,
    UpdateChannel,
    UpdateTag,
    UpdateTemplate,
    UpsertMetadata,
    VisitorSend,
)


@pytest.mark.parametrize(
    "command",
    [
        MarkRead(id="1", conversation_id="c"),
        VisitorSend(id="1", conversation_id="c", channel_id="h", message=msgspec.Raw(b'{"a":1}')),
        ConnectChannel(id="1", source="google", source_channel_id="x", metadata={"name": "A"}),
        DisconnectChannel(id="1", principal="ada", channel_id="h"),
        UpdateChannel(id="1", channel_id="h", metadata={"a": [1]}),
        DescribeConversation(id="1", conversation_id="c", values={"a": ""}, removed=("b",)),
        UpsertMetadata(id="1", subject="message", subject_id="m", values={"a": {"b": 1}}),
        SendMessage(id="1", conversation_id="c", message=msgspec.Raw(b"5")),
        ResendMessage(id="1", message_id="m"),
        SuggestReplies(id="1", message_id="m", suggestions={"a": {"text": "Yes"}}),
        CreateTag(id="1", name="vip", color="tag-red"),
        UpdateTag(id="1", tag_id="t", name="VIP"),
        DeleteTag(id="1", tag_id="t"),
        CreateTemplate(id="1", name="hi", source="google", content={"text": "Hi"}),
        UpdateTemplate(id="1", template_id="t", content=[1]),
        DeleteTemplate(id="1", template_id="t"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_command_reads_back_from_its_record(command: AnyCommand) -> None:
    body = commands.encode(command)

    assert commands.encode(commands.decode(body)) == body
    assert type(commands.decode(body)) is type(command)


def test_a_command_is_json_that_says_what_it_is() -> None:
    told = json.loads(commands.encode(MarkRead(id="1", conversation_id="c")))

    assert told == {
        "command": "conversations.mark-read",
        "id": "1",
        "principal": "airy-core-anonymous",
        "conversation_id": "c",
    }


def test_a_message_in_a_command_is_kept_byte_for_byte() -> None:
    message = msgspec.Raw(b'{"b" : 1.50,"a":12345678901234567890123}')
    sent = VisitorSend(id="1", conversation_id="c", channel_id="h", message=message)
    read = commands.decode(commands.encode(sent))

    assert isinstance(read, VisitorSend)
    assert bytes(read.message) == bytes(message)


def test_an_unknown_command_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        commands.decode(b'{"command":"conversations.forget","id":"1"}')
