"""Rows of files: what platforms wrote, however odd, and no secret."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from airy_ray.analytics.rows import conversation_row, day_of, event_row, message_row
from airy_ray.analytics.schema import CONVERSATIONS, EVENTS, MESSAGES
from airy_ray.clock import Millis
from airy_ray.model import commands
from airy_ray.model.commands import AnyCommand, ConnectChannel, MarkRead, SubscribeWebhook
from airy_ray.model.ids import PartitionIndex, format_id
from airy_ray.model.message import Message
from airy_ray.rawlog.record import Record
from tests import builders
from tests.builders import ADA, NOW, conversation_described, message_received
from tests.fakes import folded
from tests.log_builders import webhook

PARTITION = PartitionIndex(0)


def written(schema: pa.Schema, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as it comes out of a file."""
    (found,) = pa.Table.from_pylist([row], schema=schema).to_pylist()
    return dict(found)


def event(record: Record) -> dict[str, Any]:
    return written(EVENTS, event_row(PARTITION, 7, record))


def test_a_message_tells_its_reaction_and_shows_the_copies_of_its_files() -> None:
    original, copy = "https://cdn.example/a.png", "https://airy.example/media/1.png"
    stored = a_message(
        content=f'{{"url":"{original}"}}'.encode(),
        metadata=f'{{"data_{original}":"{copy}","reaction":{{"emoji":"👍"}}}}'.encode(),
    )

    row = written(MESSAGES, message_row(stored))

    assert row["content"] == f'{{"url":"{copy}"}}'
    assert row["reaction"] == "👍"


def test_halves_of_surrogate_pairs_and_bytes_that_are_no_text_are_written() -> None:
    stored = a_message(sender_id="\ud83d", content=b'"\xff"', metadata=b'{"reaction":"odd"}')

    row = written(MESSAGES, message_row(stored))

    assert row["sender_id"] == "?"
    assert row["content"] == '"\ufffd"'
    assert row["reaction"] is None


@pytest.mark.parametrize(
    ("at", "year", "day"),
    [(10**18, 9999, "9999-12-31"), (-(10**18), 1, "0001-01-01"), (NOW, 2025, "2025-11-21")],
)
def test_instants_that_no_calendar_has_are_the_last_that_one_has(
    at: int, year: int, day: str
) -> None:
    row = message_row(a_message(sent_at=Millis(at)))

    assert written(MESSAGES, row)["sent_at"].year == year
    assert day_of(row["sent_at"]) == day


def test_a_conversation_tells_its_name_state_and_tags() -> None:
    tags = {"tags.one": b'""', "tags.two": b'""', "state": b'"OPEN"'}
    view = folded(message_received("m1"), conversation_described(tags))
    (stored,) = (row for _, row in view.conversations.under(b""))

    row = written(CONVERSATIONS, conversation_row(stored, None))

    assert (row["state"], sorted(row["tag_ids"])) == ("OPEN", ["one", "two"])
    assert row["display_name"].startswith("Facebook ")
    assert row["contact_id"] is None
    assert row["created_at"] == datetime.fromtimestamp(stored.created_at / 1_000, UTC)


def test_a_webhook_is_told_as_it_came_and_where_it_went() -> None:
    record = webhook("m1")

    row = event(record)

    assert row["body"] == record.body.decode()
    assert (row["id"], row["kind"], row["command"]) == ("00:7", "webhook", None)
    assert row["routes"] == [
        {
            "channel_id": format_id(record.routes[0].channel_id),
            "conversation_id": format_id(builders.conversation_id(ADA)),
            "refused": None,
        }
    ]


def test_a_body_that_is_no_text_is_not_told() -> None:
    assert event(msgspec.structs.replace(webhook("m1"), body=b"\xff"))["body"] is None


def test_a_command_tells_who_wanted_what() -> None:
    command = MarkRead(
        id=format_id(builders.command_id("read")),
        principal="grace",
        conversation_id=format_id(builders.conversation_id(ADA)),
    )

    row = event(builders.command_record(command, at=NOW))

    assert (row["command"], row["principal"]) == ("conversations.mark-read", "grace")
    assert msgspec.json.decode(row["body"])["conversation_id"] == command.conversation_id


SECRET = "hush"


@pytest.mark.parametrize(
    "command",
    [
        ConnectChannel(id="1", source="facebook", source_channel_id="1", token=SECRET),
        SubscribeWebhook(id="1", url="https://crm.example", signature_key=SECRET),
    ],
)
def test_no_command_that_may_hold_a_secret_is_told(command: AnyCommand) -> None:
    record = builders.command_record(command, at=NOW)
    assert SECRET.encode() in record.body

    assert event(record)["body"] is None
    assert event(record)["command"] == msgspec.json.decode(commands.encode(command))["command"]


def a_message(**told: Any) -> Message:
    view = folded(message_received("m1"))
    (stored,) = (row for _, row in view.messages.under(b""))
    return msgspec.structs.replace(stored, **told)
